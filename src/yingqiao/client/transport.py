"""Sending over HTTP, blocking and async: connections kept and reused, answers bounded in size and time."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import httpx

from yingqiao.client.errors import AnswerTooLarge, ClientError, Misunderstood, Unreachable
from yingqiao.client.talk import Pause, Request, Response, T, Talk

HEADERS = {"Content-Type": "application/json", "Accept-Encoding": "identity"}


@dataclass(frozen=True, slots=True)
class Limits:
    """How long, how large, how often. Seconds and bytes."""

    connect: float = 10.0
    silence: float = 30.0
    """Longest wait for the next bytes; a gateway's commit takes milliseconds."""
    whole: float = 120.0
    """Longest time for one request and its answer."""
    answer_bytes: int = 16 << 20
    tries: int = 3
    """Attempts of one call when the other side is away or says later; 1 = never by itself."""
    longest_wait: float = 10.0
    """Longest wait between two attempts; when told to wait longer, the call ends with the error."""
    connections: int = 20
    """Connections kept open at most; further calls wait for one."""


class _Wire:
    """What both colours share."""

    def __init__(
        self, base_url: str, limits: Limits, verify: bool | ssl.SSLContext, headers: Mapping[str, str]
    ) -> None:
        """`headers` go with every request beside our own. Raises ValueError on an address that is none of HTTP."""
        if not base_url.startswith(("http://", "https://")):
            raise ValueError(f"地址应以 http:// 或 https:// 开头：{base_url}")
        self._limits = limits
        self._options: dict[str, Any] = {
            "base_url": base_url,
            "headers": {**HEADERS, **headers},
            "timeout": httpx.Timeout(limits.silence, connect=limits.connect),
            "limits": httpx.Limits(max_connections=limits.connections, keepalive_expiry=60),
            "verify": verify,
            "trust_env": False,
        }


class _Bag:
    """The bytes of an answer, as long as they keep within the limits."""

    def __init__(self, limits: Limits, response: httpx.Response, began: float) -> None:
        self._limits, self._response, self._began = limits, response, began
        self._chunks: list[bytes] = []
        self._size = 0
        coding = response.headers.get("content-encoding", "identity")
        if coding.lower() != "identity":
            raise Misunderstood(f"应答用了没有要求的压缩 {coding[:40]}", status=response.status_code)

    def put(self, chunk: bytes) -> None:
        self._size += len(chunk)
        if self._size > self._limits.answer_bytes:
            text = f"应答超过 {self._limits.answer_bytes} 字节"
            raise AnswerTooLarge(text, status=self._response.status_code)
        if time.monotonic() - self._began > self._limits.whole:
            raise _too_slow(self._limits)
        self._chunks.append(chunk)

    def response(self) -> Response:
        return Response(self._response.status_code, self._response.headers, b"".join(self._chunks))


class BlockingTransport(_Wire):
    def __init__(
        self, base_url: str, limits: Limits, verify: bool | ssl.SSLContext, headers: Mapping[str, str]
    ) -> None:
        super().__init__(base_url, limits, verify, headers)
        self._http = httpx.Client(**self._options)

    def speak(self, talk: Talk[T]) -> T:
        """Carries the talk through; its result. Raises what the talk raises."""
        try:
            step = next(talk)
            while True:
                try:
                    heard = self._do(step)
                except ClientError as error:
                    step = talk.throw(error)
                else:
                    step = talk.send(heard)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]

    def _do(self, step: Request | Pause) -> Response | None:
        if isinstance(step, Pause):
            time.sleep(step.seconds)
            return None
        began = time.monotonic()
        try:
            with self._http.stream("POST", step.path, content=step.body) as response:
                bag = _Bag(self._limits, response, began)
                for chunk in response.iter_raw():
                    bag.put(chunk)
                return bag.response()
        except httpx.TransportError as error:
            raise _of(error) from error

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncTransport(_Wire):
    def __init__(
        self, base_url: str, limits: Limits, verify: bool | ssl.SSLContext, headers: Mapping[str, str]
    ) -> None:
        super().__init__(base_url, limits, verify, headers)
        self._http = httpx.AsyncClient(**self._options)

    async def speak(self, talk: Talk[T]) -> T:
        try:
            step = next(talk)
            while True:
                try:
                    heard = await self._do(step)
                except ClientError as error:
                    step = talk.throw(error)
                else:
                    step = talk.send(heard)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]

    async def _do(self, step: Request | Pause) -> Response | None:
        if isinstance(step, Pause):
            await asyncio.sleep(step.seconds)
            return None
        began = time.monotonic()
        try:
            async with asyncio.timeout(self._limits.whole):
                async with self._http.stream("POST", step.path, content=step.body) as response:
                    bag = _Bag(self._limits, response, began)
                    async for chunk in response.aiter_raw():
                        bag.put(chunk)
                    return bag.response()
        except httpx.TransportError as error:
            raise _of(error) from error
        except TimeoutError as error:
            raise _too_slow(self._limits) from error

    async def aclose(self) -> None:
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_CUT = ("disconnected", "closed")
"""What httpcore says of a connection that ended before the answer did."""


def _too_slow(limits: Limits) -> Unreachable:
    return Unreachable(f"对方应答过慢，已超过 {limits.whole:g} 秒", sent=True)


def _of(error: httpx.TransportError) -> ClientError:
    if isinstance(error, httpx.RemoteProtocolError) and not any(word in str(error) for word in _CUT):
        return Misunderstood("对方的应答不是 HTTP", status=0)
    return Unreachable(f"无法与对方通信：{_reason(error)}", sent=not isinstance(error, _NOT_SENT))


def _reason(error: httpx.TransportError) -> str:
    if isinstance(error, httpx.ConnectTimeout):
        return "连接超时"
    if isinstance(error, httpx.TimeoutException):
        return "等待超时"
    if isinstance(error, httpx.RemoteProtocolError | httpx.ReadError | httpx.WriteError):
        return "连接中断"
    return f"{type(error).__name__} {error}".rstrip()
