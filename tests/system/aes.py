# SPDX-License-Identifier: BSD-2-Clause-Patent
"""AES-256's key schedule (FIPS 197, 5.2 and 5.3.5), to look for expanded keys in memory."""


def _tables():
    """The S-box, from its definition: inverse in GF(2^8), then the affine map."""
    exp, log, x = [0] * 255, [0] * 256, 1
    for i in range(255):
        exp[i], log[x] = x, i
        x ^= (x << 1) ^ (0x11B if x & 0x80 else 0)
        x &= 0xFF
    box = []
    for v in range(256):
        inv = exp[(255 - log[v]) % 255] if v else 0
        box.append(inv ^ _rotate(inv, 1) ^ _rotate(inv, 2) ^ _rotate(inv, 3) ^ _rotate(inv, 4) ^ 0x63)
    return bytes(box)


def _rotate(v, n):
    return ((v << n) | (v >> (8 - n))) & 0xFF


def _double(v):
    return ((v << 1) ^ (0x1B if v & 0x80 else 0)) & 0xFF


def _times(v, n):
    out = 0
    while n:
        if n & 1:
            out ^= v
        v, n = _double(v), n >> 1
    return out


SBOX = _tables()


def expand(key):
    """The 15 round keys of 16 bytes each for encryption."""
    assert len(key) == 32
    words = [key[i:i + 4] for i in range(0, 32, 4)]
    rcon = 1
    for i in range(8, 60):
        w = words[i - 1]
        if i % 8 == 0:
            w = bytes(SBOX[b] for b in w[1:] + w[:1])
            w = bytes([w[0] ^ rcon]) + w[1:]
            rcon = _double(rcon)
        elif i % 8 == 4:
            w = bytes(SBOX[b] for b in w)
        words.append(bytes(a ^ b for a, b in zip(words[i - 8], w)))
    return [b"".join(words[i:i + 4]) for i in range(0, 60, 4)]


def _inverse_mix(block):
    out = bytearray()
    for c in range(0, 16, 4):
        col = block[c:c + 4]
        for r in range(4):
            out.append(_times(col[r], 14) ^ _times(col[(r + 1) % 4], 11) ^ _times(col[(r + 2) % 4], 13) ^
                       _times(col[(r + 3) % 4], 9))
    return bytes(out)


def expand_inverse(key):
    """The round keys of the equivalent inverse cipher, in the order of their use."""
    rounds = expand(key)
    return [rounds[-1]] + [_inverse_mix(r) for r in rounds[-2:0:-1]] + [rounds[0]]


def swapped(block):
    """The same with the bytes of each 32-bit word reversed, as code that keeps big-endian words stores them."""
    return b"".join(block[i:i + 4][::-1] for i in range(0, len(block), 4))
