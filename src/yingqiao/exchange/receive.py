"""A request body becomes a submission and an answer. The walk, in order:

1. parse the envelope; 2. find the hospital; 3. encryption type, signature, timestamp; 4. open with its keys;
5. one record; 6. take documents out; 7. validate everything; 8. columns. The first step that fails refuses.
Nothing here touches disk or network: the caller makes the submission durable and only then sends the answer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

import orjson

from yingqiao.exchange import documents
from yingqiao.exchange.envelope import Envelope, Opened, Window, open_envelope, parse, verify_encryption_type
from yingqiao.exchange.errors import Refusal
from yingqiao.exchange.judge import Judged, Part, judge
from yingqiao.exchange.model import BodyKind, Finding, Level, Outcome, Submission
from yingqiao.exchange.profile import Profile
from yingqiao.spec import Edition

MAX_CODE = 64
"""Characters kept of a claimed hospitalCode; a credit code has 18."""


@dataclass(frozen=True, slots=True)
class HospitalEntry:
    code: str
    name: str
    disabled: bool
    keys: tuple[bytes, ...]
    """SM4 keys of 16 bytes that may still be used, the current one first."""
    profile: Profile


class Hospitals(Protocol):
    def get(self, code: str) -> HospitalEntry | None: ...


@dataclass(frozen=True, slots=True)
class Policy:
    """What the installation decides for all hospitals."""

    keep_unknown: bool = False
    """Keep refused bodies that claim no registered hospital; the caller bounds how many."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`{"code", "message", "content"}`; code 1 = success, 0 = failure, an integer (T08)."""

    code: int
    message: str
    content: Any

    def to_json(self) -> bytes:
        return orjson.dumps({"code": self.code, "message": self.message, "content": self.content})


@dataclass(frozen=True, slots=True)
class Taken:
    submissions: tuple[Submission, ...]
    """To be made durable before `answer` is sent; empty when nothing is to be kept."""
    answer: Answer
    http_status: int


@dataclass(frozen=True, slots=True)
class Kept:
    """A submission as the ledger gives it back for replay."""

    id: int
    interface: str
    hospital_code: str
    peer: str
    received_at: int
    body_kind: BodyKind
    body: bytes
    digest: bytes


@dataclass(frozen=True, slots=True)
class _Request:
    interface: str
    peer: str
    received_at: int
    hospital_code: str
    body_kind: BodyKind
    body: bytes
    digest: bytes
    replay_of: int | None = None


class Receiver:
    """Takes requests of the interfaces whose request is a record. Thread-safe."""

    def __init__(self, edition: Edition, hospitals: Hospitals, policy: Policy | None = None) -> None:
        self._edition = edition
        self._hospitals = hospitals
        self._policy = policy or Policy()

    def take(
        self,
        interface_id: str,
        raw: bytes,
        *,
        peer: str,
        received_at: int,
        encryption_type: str | None = None,
    ) -> Taken:
        """A request body -> what to keep and what to answer. `received_at` in Unix ms. Never raises on any bytes."""
        request = _Request(interface_id, peer, received_at, "", BodyKind.ENVELOPE, raw, b"")
        try:
            envelope = parse(raw)
            request = replace(request, hospital_code=_clip(envelope.hospital_code))
            verify_encryption_type(encryption_type)
            entry = self._entry(envelope.hospital_code)
            opened = self._open(envelope, entry, received_at)
        except Refusal as refusal:
            code = request.hospital_code or _clip(refusal.hospital_code)
            return self._refuse(replace(request, hospital_code=code), refusal)
        request = replace(
            request, body_kind=BodyKind.RECORD, body=opened.plaintext, digest=_sha256(opened.plaintext)
        )
        return self._take_record(request, entry, opened.value, opened.findings, None)

    def retake(self, kept: Kept, received_at: int, load: Callable[[str], bytes | None]) -> Taken:
        """Decides a kept submission anew with today's keys and profile; `load` gives documents by digest.

        The timestamp is judged as of when the request first came.
        """
        if kept.body_kind is BodyKind.ENVELOPE:
            taken = self.take(kept.interface, kept.body, peer=kept.peer, received_at=kept.received_at)
            again = tuple(replace(s, received_at=received_at, replay_of=kept.id) for s in taken.submissions)
            return replace(taken, submissions=again)
        request = _Request(
            kept.interface,
            kept.peer,
            received_at,
            kept.hospital_code,
            kept.body_kind,
            kept.body,
            kept.digest,
            kept.id,
        )
        try:
            entry = self._entry(kept.hospital_code)
        except Refusal as refusal:
            return self._refuse(request, refusal)
        return self._take_record(request, entry, orjson.loads(documents.without_bom(kept.body)), (), load)

    def _entry(self, code: str) -> HospitalEntry:
        entry = self._hospitals.get(code)
        if entry is None:
            raise Refusal("unknown-hospital", code=_clip(code))
        if entry.disabled:
            raise Refusal("disabled-hospital", code=entry.code)
        return entry

    def _open(self, envelope: Envelope, entry: HospitalEntry, now_ms: int) -> Opened:
        def grade(rule: str) -> Level | None:
            return entry.profile.grade("main_envelope", "", rule)

        return open_envelope(envelope, entry.keys, now_ms, Window.of(entry.profile), grade)

    def _take_record(
        self,
        request: _Request,
        entry: HospitalEntry,
        value: Any,
        findings: tuple[Finding, ...],
        load: Callable[[str], bytes | None] | None,
    ) -> Taken:
        table = self._edition.interfaces[request.interface].request
        try:
            judged = judge(self._edition, entry.profile, entry.code, table, value, load)
        except Refusal as refusal:
            return self._refuse(request, refusal)
        judged = replace(judged, findings=(*findings, *judged.findings))
        body = documents.take_out(request.body, value, judged.taken)
        return self._decide(replace(request, body=body), judged)

    def _decide(self, request: _Request, judged: Judged) -> Taken:
        refused = [f for f in judged.findings if f.level is Level.REFUSE]
        if refused:
            message = self._edition.messages["validation-failed"].format(
                first=f"{refused[0].label or refused[0].field}（{refused[0].field}）{refused[0].problem}",
                count=len(refused),
            )
            return self._taken(
                request, Outcome.REFUSED, message, [_shown(f) for f in judged.findings], judged
            )
        warned = sum(f.level is Level.WARN for f in judged.findings)
        message = self._edition.messages["accepted-with-warnings" if warned else "accepted"].format(
            count=warned
        )
        receipt: dict[str, Any] = {part.key: part.identity for part in judged.parts}
        receipt["digest"] = request.digest.hex()
        if judged.findings:
            receipt["findings"] = [_shown(f) for f in judged.findings]
        return self._taken(request, Outcome.ACCEPTED, message, receipt, judged)

    def _taken(
        self, request: _Request, outcome: Outcome, message: str, content: Any, judged: Judged
    ) -> Taken:
        accepted = outcome is Outcome.ACCEPTED
        submission = replace(
            self._submission(request, outcome, message, judged.findings),
            exam=judged.exam if accepted else None,
            report=judged.report if accepted else None,
            documents=judged.documents,
        )
        return Taken((submission,), Answer(int(accepted), message, content), 200)

    def _refuse(self, request: _Request, refusal: Refusal) -> Taken:
        message = refusal.message(self._edition.messages)
        finding = Finding("", "", refusal.message_id, Level.REFUSE, message, _MEND)
        answer = Answer(0, message, [_shown(finding)])
        known = self._hospitals.get(request.hospital_code) is not None
        if not known and not self._policy.keep_unknown:
            return Taken((), answer, refusal.http_status)
        kept = request if request.digest else replace(request, digest=_sha256(request.body))
        submission = self._submission(kept, Outcome.REFUSED, message, (finding,))
        return Taken((submission,), answer, refusal.http_status)

    def _submission(
        self, request: _Request, outcome: Outcome, message: str, findings: tuple[Finding, ...]
    ) -> Submission:
        return Submission(
            interface=request.interface,
            hospital_code=request.hospital_code,
            received_at=request.received_at,
            peer=request.peer,
            outcome=outcome,
            message=message,
            findings=findings,
            body_kind=request.body_kind,
            body=request.body,
            digest=request.digest,
            edition=self._edition.id,
            replay_of=request.replay_of,
        )


_MEND = "请按提示修正请求后重新发送"


def _shown(finding: Finding) -> dict[str, str]:
    return {
        "field": finding.field,
        "label": finding.label,
        "rule": finding.rule,
        "level": finding.level.value,
        "problem": finding.problem,
        "mend": finding.mend,
    }


def _sha256(body: bytes) -> bytes:
    return hashlib.sha256(body).digest()


def _clip(code: str) -> str:
    return code.replace("\0", "")[:MAX_CODE]


__all__ = ["Answer", "HospitalEntry", "Hospitals", "Kept", "Part", "Policy", "Receiver", "Taken"]
