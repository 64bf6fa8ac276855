"""The standard's own signed samples (四(二)4), as the edition's data holds them."""

from __future__ import annotations

import base64
import json
from functools import cache
from importlib.resources import files
from typing import Any


@cache
def vectors() -> dict[str, Any]:
    path = files("yingqiao.spec") / "data/shanxi_v2_1/examples/crypto_vectors.json"
    return json.loads(path.read_text("utf-8"))


def pkcs7_sample() -> bytes:
    """Signs `123`; its signer's certificate has a misprinted letter in the issuer's name."""
    return base64.b64decode(vectors()["sm2_pkcs7"][0]["signValue_base64"])


def token_samples() -> list[bytes]:
    """Two tokens over `test`; the CA's signature inside their certificate is misprinted."""
    return [base64.b64decode(sample["tsResp_base64"]) for sample in vectors()["timestamp_token"]]
