"""The members of a phone's JSON request, read one by one: present, of the right kind, of limited size."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from yingqiao.exchange import bounded_json
from yingqiao.exchange.bounded_json import JsonError
from yingqiao.signing.errors import SigningRefused

_MAX_NODES = 200


@dataclass(frozen=True, slots=True)
class Given:
    """Never shown: it holds tokens and codes."""

    values: Mapping[str, Any] = field(repr=False)

    def text(self, name: str, most: int = 128) -> str:
        """Raises SigningRefused `field` when it is missing, no text or too long."""
        found = self.optional(name, most)
        if not found:
            raise SigningRefused("field", f"缺少 {name}")
        return found

    def optional(self, name: str, most: int = 128) -> str:
        """'' when it is missing or null."""
        found = self.values.get(name)
        if found is None:
            return ""
        if not isinstance(found, str) or len(found) > most or "\0" in found:
            raise SigningRefused("field", f"{name} 应为至多 {most} 个字符的文本")
        return found

    def binary(self, name: str, most: int) -> bytes:
        """Standard base64 of at most so many bytes."""
        text = self.text(name, (most + 2) // 3 * 4)
        try:
            return base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            raise SigningRefused("field", f"{name} 不是 Base64") from None

    def flag(self, name: str) -> bool:
        found = self.values.get(name)
        if not isinstance(found, bool):
            raise SigningRefused("field", f"{name} 应为 true 或 false")
        return found

    def moment(self, name: str) -> int | None:
        """Unix milliseconds; None when it is missing or null."""
        found = self.values.get(name)
        if found is None:
            return None
        if not isinstance(found, int) or isinstance(found, bool) or not 0 <= found < 1 << 53:
            raise SigningRefused("field", f"{name} 应为毫秒数")
        return found


def read(raw: bytes) -> Given:
    """Raises SigningRefused."""
    try:
        found = bounded_json.load(raw, _MAX_NODES)
    except JsonError as error:
        raise SigningRefused("json", f"请求不是合法的 JSON：{error}") from error
    if not isinstance(found, dict):
        raise SigningRefused("json", "请求应为 JSON 对象")
    return Given(found)
