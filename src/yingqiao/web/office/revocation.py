"""GET /crl/<number of the CA>.crl: the newest revocation list, for anybody who verifies."""

from __future__ import annotations

import hashlib

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from yingqiao.store.signing.office import Office

MEDIA = "application/pkix-crl"
_KEPT_S = 600
"""A revocation is known everywhere at most ten minutes later."""


def crl_route(office: Office) -> Route:
    def answer(request: Request) -> Response:
        number = request.path_params["authority"]
        found = office.authority.lists.newest(number) if number < 2**31 else None
        if found is None:
            raise HTTPException(404)
        content, due = found
        seconds = max(0, min(_KEPT_S, (due - office.now_ms()) // 1000))
        headers = {
            "cache-control": f"public, max-age={seconds}",
            "etag": f'"{hashlib.sha256(content).hexdigest()[:32]}"',
            "x-content-type-options": "nosniff",
        }
        if request.headers.get("if-none-match") == headers["etag"]:
            return Response(status_code=304, headers=headers)
        return Response(content, headers=headers, media_type=MEDIA)

    return Route("/crl/{authority:int}.crl", answer)
