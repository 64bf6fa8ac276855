"""The one answer of the main interfaces: JSON {code, message, content}, code an integer (三(一), T08)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Protocol

import orjson

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

JSON_TYPE = (b"content-type", b"application/json; charset=utf-8")
_JSON_LINE = b"content-type: application/json; charset=utf-8\r\n"


class Direct(Protocol):
    """A small POST whose body is here and its answer, one piece each: what ASGI's messages cost is saved."""

    @property
    def client(self) -> str:
        """Address of the connection's other end."""

    @property
    def headers(self) -> Mapping[bytes, bytes]:
        """Lower-case names; the last of several."""

    @property
    def raw(self) -> bytes:
        """The body."""

    def respond(self, status: int, headers: bytes, body: bytes) -> None:
        """Send the whole response, once; `headers` are lines. Nothing happens when the client is gone."""


Handler = Callable[[Direct], None]
"""Takes a request on the event loop and answers it now or later. Never raises."""


def body_of(code: int, message: str, content: object = None) -> bytes:
    """The bytes of an answer. `content` is real JSON (T09)."""
    return orjson.dumps({"code": code, "message": message, "content": content})


def header_lines(headers: Iterable[tuple[bytes, bytes]] = ()) -> bytes:
    """The lines above a JSON answer, but for its length."""
    return _JSON_LINE + b"".join(b"%b: %b\r\n" % pair for pair in headers)


async def send_json(
    send: Send, status: int, body: bytes, headers: tuple[tuple[bytes, bytes], ...] = ()
) -> None:
    """Send `body` as the whole response."""
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [JSON_TYPE, length, *headers]})
    await send({"type": "http.response.body", "body": body})


def header(scope: Mapping[str, Any], name: bytes) -> bytes | None:
    """The last value of the header `name` (lower case), or None."""
    found: bytes | None = None
    for key, value in scope["headers"]:
        if key == name:
            found = value
    return found


MESSAGES = {
    "method-not-allowed": "请使用 {allowed} 方法",
    "content-encoding": "不支持压缩的请求体 Content-Encoding: {value}，请直接发送 JSON",
    "bad-length": "Content-Length 不是合法的长度",
    "internal": "平台内部错误，事件编号 {incident}，请稍后重试或联系平台",
    "not-found": "没有这个地址：{path}",
    "bad-request": "不是合法的 HTTP 请求",
    "header-too-large": "请求头超过上限 {limit} 字节",
    "too-many-connections": "连接过多，请 {seconds} 秒后重试",
    "store-unavailable": "平台暂时无法读取数据，请稍后重试",
    "token-required": "请在 Authorization: Bearer 中提供访问令牌",
}
"""What HTTP itself makes us say, in no edition of the standard (T11)."""
