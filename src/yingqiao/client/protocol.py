"""Requests and answers of the main interfaces, without I/O (三(一), 三(二), 四(二)1)."""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

import orjson

from yingqiao.client.answer import Answer
from yingqiao.client.errors import (
    BadKey,
    BadSignature,
    ClientError,
    Misunderstood,
    NotAdmitted,
    Refused,
    RetryLater,
    TooLarge,
    WrongClock,
)
from yingqiao.client.talk import Response
from yingqiao.exchange import bounded_json
from yingqiao.exchange.envelope import seal
from yingqiao.exchange.model import Finding, Level
from yingqiao.gm import sm4


class Interface(NamedTuple):
    """An interface of the main group: its id in the edition and its path."""

    id: str
    path: str


EXAM = Interface("exam-sync", "/exam-sync")
REPORT = Interface("report-sync", "/report/sync")
MERGED = Interface("examMergeReport-sync", "/examMergeReport-sync")
IMAGES = Interface("images-list", "/images/list")
IMAGES_STATUS = "/images/list/status"
RECONCILIATION = "/statisticalData/upload"
_LATER = frozenset({408, 425, 429})
_ELSEWHERE = frozenset({401, 403, 404, 405, 407})
"""Statuses that speak of the address or of something between, never of a record."""
_TEXTS = ("field", "label", "rule", "problem", "mend")
_MAX_WAIT_DIGITS = 9
_BY_RULE: Mapping[str, type[Refused]] = {
    "cannot-decrypt": BadKey,
    "inner-not-json": BadKey,  # ours is JSON: what the other side made of it with its key is not
    "bad-base64": BadSignature,
    "bad-signature": BadSignature,
    "unknown-hospital": NotAdmitted,
    "disabled-hospital": NotAdmitted,
    "too-large": TooLarge,
}
_CLOCK = frozenset({"outside-window", "bad-timestamp"})


def parse_key(key: str | bytes) -> bytes:
    """An SM4 key of 32 hex digits or 16 bytes. Raises ValueError."""
    try:
        raw = sm4.parse_key(key) if isinstance(key, str) else key
    except sm4.Sm4Error as error:
        raise ValueError("SM4 密钥应为 16 字节（32 位十六进制）") from error
    if len(raw) != sm4.KEY_LENGTH:
        raise ValueError("SM4 密钥应为 16 字节（32 位十六进制）")
    return raw


def request_body(record: Mapping[str, Any], hospital_code: str, key: bytes, now_s: int) -> bytes:
    """The sealed body for one record; `key` has 16 bytes, `now_s` is Unix seconds (T03)."""
    return orjson.dumps(seal(record, hospital_code, key, now_s))


def read_answer(response: Response, now_s: float) -> Answer:
    """The answer to what was accepted; `now_s` is our clock when it came.

    Raises Refused or one of its kinds, RetryLater, Misunderstood.
    """
    said = understand(response)
    code = code_of(said)
    if code is None:
        raise not_understood(response)
    answer = answer_of(code, said, response.status)
    if not answer.accepted:
        raise refusal_of(answer, response, now_s)
    return answer


def code_of(said: Mapping[str, Any]) -> int | None:
    """0 or 1, written as number or text (T08); None = neither."""
    code = said.get("code")
    return int(code) if code.__class__ in (int, str) and code in (0, 1, "0", "1") else None


def understand(response: Response, max_nodes: int = bounded_json.MAX_NODES) -> dict[str, Any]:
    """The JSON object of an answer that speaks of the request. Raises RetryLater, Misunderstood."""
    said = _parse(response.body, max_nodes)
    status = response.status
    if status in _LATER or status >= 500:
        message = _text((said or {}).get("message")) or f"对方暂时不可用（HTTP {status}）"
        raise RetryLater(
            message, status=status, retry_after=_seconds(response.headers.get("retry-after", ""))
        )
    if said is None or status in _ELSEWHERE or 300 <= status < 400:
        raise not_understood(response)
    return said


def not_understood(response: Response) -> Misunderstood:
    """Without a word of the answer's: it may be anybody's."""
    status = response.status
    if 300 <= status < 400:
        hint = "对方要求转到别处，请核对地址"
    elif status in _ELSEWHERE:
        hint = "对方没有这个接口或不允许访问，请核对地址"
    else:
        hint = "应答不符合规范，请核对地址"
    return Misunderstood(f"{hint}（HTTP {status}）", status=status)


def answer_of(code: int, said: Mapping[str, Any], status: int) -> Answer:
    content = said.get("content")
    return Answer(code, _text(said.get("message")), content, findings_of(content), status)


def refusal_of(answer: Answer, response: Response, now_s: float) -> ClientError:
    """The error that says best why."""
    rules = [finding.rule for finding in answer.findings if finding.level is Level.REFUSE]
    if rules and rules[0] in _CLOCK:
        return WrongClock(answer, _ahead(response.headers.get("date", ""), now_s))
    if rules and rules[0] in _BY_RULE:
        return _BY_RULE[rules[0]](answer)
    return TooLarge(answer) if response.status == 413 else Refused(answer)


def findings_of(content: object) -> tuple[Finding, ...]:
    """The findings an answer lists: `content` itself when refused, its member `findings` when accepted."""
    listed = content.get("findings") if isinstance(content, dict) else content
    if not isinstance(listed, list):
        return ()
    return tuple(_finding(item) for item in listed if isinstance(item, dict))


def _finding(item: Mapping[str, Any]) -> Finding:
    field, label, rule, problem, mend = (_text(item.get(name)) for name in _TEXTS)
    level = item.get("level")
    return Finding(field, label, rule, Level(level) if level in tuple(Level) else Level.NOTE, problem, mend)


def _parse(body: bytes, max_nodes: int) -> dict[str, Any] | None:
    try:
        said = bounded_json.load(body, max_nodes)
    except bounded_json.JsonError:
        return None
    return said if isinstance(said, dict) else None


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _seconds(text: str) -> float | None:
    """Retry-After in seconds; its date form is not used by gateways and counts as none."""
    return float(text) if text.isascii() and text.isdigit() and len(text) <= _MAX_WAIT_DIGITS else None


def _ahead(date: str, now_s: float) -> float | None:
    try:
        return parsedate_to_datetime(date).timestamp() - now_s
    except (ValueError, OverflowError):
        return None
