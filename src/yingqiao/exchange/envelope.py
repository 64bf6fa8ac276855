"""The envelope of the main interfaces (三(一), 三(六)): parse, verify, open; and seal, for who calls.

The signature is a plain SHA-1 that anyone can compute (T04): it shows damage, not who sent it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson
import pybase64
from msgspec import Struct

from yingqiao.exchange import bounded_json
from yingqiao.exchange.errors import Refusal
from yingqiao.exchange.model import Finding, Level
from yingqiao.exchange.profile import Profile
from yingqiao.exchange.values import shorten
from yingqiao.gm import sm4

BEIJING_OFFSET = 28_800
"""Seconds by which a clock that takes 标准北京时间 literally is off (T03)."""
_MILLISECONDS_FROM = 100_000_000_000
_MAX_TIMESTAMP_DIGITS = 16
_WHITE = str.maketrans("", "", " \t\r\n\v\f\u00a0\u3000\ufeff")


class Envelope(Struct, frozen=True):
    hospital_code: str
    data: str
    """As sent."""
    timestamp: str
    signature: str
    sent_code: str
    """hospitalCode as sent, which is what was signed; `hospital_code` is trimmed."""


class Opened(Struct, frozen=True):
    plaintext: bytes
    """The decrypted JSON as sent, UTF-8."""
    value: Any
    """What it says."""
    findings: tuple[Finding, ...]
    key_index: int
    """Which of the keys opened it; 0 is the current one."""


class Window(Struct, frozen=True):
    """How far a timestamp may be from now, and what happens beyond (T03)."""

    seconds: int = 600
    mode: str = "warn"
    """refuse | warn | off"""

    @staticmethod
    def of(profile: Profile) -> Window:
        return Window(profile.window_seconds, profile.window)


def parse(raw: bytes) -> Envelope:
    """The four members of a request body (T01). Raises Refusal: not-json, not-object, missing-member."""
    try:
        said = bounded_json.load_outer(raw)
    except bounded_json.JsonError as error:
        raise Refusal("not-json", detail=str(error)) from error
    if not isinstance(said, dict):
        raise Refusal("not-object")
    code = _text(said.get("hospitalCode"))
    parts = {name: _text(said.get(name)) for name in ("data", "timestamp", "signature")}
    for name, value in (("hospitalCode", code), *parts.items()):
        if not value.strip():
            raise Refusal("missing-member", hospital_code=code.strip(), name=name)
    return Envelope(code.strip(), parts["data"], parts["timestamp"], parts["signature"], code)


def open_envelope(
    envelope: Envelope,
    keys: Sequence[bytes],
    now_ms: int,
    window: Window,
    grade: Callable[[str], Level | None] | None = None,
) -> Opened:
    """Verified and decrypted with the first of `keys` (16 bytes each, the current one first) that fits.

    `grade` maps the rules timestamp, old-key, encoding to levels. Raises Refusal: bad-signature,
    bad-timestamp, outside-window, bad-base64, cannot-decrypt, inner-not-json.
    """
    notes = _Notes(grade or _default_grade)
    _check_signature(envelope)
    _check_timestamp(envelope.timestamp, now_ms, window, notes)
    cipher = _decode(envelope.data)
    plaintext, value, index = _decrypt(cipher, keys)
    if index:
        notes.add("", "old-key", "仍在使用已轮换的旧 SM4 密钥", "请尽快改用新密钥，旧密钥到期后将无法解密")
    if plaintext.startswith(bounded_json.BOM):
        notes.add("data", "encoding", "解密后的 JSON 以 BOM 开头", "请发送不带 BOM 的 UTF-8", ("T06",))
    return Opened(plaintext, value, tuple(notes.found), index)


def verified(envelope: Envelope, now_ms: int, window: Window) -> bytes:
    """The cipher text of an envelope whose signature and timestamp hold. Raises Refusal, as `open_envelope`."""
    _check_signature(envelope)
    _check_timestamp(envelope.timestamp, now_ms, window, _Notes(_default_grade))
    return _decode(envelope.data)


def verify_encryption_type(value: str | None) -> None:
    """Absent = SM4; anything else is not defined (T05). Raises Refusal."""
    if value is not None and value.strip() and value.strip().upper() != "SM4":
        raise Refusal("unknown-encryption", value=shorten(value))


def sign(data: str, hospital_code: str, timestamp: str) -> str:
    """UPPER(hex(SHA-1(UTF-8 of the three values joined))), 三(一), T04."""
    running = hashlib.sha1(data.encode("utf-8", "surrogatepass"), usedforsecurity=False)
    running.update(f"{hospital_code}{timestamp}".encode("utf-8", "surrogatepass"))
    return running.hexdigest().upper()


def seal(payload: Mapping[str, Any] | bytes, hospital_code: str, key: bytes, now_s: int) -> dict[str, str]:
    """The request body for `payload` (a record, or its JSON in UTF-8), as strict as the
    standard prints it.
    """
    plain = payload if isinstance(payload, bytes) else orjson.dumps(payload)
    data = pybase64.b64encode(sm4.encrypt_ecb(key, plain)).decode("ascii")
    timestamp = str(now_s)
    return {
        "hospitalCode": hospital_code,
        "data": data,
        "timestamp": timestamp,
        "signature": sign(data, hospital_code, timestamp),
    }


class _Notes:
    def __init__(self, grade: Callable[[str], Level | None]) -> None:
        self.found: list[Finding] = []
        self._grade = grade

    def add(self, field: str, rule: str, problem: str, mend: str, traps: tuple[str, ...] = ()) -> None:
        level = self._grade(rule)
        if level is not None:
            self.found.append(Finding(field, _LABELS.get(field, ""), rule, level, problem, mend, traps))


_LABELS = {"timestamp": "时间戳", "signature": "签名", "data": "密文"}


def _default_grade(rule: str) -> Level | None:
    return Profile().grade("main_envelope", "", rule)


def _text(value: Any) -> str:
    """T03, T16: numbers are taken as their text."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or value is None:
        return ""
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e18:
        return str(int(value))
    return ""


def _check_signature(envelope: Envelope) -> None:
    sent = envelope.signature.strip().upper()
    if sent == sign(envelope.data, envelope.sent_code, envelope.timestamp):
        return
    bare = (envelope.data.translate(_WHITE), envelope.hospital_code, envelope.timestamp.strip())
    if sent != sign(*bare):
        raise Refusal("bad-signature", hospital_code=envelope.hospital_code)


def _check_timestamp(text: str, now_ms: int, window: Window, notes: _Notes) -> None:
    stamp = text.strip()
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= _MAX_TIMESTAMP_DIGITS):
        raise Refusal("bad-timestamp", value=shorten(stamp))
    seconds = int(stamp)
    if seconds >= _MILLISECONDS_FROM:
        seconds //= 1000
        notes.add("timestamp", "timestamp", "时间戳为毫秒", "请发送 10 位的秒级 Unix 时间", ("T03",))
    if window.mode == "off":
        return
    apart = seconds - now_ms // 1000
    if abs(apart) <= window.seconds:
        return
    if abs(abs(apart) - BEIJING_OFFSET) <= window.seconds:
        hours = "多" if apart > 0 else "少"
        mend = "请发送标准 Unix 时间（自 UTC 1970-01-01 00:00:00 起的秒数），不要加减 8 小时"
        notes.add("timestamp", "timestamp", f"时间戳{hours}了 8 小时", mend, ("T03",))
        return
    if window.mode == "refuse":
        raise Refusal("outside-window", seconds=abs(apart), window=window.seconds)
    problem = f"时间戳与平台时间相差 {abs(apart)} 秒"
    notes.add("timestamp", "timestamp", problem, "请校准发送方时钟", ("T03",))


def _decode(data: str) -> bytes:
    try:
        return pybase64.b64decode(data, validate=True)
    except ValueError:
        pass
    try:
        return pybase64.b64decode(data.translate(_WHITE), validate=True)
    except ValueError as error:
        raise Refusal("bad-base64") from error


def _decrypt(cipher: bytes, keys: Sequence[bytes]) -> tuple[bytes, Any, int]:
    detail = ""
    for index, key in enumerate(keys):
        try:
            plaintext = sm4.decrypt_ecb(key, cipher)
            return plaintext, bounded_json.load(plaintext), index
        except sm4.Sm4Error:
            continue
        except bounded_json.JsonError as error:
            detail = detail or str(error)
    raise Refusal("inner-not-json", detail=detail) if detail else Refusal("cannot-decrypt")
