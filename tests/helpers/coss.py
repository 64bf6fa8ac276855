"""Calling coss as a PACS vendor does: the signature made by OpenSSL's command line, not by our code."""

from __future__ import annotations

import base64
import json
import subprocess
from typing import Any

import httpx

APP, SECRET = "APP_0157E810F6894BEEB4DEC70331720557", "0123456789abcdef"


def openssl_hmac(secret: str, text: str, digest: str = "sha256") -> str:
    """Base64 of the HMAC."""
    done = subprocess.run(
        [
            "openssl",
            "dgst",
            f"-{digest}",
            "-mac",
            "HMAC",
            "-macopt",
            f"hexkey:{secret.encode().hex()}",
            "-binary",
        ],
        input=text.encode(),
        capture_output=True,
        check=True,
    )
    return base64.b64encode(done.stdout).decode()


def string_a(parameters: dict[str, Any]) -> str:
    """By the standard's words: non-empty values, ASCII order, `k=v` joined with `&`."""
    kept = {k: v for k, v in parameters.items() if k != "signature" and v not in ("", None)}
    ordered = sorted(kept.items(), key=lambda pair: pair[0].encode())
    return "&".join(f"{k}={json.dumps(v) if isinstance(v, (bool, int)) else v}" for k, v in ordered)


def signed(parameters: dict[str, Any], app: str = APP, secret: str = SECRET) -> dict[str, Any]:
    """The parameters with the common ones and the signature."""
    whole = {"version": "1.0", "appId": app, "signAlgo": "HMAC"} | parameters
    return whole | {"signature": openssl_hmac(secret, string_a(whole))}


def call(url: str, service: str, parameters: dict[str, Any], **who: str) -> dict[str, Any]:
    """The answer to a signed request."""
    response = httpx.post(f"{url}/coss/service/v1/{service}", json=signed(parameters, **who), timeout=120)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def job(**more: Any) -> dict[str, Any]:
    """addSignJob's parameters, as the standard's sample."""
    return {
        "title": "测试签名",
        "dataType": "DATA",
        "algo": "SM3withSM2",
        "description": "签名数据描述信息",
        "expiryDate": "1440",
        "data": "562+5ZCN5rWL6K+V5pWw5o2u",
        "requireQrCode": "N",
    } | more
