"""JSON from outside, bounded: whatever the bytes, the answer is a value of limited depth
and size, or a reason.
"""

from __future__ import annotations

from typing import Any

import orjson

MAX_DEPTH = 64
"""Levels of nesting; the standard's records have three."""
MAX_NODES = 100_000
"""Members and list items in one document; the standard's largest record has a few hundred."""
_LARGE = 64 * 1024
BOM = b"\xef\xbb\xbf"


class JsonError(ValueError):
    """Not acceptable JSON; the text is Chinese and says why, without quoting content."""


def load(raw: bytes, max_nodes: int = MAX_NODES) -> Any:
    """The value of UTF-8 JSON, a byte order mark tolerated (T06), bounded in depth and size.

    Raises JsonError.
    """
    value = load_outer(raw)
    # Looking for brackets is cheaper than walking a small document, walking cheaper in a large one.
    if len(raw) > _LARGE or _has_many(raw, b"[") or _has_many(raw, b"{"):
        _measure(value, max_nodes)
    return value


def _has_many(raw: bytes, bracket: bytes) -> bool:
    """More than half of MAX_DEPTH; splitting leaps from one to the next where counting looks at every byte."""
    return len(raw.split(bracket, MAX_DEPTH // 2 + 1)) > MAX_DEPTH // 2 + 1


def load_outer(raw: bytes) -> Any:
    """As `load`, for who looks at the topmost members only: nesting is left to the parser's bound of 1024."""
    try:
        return orjson.loads(raw.removeprefix(BOM))
    except orjson.JSONDecodeError as error:
        raise JsonError(_reason(raw, error)) from error


def _reason(raw: bytes, error: orjson.JSONDecodeError) -> str:
    if not raw.strip():
        return "内容为空"
    try:
        raw.decode()
    except UnicodeDecodeError as decoding:
        return f"第 {decoding.start + 1} 字节起不是 UTF-8 编码（是否用了 GBK？）"
    if "depth" in error.msg or "ecursion" in error.msg:
        return f"嵌套超过 {MAX_DEPTH} 层"
    return f"第 {error.lineno} 行第 {error.colno} 列附近有语法错误"


def _measure(value: Any, max_nodes: int) -> None:
    level: list[Any] = [value]
    nodes = 0
    for _ in range(MAX_DEPTH + 1):
        below: list[Any] = []
        for item in level:
            children = _children(item)
            nodes += len(children)
            if nodes > max_nodes:
                raise JsonError(f"成员超过 {max_nodes} 个")
            below.extend(child for child in children if isinstance(child, dict | list))
        if not below:
            return
        level = below
    raise JsonError(f"嵌套超过 {MAX_DEPTH} 层")


def _children(item: Any) -> list[Any]:
    if isinstance(item, dict):
        return list(item.values())
    return item if isinstance(item, list) else []
