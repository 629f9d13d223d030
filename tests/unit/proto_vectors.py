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

# AEGIS-128L as draft-irtf-cfrg-aegis-aead has it, on the AES tables of the system tests
import os, sys
sys.path.insert(0,os.path.join(os.path.dirname(os.path.abspath(__file__)),'..','system'))
from aes import SBOX, _times
def xor(a,*more):
    for b in more: a=bytes(x^y for x,y in zip(a,b))
    return a
def both(a,b): return bytes(x&y for x,y in zip(a,b))
def aesround(state,key):
    moved=[SBOX[state[4*((c+r)%4)+r]] for c in range(4) for r in range(4)]
    mixed=[_times(col[r],2)^_times(col[(r+1)%4],3)^col[(r+2)%4]^col[(r+3)%4] for col in (moved[i:i+4] for i in range(0,16,4)) for r in range(4)]
    return xor(bytes(mixed),key)
def update(s,m0,m1):
    add={0:m0,4:m1}
    return [aesround(s[i-1],xor(s[i],add[i]) if i in add else s[i]) for i in range(8)]
def halves(data): return [(p[:16],p[16:]) for p in (data[i:i+32].ljust(32,b'\0') for i in range(0,len(data),32))]
def aegis(key,nonce,ad,text):
    c0,c1=bytes.fromhex('000101020305080d1522375990e97962'),bytes.fromhex('db3d18556dc22ff12011314273b528dd')
    s=[xor(key,nonce),c1,c0,c1,xor(key,nonce),xor(key,c0),xor(key,c1),xor(key,c0)]
    for _ in range(10): s=update(s,nonce,key)
    for m in halves(ad): s=update(s,*m)
    out=b''
    for m0,m1 in halves(text):
        out+=xor(m0,s[6],s[1],both(s[2],s[3]))+xor(m1,s[2],s[5],both(s[6],s[7]))
        s=update(s,m0,m1)
    t=xor(s[2],struct.pack('<QQ',8*len(ad),8*len(text)))
    for _ in range(7): s=update(s,t,t)
    return out[:len(text)],xor(*s[:7])
# The draft's own vectors 2, 3 and 5
k,n=bytes.fromhex('1001').ljust(16,b'\0'),bytes.fromhex('100002').ljust(16,b'\0')
assert aegis(k,n,b'',b'')[1].hex()=='c2b879a67def9d74e6c14f708bbcc9b4'
assert aegis(k,n,bytes(range(8)),bytes(range(32)))[1].hex()=='cc6f3372f6aa1bb82388d695c3962d9a'
assert aegis(k,n,bytes(range(0x2a)),bytes(range(0x10,0x38)))[1].hex()=='7542a745733014f9474417b337399507'
aad=b"TSRBLK1\0"+struct.pack('<II',2,0)+label+bytes(range(0x50,0x60))+struct.pack('<QQII',7,9,3,0)
c,tag=aegis(H(K,struct.pack('<I',2)+salt)[:16],struct.pack('<QII',9,0,0),aad,bytes((i*7)&255 for i in range(4096)))
show('aegis tag',tag); show('aegis ct0',c[:16])
