"""SFTP host keys: registered ones, or the one seen first when the host's options allow that."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pycurl

from yingqiao.client.fetch.model import HostKeySeen
from yingqiao.exchange.fetch import AllowedHost, FetchError, FileState
from yingqiao.exchange.work import ErrorClass


def fingerprint(key: bytes) -> str:
    """As `ssh-keygen -l` shows it: `SHA256:…`."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(key).digest()).decode().rstrip("=")


class HostKeys:
    """What a fetcher knows, for its lifetime."""

    def __init__(self, seen: HostKeySeen | None) -> None:
        self._seen = seen
        self._first: dict[tuple[str, int], str] = {}

    def check(self, host: AllowedHost, name: str, port: int, key: bytes) -> FetchError | None:
        """None when the key is trusted, else why not."""
        shown = fingerprint(key)
        known = {_normal(k) for k in host.options.host_keys}
        if not known and host.options.host_key_first_use:
            if (name, port) not in self._first:
                self._first[name, port] = shown
                if self._seen is not None:
                    self._seen(host, shown)
            known = {self._first[name, port]}
        if shown in known:
            return None
        words = "与登记的不符，可能有人冒充" if known else "没有登记，请核对后登记"
        return FetchError(ErrorClass.THEIRS, f"SFTP 主机密钥 {shown} {words}", state=FileState.DENIED)


def _normal(text: str) -> str:
    return "SHA256:" + text.strip().removeprefix("SHA256:").rstrip("=")


def accept(refusal: FetchError | None) -> int:
    """libcurl's word for it."""
    return int(pycurl.KHMATCH_OK if refusal is None else pycurl.KHMATCH_MISMATCH)


def key_bytes(key: Any) -> bytes:
    """The raw key, from bytes or libcurl's base64 pair."""
    return bytes(key if isinstance(key, bytes) else key.key)
