"""The one answer of the main interfaces: JSON {code, message, content}, code an integer (三(一), T08)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

import orjson

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

JSON_TYPE = (b"content-type", b"application/json; charset=utf-8")
_JSON_LINE = b"content-type: application/json; charset=utf-8\r\n"
WHOLE = "yingqiao.whole"
"""Where our server puts a `Whole` in a scope's extensions."""


class Whole(Protocol):
    """A server's way around ASGI's messages for a request and an answer of one piece each."""

    def body(self) -> bytes | None:
        """The whole body when all of it is here already, once; None: use `receive`."""

    def respond(self, status: int, headers: bytes, body: bytes) -> bool:
        """Send the whole response, `headers` as lines; False: nothing was done, use `send`."""


def whole_of(scope: Mapping[str, Any]) -> Whole | None:
    found: Whole | None = scope.get("extensions", {}).get(WHOLE)
    return found


def body_of(code: int, message: str, content: object = None) -> bytes:
    """The bytes of an answer. `content` is real JSON (T09)."""
    return orjson.dumps({"code": code, "message": message, "content": content})


async def answer_json(whole: Whole | None, send: Send, status: int, body: bytes) -> None:
    """Send `body` as the whole response, in one write where the server can."""
    if whole is None or not whole.respond(status, _JSON_LINE, body):
        await send_json(send, status, body)


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
