"""A gateway as a hospital or its vendor calls it: `Gateway` blocking, `AsyncGateway` async, one code path.

Connections are kept and reused; one object serves many calls, from many threads or tasks.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from typing import Any, ClassVar

from yingqiao.client import protocol, reconciliation
from yingqiao.client.answer import Answer, ListStatus, ListTaken, Reconciled
from yingqiao.client.errors import Invalid, WrongClock
from yingqiao.client.limits import Limits
from yingqiao.client.patience import patiently
from yingqiao.client.reconciliation import DayTotals
from yingqiao.client.talk import Request, Response, Talk, spoken
from yingqiao.client.transport import AsyncTransport, BlockingTransport
from yingqiao.client.validate import Checker

Record = Mapping[str, Any]
HEADERS = {"encryption-type": "SM4"}


class _Calls:
    """Every call, once. Each returns a typed answer or raises a `ClientError`.

    Refused (or BadKey, BadSignature, WrongClock, NotAdmitted, TooLarge): mend first; RetryLater, Unreachable,
    Misunderstood: send again later. RetryLater and Unreachable are met here by trying again, at most `Limits.tries`
    times: the standard's uploads insert or replace by key, a second copy of the same record changes nothing.
    """

    _peer: ClassVar[str] = "网关"
    hospital_code: str
    _key: bytes
    _clock: Callable[[], float]
    _limits: Limits
    _check: Checker | None
    _follow_clock: bool
    clock_offset: float
    """Seconds added to our clock in timestamps: how far the gateway's was found to be ahead (T03)."""

    @spoken
    def push_exam(self, exam: Record) -> Talk[Answer]:
        """POST /exam-sync: one exam record (五(一)), inserted or replaced by risStudyId."""
        return self._push(protocol.EXAM, exam)

    @spoken
    def push_report(self, report: Record) -> Talk[Answer]:
        """POST /report/sync: one report record (五(二)), inserted or replaced by recordNum."""
        return self._push(protocol.REPORT, report)

    @spoken
    def push_merged(self, exam: Record, report: Record | None) -> Talk[Answer]:
        """POST /examMergeReport-sync: both at once (四(二)1.(2)); None = the exam has no report (T26)."""
        return self._push(protocol.MERGED, {"patient": exam, "report": report or {}})

    @spoken
    def push_images_list(self, series: Record) -> Talk[ListTaken]:
        """POST /images/list: one series with the addresses of its files in FILEPATH (四(二)2.(3))."""
        answer = yield from self._push(protocol.IMAGES, series)
        return ListTaken(answer.code, answer.message, answer.content, answer.findings, answer.status)

    @spoken
    def list_status(self, *, series_uid: str = "", study_uid: str = "") -> Talk[ListStatus]:
        """POST /images/list/status: how far the files of a series or a study are. Refused when never sent."""
        asked = {"SERIESIUID": series_uid, "STUDYIUID": study_uid}
        answer = yield from self._sealed(protocol.IMAGES_STATUS, asked)
        return ListStatus(answer.code, answer.message, answer.content, answer.findings, answer.status)

    @spoken
    def reconcile(
        self, day: date | str, totals: Iterable[DayTotals], *, name_hospital: bool = False
    ) -> Talk[Reconciled]:
        """POST /statisticalData/upload: the exams of a day; the answer names those the platform lacks (四(二)5).

        `day` in Beijing time; `name_hospital` puts hospitalCode beside the content for platforms that want it (T150).
        """
        body = reconciliation.request_body(
            self.hospital_code, day, totals, self._key, name_hospital=name_hospital
        )
        return patiently(
            self._limits,
            lambda: Request(protocol.RECONCILIATION, body),
            lambda response: reconciliation.read_answer(response, self._key, self._clock()),
        )

    @spoken
    def push(self, interface: protocol.Interface, payload: Record) -> Talk[Answer]:
        """Whichever of the four (`protocol.EXAM`, `REPORT`, `MERGED`, `IMAGES`); of a merged upload both members."""
        return self._push(interface, payload)

    @spoken
    def send(self, path: str, body: bytes) -> Talk[Answer]:
        """A body that is sealed already, once: what it says of time and key stays as it is."""
        response: Response = yield Request(path, body)
        return self._read(response)

    def seal(self, record: Record) -> bytes:
        """The request body for a record, as of now (三(一))."""
        now = int(self._clock() + self.clock_offset)
        return protocol.request_body(record, self.hospital_code, self._key, now)

    def _push(self, interface: protocol.Interface, record: Record) -> Talk[Answer]:
        if self._check is not None:
            checked = self._check.check(interface.id, record)
            if not checked.accepted:
                raise Invalid(checked)
        return (yield from self._sealed(interface.path, record))

    def _sealed(self, path: str, record: Record) -> Talk[Answer]:
        return self._by_our_clock(lambda: Request(path, self.seal(record)))

    def _by_our_clock(self, ask: Callable[[], Request]) -> Talk[Answer]:
        """Once more by the gateway's clock when it refuses ours and says what it is."""
        try:
            return (yield from patiently(self._limits, ask, self._read))
        except WrongClock as error:
            if not self._follow_clock or error.ahead is None:
                raise
            self.clock_offset = error.ahead
        return (yield from patiently(self._limits, ask, self._read))

    def _read(self, response: Response) -> Answer:
        return protocol.read_answer(response, self._clock())

    def _set(
        self,
        hospital_code: str,
        key: str | bytes,
        limits: Limits,
        clock: Callable[[], float],
        check: Checker | None,
        *,
        follow_clock: bool,
    ) -> None:
        self.hospital_code = hospital_code
        self._key = protocol.parse_key(key)
        self._limits = limits
        self._clock = clock
        self._check = check
        self._follow_clock = follow_clock
        self.clock_offset = 0.0


class Gateway(_Calls, BlockingTransport):
    """Blocking face; a context manager."""

    def __init__(
        self,
        base_url: str,
        hospital_code: str,
        key: str | bytes,
        *,
        limits: Limits = Limits(),  # noqa: B008 -- frozen
        check: Checker | None = None,
        clock: Callable[[], float] = time.time,
        follow_clock: bool = True,
        verify: bool | ssl.SSLContext = True,
    ) -> None:
        """`base_url` like `http://host:port`; `key` is the SM4 key, 32 hex digits or 16 bytes.

        `check`: records it refuses are not sent. `clock` gives Unix seconds. With `follow_clock`, a request refused
        for its timestamp is sent once more by the gateway's clock, when its answer tells it. `verify` as in
        httpx, for https. Raises ValueError.
        """
        self._set(hospital_code, key, limits, clock, check, follow_clock=follow_clock)
        BlockingTransport.__init__(self, base_url, limits, verify, HEADERS)


class AsyncGateway(_Calls, AsyncTransport):
    """Async face (asyncio), otherwise as `Gateway`: `await` every call."""

    def __init__(
        self,
        base_url: str,
        hospital_code: str,
        key: str | bytes,
        *,
        limits: Limits = Limits(),  # noqa: B008 -- frozen
        check: Checker | None = None,
        clock: Callable[[], float] = time.time,
        follow_clock: bool = True,
        verify: bool | ssl.SSLContext = True,
    ) -> None:
        self._set(hospital_code, key, limits, clock, check, follow_clock=follow_clock)
        AsyncTransport.__init__(self, base_url, limits, verify, HEADERS)
