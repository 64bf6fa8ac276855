"""A hospital's system as the gateway asks it: /exam/get, /report/get, /series/get (四(二)3), answers as iterators.

Nobody knows how good the other side is: answers are bounded, and a listing ends even when the server ignores page
numbers, repeats itself, or always has another page (T102).
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, Self

import orjson

from yingqiao.client import protocol
from yingqiao.client.errors import AnswerTooLarge, ClientError
from yingqiao.client.limits import Limits
from yingqiao.client.pages import Pages
from yingqiao.client.patience import patiently
from yingqiao.client.questions import ExamQuestion, Question, ReportQuestion, SeriesQuestion, read_rows
from yingqiao.client.talk import Request, Response, Talk, spoken
from yingqiao.client.transport import BlockingTransport

Row = dict[str, Any]
PAGE_SIZE = 50
"""The standard's default (T101)."""
MAX_PAGES = 10_000
ANSWER_BYTES = 128 << 20
"""Fifty reports with their PDFs embedded."""


class EndlessListing(ClientError):  # noqa: N818 -- what it is
    """The server went on past the allowed number of pages: narrow the question, or its paging is broken."""

    def __init__(self, pages: int) -> None:
        super().__init__(f"翻到第 {pages} 页仍未结束：请缩小查询范围，或请院方检查分页")
        self.pages = pages


class Listing(Iterator[Row]):
    """The rows of an answer, page after page as they are taken. Raises ClientError in between; then what was given
    is true, and incomplete.
    """

    def __init__(self, system: HospitalSystem, question: Question, page_size: int) -> None:
        self.pages = Pages(page_size, until_empty=system.until_empty)
        self.oddities: list[str] = []
        """What is not as the standard has it, Chinese, each once."""
        self._rows = self._walk(system, question)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Row:
        return next(self._rows)

    def _walk(self, system: HospitalSystem, question: Question) -> Iterator[Row]:
        pages = self.pages
        while not pages.ended:
            if pages.asked >= system.max_pages:
                raise EndlessListing(pages.asked)
            try:
                rows = system.page(question, pages.number, pages.size)
            except AnswerTooLarge:
                if not pages.shrink():
                    raise
                self._odd(f"一页的应答太大，改为每页 {pages.size} 条")
                continue
            fresh, odd = pages.take(rows)
            for text in odd:
                self._odd(text)
            yield from fresh

    def _odd(self, text: str) -> None:
        if text not in self.oddities:
            self.oddities.append(text)


class HospitalSystem(BlockingTransport):
    """The query interfaces of one hospital; a context manager, for many questions, from many threads."""

    _peer: ClassVar[str] = "院方系统"

    def __init__(
        self,
        base_url: str,
        key: str | bytes | None = None,
        hospital_code: str = "",
        *,
        page_size: int = PAGE_SIZE,
        max_pages: int = MAX_PAGES,
        until_empty: bool = False,
        headers: Mapping[str, str] | None = None,
        limits: Limits = Limits(answer_bytes=ANSWER_BYTES),  # noqa: B008 -- frozen
        clock: Callable[[], float] = time.time,
        verify: bool | ssl.SSLContext = True,
        at: str = "",
    ) -> None:
        """`key`: the SM4 key agreed with the hospital, then questions go in the envelope of 三(一) under
        `hospital_code`; None = plain JSON (T100). `headers` are further ones agreed. With `until_empty` a short page
        does not end a listing, only an empty or repeated one: for servers that give less than asked. `at`: the only IP address
        that is connected to, whatever the name of `base_url` leads to meanwhile. Raises ValueError.
        """
        if page_size < 1:
            raise ValueError("每页至少 1 条")
        self.page_size, self.max_pages, self.until_empty = page_size, max_pages, until_empty
        self._key = protocol.parse_key(key) if key is not None else None
        self._hospital_code = hospital_code
        self._clock = clock
        sealed = {"encryption-type": "SM4"} if self._key else {}
        super().__init__(base_url, limits, verify, {**sealed, **(headers or {})}, at)

    def exams(self, question: ExamQuestion, *, page_size: int | None = None) -> Listing:
        """Exam records (五(一)) as the hospital has them. Nothing is asked before the first row is taken."""
        return Listing(self, question, page_size or self.page_size)

    def reports(self, question: ReportQuestion, *, page_size: int | None = None) -> Listing:
        """Report records (五(二))."""
        return Listing(self, question, page_size or self.page_size)

    def series(self, question: SeriesQuestion, *, page_size: int | None = None) -> Listing:
        """Series, with the members of /images/list."""
        return Listing(self, question, page_size or self.page_size)

    @spoken
    def page(self, question: Question, number: int, size: int) -> Talk[list[Row]]:
        """One page, `number` from 1. Raises Refused, RetryLater, Unreachable, Misunderstood, BadKey."""
        asked = question.to_json() | {"pageNum": number, "pageSize": size}

        def ask() -> Request:
            return Request(question.path, self._body(asked))

        def read(response: Response) -> list[Row]:
            return read_rows(response, self._key, self._clock())

        return patiently(self._limits, ask, read)

    def _body(self, asked: Mapping[str, Any]) -> bytes:
        if self._key is None:
            return orjson.dumps(asked)
        return protocol.request_body(asked, self._hospital_code, self._key, int(self._clock()))
