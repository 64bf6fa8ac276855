"""Sending over HTTP, blocking and async: connections kept and reused, answers bounded in size and time."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Mapping
from types import TracebackType
from typing import ClassVar, Self

import httpx

from yingqiao.client.async_http import AsyncHttp
from yingqiao.client.errors import AnswerTooLarge, ClientError, Misunderstood, Unreachable
from yingqiao.client.limits import Limits, too_slow
from yingqiao.client.talk import Pause, Request, Response, T, Talk

HEADERS = {"Content-Type": "application/json", "Accept-Encoding": "identity"}


class _Wire:
    """What both colours share."""

    _peer: ClassVar[str] = "对方"
    """Who is called, in errors."""

    def __init__(self, base_url: str, limits: Limits, headers: Mapping[str, str]) -> None:
        """`headers` go with every request beside our own. Raises ValueError on an address that is none of HTTP."""
        if not base_url.startswith(("http://", "https://")):
            raise ValueError(f"地址应以 http:// 或 https:// 开头：{base_url}")
        self._limits = limits
        self._headers = {**HEADERS, **headers}


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
            raise too_slow(self._limits)
        self._chunks.append(chunk)

    def response(self) -> Response:
        return Response(self._response.status_code, self._response.headers, b"".join(self._chunks))


class BlockingTransport(_Wire):
    def __init__(
        self,
        base_url: str,
        limits: Limits,
        verify: bool | ssl.SSLContext,
        headers: Mapping[str, str],
        at: str = "",
    ) -> None:
        """`at`: the IP address that the host of `base_url` was found to be allowed at; no name is looked up then."""
        super().__init__(base_url, limits, headers)
        address = httpx.URL(base_url)
        self._extensions = {"sni_hostname": address.host} if at else {}
        if at:
            self._headers["Host"] = address.netloc.decode("ascii").rpartition("@")[2]
            address = address.copy_with(host=at)
        self._http = httpx.Client(
            base_url=address,
            headers=self._headers,
            timeout=httpx.Timeout(limits.silence, connect=limits.connect),
            limits=httpx.Limits(max_connections=limits.connections, keepalive_expiry=60),
            verify=verify,
            trust_env=False,
        )

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
            with self._http.stream(
                "POST", step.path, content=step.body, extensions=self._extensions
            ) as response:
                bag = _Bag(self._limits, response, began)
                for chunk in response.iter_raw():
                    bag.put(chunk)
                return bag.response()
        except httpx.TransportError as error:
            raise _of(error, self._peer) from error

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncTransport(_Wire):
    """On connections of our own (async_http), which cost a fraction of httpx's."""

    def __init__(
        self, base_url: str, limits: Limits, verify: bool | ssl.SSLContext, headers: Mapping[str, str]
    ) -> None:
        super().__init__(base_url, limits, headers)
        self._http = AsyncHttp(base_url, limits, verify, self._headers, self._peer)

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
        return await self._http.ask(step)

    async def aclose(self) -> None:
        self._http.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_CUT = ("disconnected", "closed")
"""What httpcore says of a connection that ended before the answer did."""


def _of(error: httpx.TransportError, peer: str) -> ClientError:
    if isinstance(error, httpx.RemoteProtocolError) and not any(word in str(error) for word in _CUT):
        return Misunderstood(f"{peer}的应答不是 HTTP", status=0)
    return Unreachable(f"无法与{peer}通信：{_reason(error)}", sent=not isinstance(error, _NOT_SENT))


def _reason(error: httpx.TransportError) -> str:
    if isinstance(error, httpx.ConnectTimeout):
        return "连接超时"
    if isinstance(error, httpx.TimeoutException):
        return "等待超时"
    if isinstance(error, httpx.RemoteProtocolError | httpx.ReadError | httpx.WriteError):
        return "连接中断"
    return f"{type(error).__name__} {error}".rstrip()
