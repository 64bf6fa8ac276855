"""Reconciliation (四(二)5): who sent a statement, what to keep, what to answer. Pure.

The body names no hospital (T150): the one is found whose key opens it, and which it names inside.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import orjson
import pybase64

from yingqiao.exchange import bounded_json, envelope
from yingqiao.exchange.errors import Refusal
from yingqiao.exchange.model import BodyKind, Finding, Level, Outcome, Submission
from yingqiao.exchange.receive import MAX_CODE, HospitalEntry, Kept
from yingqiao.exchange.statement import (
    CLASSES,
    MAX_NODES,
    Counts,
    Statement,
    StatementError,
    read_statement,
)
from yingqiao.exchange.values import text_of
from yingqiao.gm import sm4

INTERFACE = "statisticalData-upload"
MAX_KEYS = 4096
"""Keys tried on one body; with more registered the sender must say its hospitalCode."""
SUCCESS, FAILURE = "0", "-1"
"""T151: 0 is success here, unlike in the main interfaces."""
_HEADS = (b"{", b"[", b" ", b"\t", b"\r", b"\n", bounded_json.BOM)
_WHITE = str.maketrans("", "", " \t\r\n")
_MEND = "请核对 SM4 密钥、加密方式与内容格式后重新发送"


class Directory(Protocol):
    """The registered hospitals."""

    def get(self, code: str) -> HospitalEntry | None: ...

    def entries(self) -> Sequence[HospitalEntry]:
        """All, always in the same order."""


@dataclass(frozen=True, slots=True)
class TakenStatement:
    """A statement as decided, before anything is compared or kept."""

    submission: Submission | None
    """To be made durable before the answer is sent; None = a sender nobody knows, and not to be kept."""
    statement: Statement | None = None
    """None when refused."""
    key: bytes = b""
    message: str = ""
    """Why it was refused."""
    stranger: bool = False
    http_status: int = 200


@dataclass(frozen=True, slots=True)
class Line:
    """One class of imaging of a day: what the hospital said, what the gateway has."""

    imaging: str
    name: str
    said: Counts | None
    """None = the hospital did not speak of it."""
    found: Counts

    @property
    def agrees(self) -> bool:
        if self.said is None:
            return self.found.exams == 0
        pairs = ((self.said.images, self.found.images), (self.said.reports, self.found.reports))
        return self.said.exams == self.found.exams and all(
            said is None or said == found for said, found in pairs
        )


class StatementReceiver:
    """Takes bodies of `/statisticalData/upload`. Thread-safe; never raises on any bytes."""

    def __init__(
        self,
        edition_id: str,
        messages: Mapping[str, str],
        hospitals: Directory,
        *,
        keep_unknown: bool = False,
    ) -> None:
        self._edition = edition_id
        self._messages = messages
        self._hospitals = hospitals
        self._keep_unknown = keep_unknown

    def take(self, raw: bytes, *, peer: str, received_at: int, claimed: str = "") -> TakenStatement:
        """A request body -> what to keep. `claimed`: a hospitalCode said beside the body, '' = none."""
        base = _Base(peer, received_at, self._edition)
        try:
            opened = self._open(raw, claimed, received_at)
        except Refusal as refusal:
            return self._unopened(base, raw, refusal)
        return _judged(base, opened)

    def retake(self, kept: Kept, received_at: int) -> TakenStatement:
        """Decides a kept one anew, with today's keys."""
        if kept.body_kind is BodyKind.ENVELOPE:
            base = _Base(kept.peer, received_at, self._edition, kept.id)
            try:
                return _judged(base, self._open(kept.body, kept.hospital_code, kept.received_at))
            except Refusal as refusal:
                return self._unopened(base, kept.body, refusal)
        base = _Base(kept.peer, received_at, self._edition, kept.id)
        entry = self._hospitals.get(kept.hospital_code)
        if entry is None:
            return self._unopened(base, kept.body, Refusal("unknown-hospital", code=kept.hospital_code))
        key = entry.keys[0] if entry.keys else b""
        return _judged(base, _Opened(entry, key, kept.body))

    def _open(self, raw: bytes, claimed: str, now_ms: int) -> _Opened:
        """Raises Refusal."""
        try:
            said = bounded_json.load_outer(raw)
        except bounded_json.JsonError as error:
            raise Refusal("not-json", detail=str(error)) from error
        if not isinstance(said, dict):
            raise Refusal("not-object")
        if "data" in said and "signature" in said:
            return self._from_envelope(raw, now_ms)
        content = said.get("content")
        if not isinstance(content, str) or not content.strip():
            raise Refusal("missing-member", name="content")
        code = (text_of(said.get("hospitalCode")) or claimed).strip()
        try:
            cipher = pybase64.b64decode(content.translate(_WHITE), validate=True)
        except ValueError as error:
            raise Refusal("bad-base64", hospital_code=code[:MAX_CODE]) from error
        return self._by_code(cipher, code) if code else self._by_trial(cipher)

    def _from_envelope(self, raw: bytes, now_ms: int) -> _Opened:
        """The standard envelope is taken too (T150)."""
        parsed = envelope.parse(raw)
        entry = self._entry(parsed.hospital_code)
        cipher = envelope.verified(parsed, now_ms, envelope.Window.of(entry.profile))
        return self._by_code(cipher, entry.code)

    def _entry(self, code: str) -> HospitalEntry:
        entry = self._hospitals.get(code)
        if entry is None:
            raise Refusal("unknown-hospital", hospital_code=code[:MAX_CODE], code=code[:MAX_CODE])
        if entry.disabled:
            raise Refusal("disabled-hospital", hospital_code=entry.code, code=entry.code)
        return entry

    def _by_code(self, cipher: bytes, code: str) -> _Opened:
        entry = self._entry(code)
        for key in entry.keys:
            plain = _decrypted(cipher, key)
            if plain is not None:
                return _Opened(entry, key, plain)
        raise Refusal("cannot-decrypt", hospital_code=entry.code)

    def _by_trial(self, cipher: bytes) -> _Opened:
        """The hospital whose key opens it and which it names; all keys are looked at, in one order, always."""
        candidates = [(entry, key) for entry in self._hospitals.entries() for key in entry.keys]
        if len(candidates) > MAX_KEYS:
            raise Refusal("missing-member", name="hospitalCode")
        fitting = [(entry, key) for entry, key in candidates if _may_open(cipher, key)]
        for entry, key in fitting:
            plain = _decrypted(cipher, key)
            if plain is None or not _names(plain, entry):
                continue
            if entry.disabled:
                raise Refusal("disabled-hospital", hospital_code=entry.code, code=entry.code)
            return _Opened(entry, key, plain)
        raise Refusal("cannot-decrypt")

    def _unopened(self, base: _Base, raw: bytes, refusal: Refusal) -> TakenStatement:
        message = refusal.message(self._messages).replace("data ", "content ")
        known = self._hospitals.get(refusal.hospital_code) is not None if refusal.hospital_code else False
        finding = Finding("", "", refusal.message_id, Level.REFUSE, message, _MEND)
        submission = base.submission(
            refusal.hospital_code, Outcome.REFUSED, message, (finding,), BodyKind.ENVELOPE, raw
        )
        keep = known or self._keep_unknown
        return TakenStatement(
            submission if keep else None,
            message=message,
            stranger=not known,
            http_status=refusal.http_status,
        )


@dataclass(frozen=True, slots=True)
class _Opened:
    entry: HospitalEntry
    key: bytes
    plain: bytes


@dataclass(frozen=True, slots=True)
class _Base:
    """What every submission of one request shares."""

    peer: str
    received_at: int
    edition: str
    replay_of: int | None = None

    def submission(
        self,
        code: str,
        outcome: Outcome,
        message: str,
        findings: tuple[Finding, ...],
        kind: BodyKind,
        body: bytes,
    ) -> Submission:
        return Submission(
            interface=INTERFACE,
            hospital_code=code.replace("\0", "")[:MAX_CODE],
            received_at=self.received_at,
            peer=self.peer,
            outcome=outcome,
            message=message,
            findings=findings,
            body_kind=kind,
            body=body,
            digest=hashlib.sha256(body).digest(),
            edition=self.edition,
            replay_of=self.replay_of,
        )


def _judged(base: _Base, opened: _Opened) -> TakenStatement:
    code = opened.entry.code
    try:
        statement = read_statement(bounded_json.load(opened.plain, MAX_NODES))
        _check_hospital(statement.hospital_code, opened.entry)
    except (bounded_json.JsonError, StatementError) as error:
        message = str(error)
        finding = Finding("content", "请求参数", "type", Level.REFUSE, message, _MEND)
        kept = base.submission(code, Outcome.REFUSED, message, (finding,), BodyKind.RECORD, opened.plain)
        return TakenStatement(kept, key=opened.key, message=message)
    findings = tuple(_finding(text) for text in oddities(statement))
    kept = base.submission(code, Outcome.ACCEPTED, "", findings, BodyKind.RECORD, opened.plain)
    return TakenStatement(kept, statement, opened.key)


def _check_hospital(inner: str, entry: HospitalEntry) -> None:
    if inner and inner != entry.code and inner not in entry.profile.group:
        raise StatementError(f"hospitalCode（{inner[:MAX_CODE]}）不是密钥所属的医疗机构 {entry.code}（T17）")


def _may_open(cipher: bytes, key: bytes) -> bool:
    """Whether a key may have made it, by two of its blocks: one wrong key in a thousand passes."""
    if not cipher or len(cipher) % sm4.BLOCK:
        return False
    ends = sm4.decrypt_blocks(key, cipher[: sm4.BLOCK] + cipher[-sm4.BLOCK :])
    return ends.startswith(_HEADS) and 1 <= ends[-1] <= sm4.BLOCK


def _decrypted(cipher: bytes, key: bytes) -> bytes | None:
    try:
        plain = sm4.decrypt_ecb(key, cipher)
    except sm4.Sm4Error:
        return None
    return plain if plain.lstrip().startswith((b"{", b"[", bounded_json.BOM)) else None


def _names(plain: bytes, entry: HospitalEntry) -> bool:
    """Whether what was opened speaks of this hospital: two may have been given the same key."""
    try:
        said = bounded_json.load_outer(plain)
    except bounded_json.JsonError:
        return False
    if isinstance(said, list) and len(said) == 1:
        said = said[0]
    inner = text_of(said.get("hospitalCode")) if isinstance(said, dict) else None
    return inner == entry.code or (bool(inner) and inner in entry.profile.group)


def _finding(text: str) -> Finding:
    return Finding("examInfo", "检查信息", "conflict", Level.WARN, text, "请核对统计口径", ("T155",))


def oddities(statement: Statement) -> list[str]:
    """What contradicts itself in a statement (T155), Chinese."""
    found: list[str] = []
    for group in statement.groups:
        name = group.sent_type or CLASSES[group.imaging]
        if group.repeated:
            found.append(f"{name}：study_uids 有 {group.repeated} 个重复，已去重")
        if group.counts.exams != len(group.ids):
            found.append(f"{name}：pushExamNum 为 {group.counts.exams}，study_uids 有 {len(group.ids)} 个")
    return found


def compare(statement: Statement, found: Mapping[str, Counts]) -> tuple[Line, ...]:
    """The day's classes of imaging, side by side; `found`: the ledger's counts by code of CLASSES."""
    said = statement.by_class()
    return tuple(
        Line(code, name, said.get(code), found.get(code, Counts(0, 0, 0)))
        for code, name in CLASSES.items()
        if code in said or found.get(code, Counts()).exams
    )


def words(statement: Statement, lines: Iterable[Line], missing: int) -> str:
    """The answer's message."""
    said = [f"缺少 {missing} 个检查，请补传" if missing else "SUCCESS"]
    said += oddities(statement)
    for line in lines:
        if not line.agrees:
            theirs = shown(line.said) if line.said else "未报"
            said.append(f"{line.name}：医院 {theirs}，平台 {shown(line.found)}")
    return "；".join(said)


def shown(counts: Counts) -> str:
    """Counts in words."""
    parts = ((counts.exams, "检查"), (counts.images, "影像"), (counts.reports, "报告"))
    return "".join(f"{name} {count} " for count, name in parts if count is not None).strip()


def unlisted(ledger: Iterable[tuple[str, str, str]], listed: Collection[str]) -> Iterator[str]:
    """risStudyIds of the ledger that the hospital's list does not have, under any of their names (T154).

    `ledger` gives (risStudyId, study UIDs, accession numbers), the lists as kept (`,a,b,`); it streams.
    """
    for ris_study_id, study_uids, accessions in ledger:
        if ris_study_id in listed:
            continue
        names = (*study_uids.split(","), *accessions.split(","))
        if not any(name in listed for name in names if name):
            yield ris_study_id


def answer(
    status: str, message: str, missing: Sequence[str], key: bytes, *, as_object: bool = False
) -> bytes:
    """The answer's body: `data` = Base64(SM4(JSON of the missing ids)), '' when none is (T157)."""
    data = ""
    if missing and key:
        value: Any = {"study_uids": missing} if as_object else list(missing)
        data = pybase64.b64encode(sm4.encrypt_ecb(key, orjson.dumps(value))).decode("ascii")
    return orjson.dumps({"status": status, "message": message, "data": data})


def read_missing(data: str, key: bytes) -> tuple[str, ...]:
    """The ids an answer's `data` lists: array, object or '' (T157). Raises ValueError, Sm4Error."""
    if not data.strip():
        return ()
    value = bounded_json.load(
        sm4.decrypt_ecb(key, pybase64.b64decode(data.translate(_WHITE), validate=True)), MAX_NODES
    )
    if isinstance(value, dict):
        value = next((member for name, member in value.items() if name.lower() == "study_uids"), [])
    return tuple(str(item) for item in value) if isinstance(value, list) else ()
