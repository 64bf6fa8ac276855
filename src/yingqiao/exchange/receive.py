"""A request body becomes a submission and an answer. The walk, in order:

1. parse the envelope; 2. find the hospital; 3. encryption type, signature, timestamp; 4. open with its keys;
5. one record; 6. take documents out; 7. validate everything; 8. columns. The first step that fails refuses.
Nothing here touches disk or network: the caller makes the submission durable and only then sends the answer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

import orjson
from msgspec import Struct, structs

from yingqiao.exchange import bounded_json, documents
from yingqiao.exchange.conditions import is_audited
from yingqiao.exchange.envelope import Envelope, Opened, Window, open_envelope, parse, verify_encryption_type
from yingqiao.exchange.errors import Refusal
from yingqiao.exchange.images_list import Reach, nothing_registered, receipt, refusal_of
from yingqiao.exchange.judge import Judged, Load, judge
from yingqiao.exchange.model import (
    BodyKind,
    Document,
    ExamRow,
    Finding,
    ImageList,
    Level,
    Outcome,
    ReportRow,
    Submission,
)
from yingqiao.exchange.profile import Profile
from yingqiao.exchange.report_seals import JudgeSeals, NeedsTimeError, asked_before, seal_findings
from yingqiao.exchange.report_signature import MEND, RULE, judge_report
from yingqiao.signing.trust import NOTHING, Trust
from yingqiao.signing.verification.report import Indication
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
    reach: Reach = nothing_registered
    """Which addresses of its images lists may be fetched."""


class Hospitals(Protocol):
    def get(self, code: str) -> HospitalEntry | None: ...


@dataclass(frozen=True, slots=True)
class Policy:
    """What the installation decides for all hospitals."""

    keep_unknown: bool = False
    """Keep refused bodies that claim no registered hospital; the caller bounds how many."""


class Answer(Struct, frozen=True):
    """`{"code", "message", "content"}`; code 1 = success, 0 = failure, an integer (T08)."""

    code: int
    message: str
    content: Any

    def to_json(self) -> bytes:
        return orjson.dumps({"code": self.code, "message": self.message, "content": self.content})


class Question(Struct, frozen=True):
    """An opened request that asks for something and changes nothing."""

    hospital_code: str
    value: Any


class Taken(Struct, frozen=True):
    submissions: tuple[Submission, ...]
    """To be made durable before `answer` is sent; empty when nothing is to be kept."""
    answer: Answer
    http_status: int
    stranger: bool = False
    """Refused, and it claims no registered hospital: the caller bounds how much of that is kept."""


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


@dataclass(slots=True)
class _Request:
    """What is known so far of the request under way; each step of the walk adds to it."""

    interface: str
    peer: str
    received_at: int
    body: bytes
    body_kind: BodyKind = BodyKind.ENVELOPE
    hospital_code: str = ""
    digest: bytes = b""
    findings: tuple[Finding, ...] = ()
    replay_of: int | None = None
    at_once: bool = False
    """Nobody may wait: what takes seconds raises NeedsTimeError."""


class Receiver:
    """Takes requests of the interfaces whose request is a record. Thread-safe."""

    def __init__(
        self,
        edition: Edition,
        hospitals: Hospitals,
        policy: Policy | None = None,
        trust: Callable[[], Trust] = lambda: NOTHING,
        seals: JudgeSeals | None = None,
    ) -> None:
        """`trust`: whom reports' signatures are trusted by, asked when a profile has them judged at once; `seals`
        judges those on PDFs, None: not here.
        """
        self._edition = edition
        self._hospitals = hospitals
        self._policy = policy or Policy()
        self._trust = trust
        self._seals = seals

    def take(
        self,
        interface_id: str,
        raw: bytes,
        *,
        peer: str,
        received_at: int,
        encryption_type: str | None = None,
        at_once: bool = False,
    ) -> Taken:
        """A request body -> what to keep and what to answer. `received_at` in Unix ms.
        Never raises on any bytes, but for NeedsTimeError `at_once`.
        """
        request = _Request(interface_id, peer, received_at, raw, at_once=at_once)
        return self._take(request, encryption_type, received_at)

    def question(
        self, raw: bytes, *, received_at: int, encryption_type: str | None = None
    ) -> Question | Taken:
        """What a registered hospital asks, or the refusal; nothing of it is kept. Never raises."""
        try:
            envelope = parse(raw)
            entry = self._entry(envelope.hospital_code)
            verify_encryption_type(encryption_type)
            return Question(entry.code, self._open(envelope, entry, received_at).value)
        except Refusal as refusal:
            finding = refusal_finding(refusal, self._edition)
            return Taken((), Answer(0, finding.problem, [_shown(finding)]), refusal.http_status)

    def adopt(
        self, interface_id: str, hospital_code: str, record: bytes, *, origin: str, received_at: int
    ) -> Taken:
        """A record the gateway fetched from a registered hospital itself, judged like one that was pushed.

        `record`: its JSON; `origin` says in the ledger where it is from. Never raises on any bytes.
        """
        request = _Request(interface_id, origin, received_at, record, BodyKind.RECORD, hospital_code)
        request.digest = _sha256(record)
        try:
            return self._judge(request, self._entry(hospital_code), bounded_json.load(record), None)
        except bounded_json.JsonError as error:
            return self._refuse(request, Refusal("inner-not-json", detail=str(error)))
        except Refusal as refusal:
            return self._refuse(request, refusal)

    def retake(self, kept: Kept, received_at: int, load: Load) -> Taken:
        """Decides a kept submission anew with today's keys and profile; `load` gives documents by digest.

        The timestamp is judged as of when the request first came, the header as SM4.
        """
        request = _Request(
            kept.interface, kept.peer, received_at, kept.body, kept.body_kind, replay_of=kept.id
        )
        if kept.body_kind is BodyKind.ENVELOPE:
            return self._take(request, None, kept.received_at)
        request.hospital_code, request.digest = kept.hospital_code, kept.digest
        # A body that still is what was received had nothing taken out: a reference in it is the sender's own
        # words, and must not open another record's document.
        untouched = _sha256(kept.body) == kept.digest
        try:
            entry = self._entry(kept.hospital_code)
            return self._judge(request, entry, bounded_json.load(kept.body), None if untouched else load)
        except bounded_json.JsonError as error:
            return self._refuse(request, Refusal("inner-not-json", detail=str(error)))
        except Refusal as refusal:
            return self._refuse(request, refusal)

    def _take(self, request: _Request, encryption_type: str | None, now_ms: int) -> Taken:
        try:
            envelope = parse(request.body)
            request.hospital_code = _clip(envelope.hospital_code)
            entry = self._entry(envelope.hospital_code)
            verify_encryption_type(encryption_type)
            opened = self._open(envelope, entry, now_ms)
            request.body, request.body_kind = opened.plaintext, BodyKind.RECORD
            request.digest, request.findings = _sha256(opened.plaintext), opened.findings
            return self._judge(request, entry, opened.value, None)
        except Refusal as refusal:
            request.hospital_code = request.hospital_code or _clip(refusal.hospital_code)
            return self._refuse(request, refusal)

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

    def _judge(self, request: _Request, entry: HospitalEntry, value: Any, load: Load | None) -> Taken:
        table = self._edition.interfaces[request.interface].request
        judged = judge(self._edition, entry.profile, entry.code, table, value, load, entry.reach)
        request.body = documents.take_out(request.body, value, judged.taken)
        request.findings += judged.findings + self._signature(request, entry, judged)
        request.findings += self._sealed(request, entry, judged)
        refused = [f for f in request.findings if f.level is Level.REFUSE]
        return self._refuse_record(request, judged, refused) if refused else self._accept(request, judged)

    def _signature(self, request: _Request, entry: HospitalEntry, judged: Judged) -> tuple[Finding, ...]:
        """The report's signature, where the hospital's profile refuses a wrong one; else it is judged later."""
        if judged.report is None or not judged.report.signed:
            return ()
        if entry.profile.grade("report", "", RULE) is not Level.REFUSE:
            return ()
        part = next(part for part in judged.parts if part.table == "report")
        if not is_audited(part.validated.values):
            return ()
        at = datetime.fromtimestamp(request.received_at / 1000, UTC)
        report = judge_report(part.validated.values, self._trust(), at, entry.profile.verification)
        if report.indication is Indication.PASSED:
            return ()
        level = Level.REFUSE if report.indication is Indication.FAILED else Level.WARN
        return (Finding("SignValue", "CA 签名值", RULE, level, report.words, MEND, ("T66",)),)

    def _sealed(self, request: _Request, entry: HospitalEntry, judged: Judged) -> tuple[Finding, ...]:
        """The seals on the report's embedded PDF, where the profile refuses wrong ones; else they are judged later.

        Raises NeedsTimeError.
        """
        if self._seals is None or judged.report is None or not judged.report.pdf_object:
            return ()
        part = next(part for part in judged.parts if part.table == "report")
        if not asked_before(entry.profile) or not is_audited(part.validated.values):
            return ()
        if request.at_once:
            raise NeedsTimeError
        at = datetime.fromtimestamp(request.received_at / 1000, UTC)
        return seal_findings(judged, entry.profile, self._seals, at)

    def _refuse_record(self, request: _Request, judged: Judged, refused: list[Finding]) -> Taken:
        message = validation_message(self._edition, refused)
        submission = structs.replace(
            self._submission(request, Outcome.REFUSED, message, judged.documents),
            exam_key=judged.exam.ris_study_id if judged.exam else "",
            report_key=judged.report.record_num if judged.report else "",
        )
        return Taken((submission,), Answer(0, message, [_shown(f) for f in request.findings]), 200)

    def _accept(self, request: _Request, judged: Judged) -> Taken:
        message = validation_message(self._edition, request.findings)
        content: dict[str, Any] = {part.key: part.identity for part in judged.parts if part.key}
        content["digest"] = request.digest.hex()
        if judged.images is not None:
            content |= receipt(judged.images)
        if request.findings:
            content["findings"] = [_shown(f) for f in request.findings]
        outcome = Outcome.ACCEPTED
        if judged.images is not None and not judged.images.wanted:
            outcome, message = Outcome.REFUSED, refusal_of(judged.images)
        submission = self._submission(
            request, outcome, message, judged.documents, judged.exam, judged.report, judged.images
        )
        return Taken((submission,), Answer(int(outcome is Outcome.ACCEPTED), message, content), 200)

    def _refuse(self, request: _Request, refusal: Refusal) -> Taken:
        finding = refusal_finding(refusal, self._edition)
        message = finding.problem
        answer = Answer(0, message, [_shown(finding)])
        known = self._hospitals.get(request.hospital_code) is not None
        if not known and not self._policy.keep_unknown:
            return Taken((), answer, refusal.http_status)
        request.findings += (finding,)
        request.digest = request.digest or _sha256(request.body)
        submission = self._submission(request, Outcome.REFUSED, message, ())
        return Taken((submission,), answer, refusal.http_status, stranger=not known)

    def _submission(
        self,
        request: _Request,
        outcome: Outcome,
        message: str,
        papers: tuple[Document, ...],
        exam: ExamRow | None = None,
        report: ReportRow | None = None,
        images: ImageList | None = None,
    ) -> Submission:
        return Submission(
            interface=request.interface,
            hospital_code=request.hospital_code,
            received_at=request.received_at,
            peer=request.peer,
            outcome=outcome,
            message=message,
            findings=request.findings,
            body_kind=request.body_kind,
            body=request.body,
            digest=request.digest,
            edition=self._edition.id,
            exam=exam,
            report=report,
            documents=papers,
            replay_of=request.replay_of,
            images=images,
        )


_MEND = "请按提示修正请求后重新发送"


def validation_message(edition: Edition, findings: Sequence[Finding]) -> str:
    """What is answered to a record with these findings: taken, or refused with the first reason and how many."""
    refused = [f for f in findings if f.level is Level.REFUSE]
    if not refused:
        warned = sum(f.level is Level.WARN for f in findings)
        return edition.messages["accepted-with-warnings" if warned else "accepted"].format(count=warned)
    first = f"{refused[0].label or refused[0].field}（{refused[0].field}）{refused[0].problem}"
    message_id = "validation-failed" if len(refused) > 1 else "validation-failed-one"
    return edition.messages[message_id].format(first=first, count=len(refused))


def refusal_finding(refusal: Refusal, edition: Edition) -> Finding:
    """A refusal of the whole request, as a finding."""
    return Finding("", "", refusal.message_id, Level.REFUSE, refusal.message(edition.messages), _MEND)


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


__all__ = ["Answer", "HospitalEntry", "Hospitals", "Kept", "Policy", "Receiver", "Taken"]
