"""POST /api/verify/{signature,timestamp,certificate}: what `yingqiao verify` does, for programs and the page /verify/.

Binary members are text: base64, PEM or hex, as people have them; `contentText` is an original as text in UTF-8.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from yingqiao.signing.trust import Trust
from yingqiao.signing.verification.asked import (
    Asked,
    read_moment,
    verify_certificates,
    verify_signed,
    verify_stamped,
)
from yingqiao.signing.verification.policy import DEFAULT, Policy, PolicyError
from yingqiao.signing.verification.report import Report, together
from yingqiao.store.errors import StoreUnavailable
from yingqiao.web.api.answers import RequestError, error, json

MAX_BODY = 24 * 1024 * 1024
MAX_FILES = 32


class VerifyBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """What is asked; which members are needed depends on what is verified."""

    content: str | None = None
    """Base64."""
    content_text: str | None = None
    signature: str = ""
    certificate: str = ""
    certificates: tuple[str, ...] = ()
    token: str = ""
    at: str = ""
    policy: dict[str, Any] = {}


Answer = Callable[[Asked, VerifyBody], list[Report]]


def verify_routes(trust: Callable[[], Trust]) -> list[BaseRoute]:
    """The routes; `trust` gives who is trusted now (may raise StoreUnavailable)."""
    return [_route(trust, name, answer) for name, answer in _ANSWERS.items()]


def _route(trust: Callable[[], Trust], name: str, answer: Answer) -> Route:
    async def endpoint(request: Request) -> Response:
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BODY:
                return error(413, f"请求体超过 {MAX_BODY // 1024 // 1024} MiB")
        return await run_in_threadpool(_respond, trust, answer, bytes(body))

    return Route(f"/verify/{name}", endpoint, methods=["POST"])


def _respond(trust: Callable[[], Trust], answer: Answer, raw: bytes) -> Response:
    def judged() -> Response:
        body = msgspec.json.decode(raw, type=VerifyBody)
        reports = answer(asked_by(trust(), body.at, body.policy), body)
        shown = reports[0].shown() if len(reports) == 1 else together(reports, "证书")
        return json(shown | {"text": "\n\n".join(report.text() for report in reports)})

    return answering(judged)


def asked_by(trust: Trust, at: str, policy: Mapping[str, Any]) -> Asked:
    """By what a body asks. Raises PolicyError, ValueError."""
    moment = read_moment(at) if at else datetime.now(UTC)
    return Asked(trust, moment, Policy.of(policy) if policy else DEFAULT)


def answering(judged: Callable[[], Response]) -> Response:
    """What `judged` answers, or why it cannot."""
    try:
        return judged()
    except (msgspec.ValidationError, msgspec.DecodeError) as problem:
        return error(400, f"请求体不对：{problem}")
    except (RequestError, PolicyError) as problem:
        return error(400, str(problem))
    except StoreUnavailable:
        unavailable = error(503, "平台暂时无法读取数据，请稍后重试")
        unavailable.headers["retry-after"] = "5"
        return unavailable
    except ValueError as problem:
        return error(400, str(problem))


def _signature(asked: Asked, body: VerifyBody) -> list[Report]:
    if not body.signature:
        raise RequestError("缺少 signature")
    certificate = body.certificate or "\n".join(body.certificates)
    return [
        verify_signed(
            asked,
            signature=body.signature.encode(),
            content=_content(body),
            certificate=certificate.encode() if certificate else None,
            tokens=[body.token.encode()] if body.token else [],
        )
    ]


def _timestamp(asked: Asked, body: VerifyBody) -> list[Report]:
    if not body.token:
        raise RequestError("缺少 token")
    return [verify_stamped(asked, body.token.encode(), _content(body))]


def _certificate(asked: Asked, body: VerifyBody) -> list[Report]:
    given = [*([body.certificate] if body.certificate else []), *body.certificates]
    if not given or len(given) > MAX_FILES:
        raise RequestError("缺少 certificate" if not given else f"证书不得超过 {MAX_FILES} 个")
    return verify_certificates(asked, [one.encode() for one in given])


_ANSWERS: Mapping[str, Answer] = {
    "signature": _signature,
    "timestamp": _timestamp,
    "certificate": _certificate,
}


def _content(body: VerifyBody) -> bytes | None:
    if body.content_text is not None:
        if body.content is not None:
            raise RequestError("content 与 contentText 只能有一个")
        return body.content_text.encode("utf-8", "surrogatepass")
    if body.content is None:
        return None
    try:
        return b64decode(body.content, validate=True)
    except (binascii.Error, ValueError) as problem:
        raise RequestError("content 不是 Base64（文本请用 contentText）") from problem
