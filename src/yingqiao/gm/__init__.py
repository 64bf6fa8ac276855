"""Bytes in, bytes out, no I/O: SM2, SM3, SM4, two-party signing, sealing of keys; and the structures signed with them."""
