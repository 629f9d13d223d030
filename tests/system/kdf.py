# SPDX-License-Identifier: BSD-2-Clause-Patent
"""A guest's keys, computed offline from the root secret: a second implementation, from the text of spec/storage.md alone."""

import hashlib

DISK_HEADER, DISK_ATTACH, APPLICATION = 1, 2, 3


def _keyed(key, data):
    return hashlib.blake2b(data, key=key, digest_size=32).digest()


def label_bytes(label):
    """A label as the ABI has it: 32 bytes, padded with zeros."""
    data = label.encode() if isinstance(label, str) else label
    if len(data) > 32:
        raise ValueError(f"a label has at most 32 bytes: {label!r}")
    return data.ljust(32, b"\0")


def middle(root, identity, label):
    """K of the derivation: one per identity and label."""
    assert len(root) == 32 and len(identity) == 32
    return _keyed(root, b"tessera key v1".ljust(32, b"\0") + identity + label_bytes(label))


def derive(root, identity, label, purpose=APPLICATION, salt=bytes(16)):
    """The key that TSR_CALL_KEY_DERIVE gives (SEAL-KDF)."""
    assert len(salt) == 16
    return _keyed(middle(root, identity, label), purpose.to_bytes(4, "little") + salt)
