"""POST /api/verify/seal: what `yingqiao verify seal` does, for programs and the page /verify/."""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from yingqiao.signing.seals.found import Found, worst
from yingqiao.signing.seals.sef import MAX_BODY, MAX_FILE
from yingqiao.signing.trust import Trust
from yingqiao.signing.verification.asked import Asked
from yingqiao.web.api.answers import RequestError, error, json
from yingqiao.web.api.verify import answering, asked_by

NO_SEAL = "文件中没有电子签章"
_PICTURES = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif", b"BM": "image/bmp"}


class SealBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`file`: a PDF, a seal or a seal signature; `content`: what a bare seal signature is over. Base64."""

    file: str
    content: str | None = None
    at: str = ""
    policy: dict[str, Any] = {}


class JudgeFile(Protocol):
    """The seals of a file as asked; what cannot be read is a verdict too. Blocks."""

    def __call__(self, data: bytes, asked: Asked, content: bytes | None) -> Sequence[Found]: ...


def seal_routes(trust: Callable[[], Trust], judge: JudgeFile) -> list[BaseRoute]:
    """The route; `trust` gives who is trusted now (may raise StoreUnavailable)."""

    async def endpoint(request: Request) -> Response:
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BODY:
                return error(413, f"文件超过 {MAX_FILE // 1024 // 1024} MiB")
        return await run_in_threadpool(_respond, trust, judge, bytes(body))

    return [Route("/verify/seal", endpoint, methods=["POST"])]


def _respond(trust: Callable[[], Trust], judge: JudgeFile, raw: bytes) -> Response:
    def judged() -> Response:
        body = msgspec.json.decode(raw, type=SealBody)
        content = None if body.content is None else _bytes(body.content, "content")
        found = judge(_bytes(body.file, "file"), asked_by(trust(), body.at, body.policy), content)
        return json(shown(found))

    return answering(judged)


def shown(found: Sequence[Found]) -> dict[str, Any]:
    """The verdict on a file: that of the worst of its seals, and every seal with its picture and its text."""
    decides = worst(found)
    return {
        "indication": str(decides.report.indication) if decides else "unknown",
        "code": decides.verdict.code if decides else 0,
        "words": decides.report.words if decides else NO_SEAL,
        "count": len(found),
        "seals": [one.shown() | {"picture": _picture(one), "text": one.text()} for one in found],
    }


def _picture(found: Found) -> str:
    """A data URI that a browser shows; '' for other forms."""
    if found.verdict.seal is None:
        return ""
    data = found.verdict.seal.info.picture.data
    kind = next((kind for head, kind in _PICTURES.items() if data.startswith(head)), None)
    return f"data:{kind};base64,{b64encode(data).decode()}" if kind else ""


def _bytes(text: str, name: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except (binascii.Error, ValueError) as problem:
        raise RequestError(f"{name} 不是 Base64") from problem
