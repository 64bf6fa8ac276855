"""Expected and present numbers of images, as shown: who told, when, and which series lack what."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, exists, func, or_, select

from yingqiao.exchange.completeness import (
    COMPLETENESS_FINDING_NAMES,
    IMAGES_STATE_NAMES,
    SOURCE_NAMES,
    Completeness,
    ImagesState,
    in_words,
)
from yingqiao.store.schema import exam_studies, exams, studies

_IN_SIZE = 800


class GapShown(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`series_uid` '': missing of the study, nobody said in which series."""

    series_uid: str
    expected: int
    present: int
    missing: int


class ToldShown(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A number of images somebody told of the study."""

    source: str
    """pacs | images-list | commitment"""
    source_name: str
    origin: str
    hospital_code: str
    expected: int
    told_at: int
    believed: bool


class StudyImages(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How complete a study is, and by whose word. `expected` None: nobody told."""

    study_uid: str
    state: str
    state_name: str
    expected: int | None
    present: int
    missing: int
    words: str
    """In Chinese, for people."""
    gaps: tuple[GapShown, ...]
    told: tuple[ToldShown, ...]
    """The believed one first."""
    findings: tuple[str, ...]
    finding_names: tuple[str, ...]
    last_received_at: int | None


def study_images(study_uid: str, found: Completeness) -> StudyImages:
    """A judgement as shown."""
    return StudyImages(
        study_uid=study_uid,
        state=str(found.state),
        state_name=IMAGES_STATE_NAMES[found.state],
        expected=found.expected,
        present=found.present,
        missing=found.missing,
        words=in_words(found),
        gaps=tuple(
            GapShown(series_uid=g.series_uid, expected=g.expected, present=g.present, missing=g.missing)
            for g in found.gaps
        ),
        told=_told(found),
        findings=found.findings,
        finding_names=tuple(COMPLETENESS_FINDING_NAMES[finding] for finding in found.findings),
        last_received_at=found.last_received_at,
    )


def _told(found: Completeness) -> tuple[ToldShown, ...]:
    return tuple(
        ToldShown(
            source=str(telling.source),
            source_name=SOURCE_NAMES[telling.source],
            origin=telling.origin,
            hospital_code=telling.hospital_code,
            expected=telling.expected,
            told_at=telling.told_at,
            believed=telling is found.believed,
        )
        for telling in found.tellings
    )


def exam_state(
    present: int, expected: int | None, missing: int | None, last: int | None, now: int, stable_after: int
) -> ImagesState | None:
    """The state of an exam's images by its columns and the last arrival; None: there are none and nobody
    told of any."""
    if not present and not missing:
        return None
    if present and last is not None and now - last < stable_after:
        return ImagesState.GROWING
    if missing is None or expected is None:
        return ImagesState.UNKNOWN
    if missing:
        return ImagesState.SHORT
    return ImagesState.OVER if present > expected else ImagesState.COMPLETE


def exams_in(state: ImagesState, now: int, stable_after: int) -> ColumnElement[bool]:
    """The condition for `exam_state` to be this."""
    c = exams.c
    joined = exam_studies.join(studies, studies.c.id == exam_studies.c.study_id)
    recent = and_(
        c.image_count > 0,
        exists()
        .select_from(joined)
        .where(exam_studies.c.exam_id == c.id, studies.c.updated_at > now - stable_after),
    )
    known = {
        ImagesState.GROWING: recent,
        ImagesState.SHORT: and_(c.image_missing > 0, ~recent),
        ImagesState.UNKNOWN: and_(
            c.image_count > 0, or_(c.image_missing.is_(None), c.image_expected.is_(None)), ~recent
        ),
        ImagesState.OVER: and_(c.image_missing == 0, c.image_count > c.image_expected, ~recent),
        ImagesState.COMPLETE: and_(
            c.image_missing == 0, c.image_count <= c.image_expected, c.image_count > 0, ~recent
        ),
    }
    return known[state]


def last_arrivals(connection: Connection, exam_ids: Sequence[int]) -> dict[int, int]:
    """Exam id -> when the last instance of its studies came, Unix ms."""
    found: dict[int, int] = {}
    for part in _parts(exam_ids):
        statement = (
            select(exam_studies.c.exam_id, func.max(studies.c.updated_at))
            .join(studies, studies.c.id == exam_studies.c.study_id)
            .where(exam_studies.c.exam_id.in_(part))
            .group_by(exam_studies.c.exam_id)
        )
        found |= dict(connection.execute(statement).all())
    return found


def _parts(ids: Sequence[int]) -> Iterable[Sequence[int]]:
    return (ids[start : start + _IN_SIZE] for start in range(0, len(ids), _IN_SIZE))
