"""Storage commitment (PS3.4 annex J): what is committed, what is not and why, what it says of numbers. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from yingqiao.exchange.completeness import Expectation, Source


class Unavailable(Exception):  # noqa: N818 not a fault of the request
    """The ledger of requests cannot be read or written now."""


class FailureReason(IntEnum):
    """Failure Reason (0008,1197) of an instance that is not committed (PS3.3 C.14)."""

    PROCESSING_FAILURE = 0x0110
    """It came, but its bytes are not where they were kept."""
    NO_SUCH_OBJECT_INSTANCE = 0x0112
    CLASS_INSTANCE_CONFLICT = 0x0119
    """It is here, of another SOP class."""


FAILURE_NAMES = {
    FailureReason.PROCESSING_FAILURE: "索引中有，但保存的文件读不到",
    FailureReason.NO_SUCH_OBJECT_INSTANCE: "没有收到这个实例",
    FailureReason.CLASS_INSTANCE_CONFLICT: "已收到，但 SOP 类与请求的不同",
}


class Reference(NamedTuple):
    """One instance a request names."""

    sop_class_uid: str
    sop_instance_uid: str


class Failure(NamedTuple):
    reference: Reference
    reason: FailureReason


class Known(NamedTuple):
    """One content kept under a SOP Instance UID."""

    sop_class_uid: str
    series_uid: str
    study_uid: str
    is_readable: bool
    """The landing file that holds it is there."""
    is_shown: bool


@dataclass(frozen=True, slots=True)
class Asked:
    """A storage commitment request as it came (N-ACTION, PS3.4 J.3.2)."""

    transaction_uid: str
    requester_aet: str
    called_aet: str
    """Ours, as the requester called us: it is told by this title."""
    peer: str
    """The requester's IP address."""
    received_at: int
    """Unix ms."""
    references: tuple[Reference, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer to a request (N-EVENT-REPORT, PS3.4 J.3.3)."""

    committed: tuple[Reference, ...]
    failed: tuple[Failure, ...]

    @property
    def event_type(self) -> int:
        """1 request successful, 2 complete, failures exist (PS3.4 table J.3-2)."""
        return 2 if self.failed else 1


def judge(references: Iterable[Reference], known: Mapping[str, Sequence[Known]]) -> Verdict:
    """What is committed: durable, indexed, readable, of the class named. `known`: by SOP Instance UID."""
    committed: list[Reference] = []
    failed: list[Failure] = []
    for reference in references:
        reason = _why_not(reference, known.get(reference.sop_instance_uid, ()))
        if reason is None:
            committed.append(reference)
        else:
            failed.append(Failure(reference, reason))
    return Verdict(tuple(committed), tuple(failed))


def _why_not(reference: Reference, contents: Sequence[Known]) -> FailureReason | None:
    if not contents:
        return FailureReason.NO_SUCH_OBJECT_INSTANCE
    of_class = [one for one in contents if one.sop_class_uid == reference.sop_class_uid]
    if not of_class:
        return FailureReason.CLASS_INSTANCE_CONFLICT
    return None if any(one.is_readable for one in of_class) else FailureReason.PROCESSING_FAILURE


def expectations(
    asked: Asked,
    hospital_code: str,
    known: Mapping[str, Sequence[Known]],
    present: Mapping[str, Mapping[str, int]],
) -> list[Expectation]:
    """What a request says of numbers of images: so many its sender wants safe, so many there are.

    By series, of those known; with the unknown ones as the study's total when all known ones are of one
    study. A request that names fewer than are here names a part, and says nothing. `present`: study UID ->
    series UID -> instances here.
    """
    uids = {reference.sop_instance_uid for reference in asked.references}
    places = [_place(known[uid]) for uid in sorted(uids) if known.get(uid)]
    told = Counter(places)
    studies = {study_uid for study_uid, _ in places}
    found = [
        _expectation(asked, hospital_code, study_uid, series_uid, count)
        for (study_uid, series_uid), count in sorted(told.items())
        if count >= present.get(study_uid, {}).get(series_uid, 0)
    ]
    if len(studies) == 1 and len(places) < len(uids):
        (study_uid,) = studies
        if len(uids) >= sum(present.get(study_uid, {}).values()):
            found.append(_expectation(asked, hospital_code, study_uid, "", len(uids)))
    return found


def _place(contents: Sequence[Known]) -> tuple[str, str]:
    shown = next((one for one in contents if one.is_shown), contents[0])
    return shown.study_uid, shown.series_uid


def _expectation(
    asked: Asked, hospital_code: str, study_uid: str, series_uid: str, count: int
) -> Expectation:
    return Expectation(
        study_uid, series_uid, Source.COMMITMENT, asked.requester_aet, count, asked.received_at, hospital_code
    )
