"""FILEPATH of /images/list as hospitals send it (T94): an array of addresses, or one text that holds them."""

from __future__ import annotations

import re
from typing import Any

import orjson

from yingqiao.exchange.findings import Collector
from yingqiao.exchange.values import shorten, text_of
from yingqiao.spec import Field

MAX_ADDRESSES = 20_000
"""In one call; a series of more comes in several calls, which are united (T95)."""
MAX_ADDRESS = 4000
"""Characters of one address; signed S3 addresses have some 600."""
_BETWEEN = re.compile(r"[\r\n]+|[ \t,，;；]+(?=[A-Za-z][A-Za-z0-9+.-]{1,15}://|\\\\)")
"""What separates addresses within one text: a comma only where another address begins, as an address may
have commas of its own."""


def read(field: Field, value: Any, found: Collector) -> tuple[str, ...]:
    """The addresses, each once, in the order sent; () when there is none. What is no text is reported."""
    if isinstance(value, str):
        value = _from_text(field, value, found)
    elif not isinstance(value, list):
        if value is not None:
            _say(field, f"应为地址数组，收到了{shorten(value)}", "type", found)
        return ()
    texts = [text_of(item) for item in value]
    odd = sum(text is None for text in texts)
    if odd:
        _say(field, f"有 {odd} 项不是文本，已略过", "type", found)
    long = sum(len(text or "") > MAX_ADDRESS for text in texts)
    if long:
        _say(field, f"有 {long} 个地址超过 {MAX_ADDRESS} 个字符，已略过", "length", found)
    addresses = tuple(dict.fromkeys(text for text in texts if text and len(text) <= MAX_ADDRESS))
    if len(addresses) > MAX_ADDRESSES:
        problem = f"一次共 {len(addresses)} 个地址，超过 {MAX_ADDRESSES} 个"
        found.add(field, "addresses", problem, "请分多次发送，同一序列的地址会合并", ("T94",))
    return addresses


def _from_text(field: Field, text: str, found: Collector) -> list[Any]:
    """A text that should have been an array: one address, several with separators, or JSON in quotes."""
    text = text.strip()
    if not text:
        return []
    _say(field, "地址写成了一个文本", "format", found)
    if text.startswith("["):
        try:
            listed = orjson.loads(text)
        except orjson.JSONDecodeError:
            listed = None
        if isinstance(listed, list):
            return listed
    return _BETWEEN.split(text)


def _say(field: Field, problem: str, rule: str, found: Collector) -> None:
    found.add(field, rule, problem, '请发送 JSON 数组：["http://…/1.dcm", "http://…/2.dcm"]', ("T94",))
