"""Requests and answers of the main interfaces, without I/O (三(一), 三(二), 四(二)1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from yingqiao.client.answer import Answer
from yingqiao.client.errors import Misunderstood, Refused, Unavailable
from yingqiao.exchange.envelope import seal
from yingqiao.exchange.model import Finding, Level

EXAM, REPORT, MERGED = "/exam-sync", "/report/sync", "/examMergeReport-sync"
IMAGES, IMAGES_STATUS = "/images/list", "/images/list/status"
HEADERS = {"Content-Type": "application/json", "encryption-type": "SM4"}
_LATER = frozenset({408, 429, 500, 502, 503, 504})
_TEXTS = ("field", "label", "rule", "problem", "mend")


def request_body(record: Mapping[str, Any], hospital_code: str, key: bytes, now_s: int) -> bytes:
    """The sealed body for one record; `key` has 16 bytes, `now_s` is Unix seconds (T03)."""
    return orjson.dumps(seal(record, hospital_code, key, now_s))


def read_answer(status: int, headers: Mapping[str, str], body: bytes) -> Answer:
    """The answer to a push that was accepted. Raises Refused, Unavailable, Misunderstood."""
    said = _parse(body)
    if status in _LATER:
        message = str(said.get("message", "")) if said else ""
        wait = _seconds(headers.get("retry-after", ""))
        raise Unavailable(message or f"网关暂时不可用（HTTP {status}）", status=status, retry_after=wait)
    if said is None or said.get("code") not in (0, 1, "0", "1"):
        raise Misunderstood(f"HTTP {status} 的应答不符合规范：{body[:80]!r}", status=status)
    content = said.get("content")
    answer = Answer(int(said["code"]), str(said.get("message", "")), content, findings_of(content), status)
    if not answer.accepted:
        raise Refused(answer)
    return answer


def findings_of(content: object) -> tuple[Finding, ...]:
    """The findings an answer lists: `content` itself when refused, its member `findings` when accepted."""
    listed = content.get("findings") if isinstance(content, dict) else content
    if not isinstance(listed, list):
        return ()
    return tuple(_finding(item) for item in listed if isinstance(item, dict))


def _finding(item: Mapping[str, Any]) -> Finding:
    field, label, rule, problem, mend = (str(item.get(name, "")) for name in _TEXTS)
    level = item.get("level")
    return Finding(field, label, rule, Level(level) if level in tuple(Level) else Level.NOTE, problem, mend)


def _parse(body: bytes) -> dict[str, Any] | None:
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return said if isinstance(said, dict) else None


def _seconds(text: str) -> float | None:
    """Retry-After in seconds; its date form is not used by gateways and counts as none."""
    return float(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
