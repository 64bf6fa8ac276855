"""What the gateway asks of a hospital (四(二)3): requests read, sources asked. Without HTTP."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import structlog

from yingqiao.exchange.values import canonical_datetime, read_moment
from yingqiao.hospital.paging import Pages
from yingqiao.hospital.source import Question, Source, Table, Trouble
from yingqiao.hospital.spool.catalogue import find
from yingqiao.hospital.spool.store import Spool

log = structlog.get_logger(__name__)
_TEXT_AT_MOST = 4_000


class BadRequestError(Exception):
    """The request cannot be answered; the text is Chinese and goes to the caller."""


@dataclass(frozen=True, slots=True)
class SeriesQuestion:
    """/series/get. Days `yyyy-MM-dd`: `start` inclusive, `end` exclusive; None = any."""

    start: str | None = None
    end: str | None = None
    apply_id: str | None = None
    accessions: tuple[str, ...] = ()
    study_uid: str | None = None
    series_uid: str | None = None


class SeriesSource(Protocol):
    """Where series are known: a PACS, a folder."""

    def series(self, question: SeriesQuestion) -> Iterator[dict[str, Any]]:
        """Members of `content` (四(二)3), in a stable order. Raises SourceUnavailableError, BadRequestError."""


@dataclass(frozen=True, slots=True)
class Page:
    number: int
    size: int


def page_of(request: Mapping[str, Any], at_most: int) -> Page:
    """pageNum and pageSize, numbers or their text, 1 and 50 when absent (T101). Raises BadRequestError."""
    number, size = _number(request, "pageNum", 1), _number(request, "pageSize", 50)
    if number * size > 100_000_000:
        raise BadRequestError("pageNum 过大")
    return Page(number, min(size, at_most))


def question_of(table: Table, request: Mapping[str, Any]) -> Question:
    """Raises BadRequestError when a time cannot be read."""
    start, end = _moment(request, "startTime"), _moment(request, "endTime")
    if start and end and start > end:
        raise BadRequestError("startTime 晚于 endTime")
    return Question(
        table,
        start,
        end,
        apply_id=_text(request, "applyId"),
        patient_id=_text(request, "patientId") if table is Table.EXAM else None,
        report_id=_text(request, "reportId") if table is Table.REPORT else None,
    )


def series_question_of(request: Mapping[str, Any]) -> SeriesQuestion:
    """Raises BadRequestError when a day cannot be read."""
    accessions = (_text(request, "accessionNumber") or "").replace("，", ",").split(",")
    return SeriesQuestion(
        start=_day(request, "startTime"),
        end=_day(request, "endTime"),
        apply_id=_text(request, "applyId"),
        accessions=tuple(one.strip() for one in accessions if one.strip()),
        study_uid=_text(request, "studyInstanceUID"),
        series_uid=_text(request, "seriesInstanceUID"),
    )


def _text(request: Mapping[str, Any], name: str) -> str | None:
    value = request.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise BadRequestError(f"{name} 应为字符串")
    text = str(value).strip()
    if len(text) > _TEXT_AT_MOST:
        raise BadRequestError(f"{name} 过长")
    return text or None


def _number(request: Mapping[str, Any], name: str, default: int) -> int:
    text = _text(request, name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 9 and int(text)):
        raise BadRequestError(f"{name} 应为正整数")
    return int(text)


def _moment(request: Mapping[str, Any], name: str) -> str | None:
    text = _text(request, name)
    if text is None:
        return None
    moment = canonical_datetime(text)
    if not moment:
        raise BadRequestError(f"{name} 应为 yyyy-MM-dd HH:mm:ss")
    return moment


def _day(request: Mapping[str, Any], name: str) -> str | None:
    text = _text(request, name)
    if text is None:
        return None
    read = read_moment(text)
    if read is None:
        raise BadRequestError(f"{name} 应为 yyyy-MM-dd")
    return read[0].date().isoformat()


class Desk:
    """Answers questions from the sources that can be asked, then from what the others told."""

    def __init__(
        self,
        spool: Spool,
        sources: Sequence[Source],
        told_by: Sequence[str],
        series: SeriesSource | None,
        *,
        page_size_at_most: int,
    ) -> None:
        """`told_by` names the listeners: what they told is in the spool only."""
        self._spool, self._sources, self._told_by, self._series = spool, sources, told_by, series
        self._at_most = page_size_at_most
        self._pages = Pages()

    def records(self, table: Table, request: Mapping[str, Any]) -> list[dict[str, Any]]:
        """A page of /exam/get or /report/get. Raises BadRequestError, SourceUnavailableError, StoreError."""
        question, page = question_of(table, request), page_of(request, self._at_most)
        return self._pages.page(question, lambda: self._ask(question), page.number, page.size)

    def series(self, request: Mapping[str, Any]) -> list[dict[str, Any]]:
        """A page of /series/get. Raises as `records`."""
        question, page, source = series_question_of(request), page_of(request, self._at_most), self._series
        if source is None:
            raise BadRequestError("本院没有配置影像序列查询（[pacs] 或 [images] folder）")
        question = self._by_order(question)
        return self._pages.page(question, lambda: source.series(question), page.number, page.size)

    def close(self) -> None:
        self._pages.close()

    def _ask(self, question: Question) -> Iterator[dict[str, Any]]:
        for source in self._sources:
            for row in source.ask(question):
                if isinstance(row, Trouble):
                    log.info("queries.row_left_out", source=source.name, table=row.table.value)
                else:
                    yield dict(row.values)
        if self._told_by:
            yield from find(self._spool, question, self._told_by)

    def _by_order(self, question: SeriesQuestion) -> SeriesQuestion:
        """No PACS knows applyId: the order's exams tell the accession numbers."""
        if question.apply_id is None:
            return question
        exams = self._pages.page(
            ("order", question.apply_id),
            lambda: self._ask(Question(Table.EXAM, apply_id=question.apply_id)),
            1,
            1000,
        )
        found = {
            one.strip()
            for exam in exams
            for one in str(exam.get("accessionNumber") or "").split(",")
            if one.strip()
        }
        wanted = found & set(question.accessions) if question.accessions else found
        if not wanted:
            raise BadRequestError(f"没有申请单 {question.apply_id} 的检查，或它没有影像关联编号")
        return SeriesQuestion(
            question.start,
            question.end,
            None,
            tuple(sorted(wanted)),
            question.study_uid,
            question.series_uid,
        )
