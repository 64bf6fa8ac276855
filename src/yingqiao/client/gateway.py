"""The two faces over one protocol: blocking and async. Connections are kept and reused; one object serves
many pushes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

import httpx

from yingqiao.client.answer import Answer
from yingqiao.client.errors import Unavailable
from yingqiao.client.protocol import (
    EXAM,
    HEADERS,
    IMAGES,
    IMAGES_STATUS,
    MERGED,
    REPORT,
    read_answer,
    request_body,
)

Record = Mapping[str, Any]
TIMEOUT = 30.0
"""Seconds for connecting, sending and receiving each; a commit takes milliseconds."""


class _Caller:
    """What both faces share: who calls, with which key, at what time."""

    def __init__(self, hospital_code: str, key: str | bytes, clock: Callable[[], float]) -> None:
        """`key` is the SM4 key: 32 hex digits or 16 bytes. Raises ValueError."""
        self.hospital_code = hospital_code
        self._key = bytes.fromhex(key) if isinstance(key, str) else key
        if len(self._key) != 16:
            raise ValueError("SM4 密钥应为 16 字节（32 位十六进制）")
        self._clock = clock

    def seal(self, record: Record) -> bytes:
        return request_body(record, self.hospital_code, self._key, int(self._clock()))


def _unreachable(error: httpx.TransportError) -> Unavailable:
    return Unavailable(f"无法与网关通信：{type(error).__name__} {error}".rstrip())


class Gateway:
    """Blocking face. Every push returns the accepted `Answer` or raises Refused, Unavailable or
    Misunderstood."""

    def __init__(
        self,
        base_url: str,
        hospital_code: str,
        key: str | bytes,
        *,
        timeout: float = TIMEOUT,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`base_url` like `http://host:port`; `key` as 32 hex digits or 16 bytes; `clock` gives Unix
        seconds."""
        self._caller = _Caller(hospital_code, key, clock)
        self._http = httpx.Client(base_url=base_url, headers=HEADERS, timeout=timeout, trust_env=False)

    def push_exam(self, exam: Record) -> Answer:
        """POST /exam-sync: one exam record (五(一))."""
        return self.post(EXAM, self._caller.seal(exam))

    def push_report(self, report: Record) -> Answer:
        """POST /report/sync: one report record (五(二))."""
        return self.post(REPORT, self._caller.seal(report))

    def push_merged(self, exam: Record, report: Record) -> Answer:
        """POST /examMergeReport-sync: both at once (四(二)2)."""
        return self.post(MERGED, self._caller.seal({"patient": exam, "report": report}))

    def push_images(self, series: Record) -> Answer:
        """POST /images/list: one series with the addresses of its files in FILEPATH (四(二)2(3)).

        The answer's content says how many were accepted, how many were there, and which are refused.
        """
        return self.post(IMAGES, self._caller.seal(series))

    def images_status(self, *, series_uid: str = "", study_uid: str = "") -> Answer:
        """POST /images/list/status: how far the files of a series or a study are. Refused when never sent."""
        return self.post(IMAGES_STATUS, self._caller.seal({"SERIESIUID": series_uid, "STUDYIUID": study_uid}))

    def post(self, path: str, body: bytes) -> Answer:
        """A body that is sealed already, as kept for sending again."""
        try:
            response = self._http.post(path, content=body)
        except httpx.TransportError as error:
            raise _unreachable(error) from error
        return read_answer(response.status_code, response.headers, response.content)

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncGateway:
    """Async face, otherwise as `Gateway`."""

    def __init__(
        self,
        base_url: str,
        hospital_code: str,
        key: str | bytes,
        *,
        timeout: float = TIMEOUT,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._caller = _Caller(hospital_code, key, clock)
        self._http = httpx.AsyncClient(base_url=base_url, headers=HEADERS, timeout=timeout, trust_env=False)

    async def push_exam(self, exam: Record) -> Answer:
        return await self.post(EXAM, self._caller.seal(exam))

    async def push_report(self, report: Record) -> Answer:
        return await self.post(REPORT, self._caller.seal(report))

    async def push_merged(self, exam: Record, report: Record) -> Answer:
        return await self.post(MERGED, self._caller.seal({"patient": exam, "report": report}))

    async def push_images(self, series: Record) -> Answer:
        return await self.post(IMAGES, self._caller.seal(series))

    async def images_status(self, *, series_uid: str = "", study_uid: str = "") -> Answer:
        return await self.post(
            IMAGES_STATUS, self._caller.seal({"SERIESIUID": series_uid, "STUDYIUID": study_uid})
        )

    async def post(self, path: str, body: bytes) -> Answer:
        try:
            response = await self._http.post(path, content=body)
        except httpx.TransportError as error:
            raise _unreachable(error) from error
        return read_answer(response.status_code, response.headers, response.content)

    async def aclose(self) -> None:
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()
