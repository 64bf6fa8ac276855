"""Electronic seals and seal signatures: GM/T 0031-2014 (v1), GB/T 38540-2020 (v4), GM/T 0031-2025 (v5).

`parse_seal` and `parse_signature` read all three; `seal_info`, `seal`, `to_sign` and `signature` write v4, each giving
the bytes that are signed next. What is hashed are the bytes received; nothing is encoded again.
"""

from yingqiao.gm.ses.model import (
    CertificateDigest,
    Picture,
    Seal,
    SealInfo,
    SealSignature,
    SesError,
    Version,
)
from yingqiao.gm.ses.reading import parse_seal, parse_signature
from yingqiao.gm.ses.writing import seal, seal_info, signature, to_sign

__all__ = [
    "CertificateDigest",
    "Picture",
    "Seal",
    "SealInfo",
    "SealSignature",
    "SesError",
    "Version",
    "parse_seal",
    "parse_signature",
    "seal",
    "seal_info",
    "signature",
    "to_sign",
]
