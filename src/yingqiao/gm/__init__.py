"""Bytes in, bytes out, no I/O: SM4, key sealing; later SM2, SM3 structures, certificates, seals."""
