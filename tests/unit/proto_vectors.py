#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause-Patent
"""Prints the known answers in proto_vectors.c, from hashlib and the cryptography package: an implementation that shares no code."""
import hashlib, struct
root=bytes(range(32)); ident=bytes(range(32,64)); label=b"root".ljust(32,b"\0"); salt=bytes(range(0xa0,0xb0))
def H(k,m): return hashlib.blake2b(m,key=k,digest_size=32).digest()
K=H(root,b"tessera key v1".ljust(32,b"\0")+ident+label)
def show(n,b): print(n, ', '.join('0x%02x'%x for x in b))
show('attach',H(K,struct.pack('<I',2)+salt))
show('header',H(K,struct.pack('<I',1)+bytes(16)))
# measure
cfg=bytearray(400)
struct.pack_into('<QII',cfg,0,16384,1,1); cfg[16:16+6]=b'tenant'
cfg[80]=1; cfg[81]=1; cfg[88:92]=b'root'
def rec(t,p,g=0): return b"TSRMEAS1"+struct.pack('<IIQ',t,len(p),g)+bytes(40)+p
page1=bytes([0x11])*4096; page2=bytes(i&255 for i in range(4096))
m=rec(1,struct.pack('<II',0x10000,0)+bytes(cfg))+rec(2,page1,256)+rec(2,page2,257)+rec(3,struct.pack('<II',0x100000,0x90000))
show('ident',hashlib.blake2b(m,digest_size=32).digest())
aad=b"TSRBLK1\0"+struct.pack('<II',1,0)+label+bytes(range(0x50,0x60))+struct.pack('<QQII',7,9,3,0)
show('aad',aad)
try:  # python3-cryptography
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    k=H(K,struct.pack('<I',2)+salt)
    text=bytes((i*7)&255 for i in range(4096))
    c=AESGCM(k).encrypt(struct.pack('<QI',9,0),text,aad)
    show('tag',c[-16:]); show('ct0',c[:16])
except ImportError: print('no cryptography')
