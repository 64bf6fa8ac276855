"""SEF_VerifySeal over HTTP (四(二)4 电子签章验签接口): a sealed PDF in, or its address; what each seal is worth out.

Whatever was judged is answered with HTTP 200 and `resultCode`; few are read and judged at once, others wait unread, so
that large files keep neither memory nor processors from intake.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import orjson

from yingqiao.signing.seals import sef
from yingqiao.signing.seals.found import Found
from yingqiao.signing.seals.sef import SefError
from yingqiao.spec.model import Edition
from yingqiao.web.limits import InFlight
from yingqiao.web.service import SUCCESS, Posted, Reply, Service

NAME = "sef-verify-seal"
SECONDS = 60.0


class Sealed(Protocol):
    """Who looks into files and fetches them; blocks and is called from threads of their own."""

    def verify(self, body: Sequence[bytes]) -> tuple[str, Sequence[Found]]:
        """transId of a request, and the seals of its file. Raises SefError, StoreUnavailable."""
        ...


class Sef:
    """The service of one process."""

    def __init__(self, edition: Edition, sealed: Sealed, workers: int) -> None:
        """As many are taken at once as there are `workers` to read them, and one that comes in meanwhile."""
        self._path = edition.interfaces[NAME].path
        self._sealed = sealed
        self._at_once = workers + 1
        self._pool = ThreadPoolExecutor(self._at_once, "sef")

    def service(self) -> Service:
        return Service(
            self._path, NAME, self._handle, sef.MAX_BODY, SECONDS, form=_form, at_once=self._at_once
        )

    def in_flight(self) -> InFlight:
        """Of its own: as many as are taken at once, however large, and those that come small."""
        return InFlight(1024, (self._at_once + 1) * sef.MAX_BODY)

    def close(self) -> None:
        self._pool.shutdown()

    async def _handle(self, posted: Posted) -> Reply:
        loop = asyncio.get_running_loop()
        said, status = await loop.run_in_executor(self._pool, self._answer, posted.pieces)
        return Reply(said, status)

    def _answer(self, body: Sequence[bytes]) -> tuple[dict[str, Any], int]:
        try:
            trans_id, found = self._sealed.verify(body)
        except SefError as error:
            return sef.answer(error.trans_id, error.code, error.words), error.code
        return sef.answer_found(trans_id, found), SUCCESS


def _form(reply: Reply) -> bytes:
    """The answer's own form, of refusals too."""
    if isinstance(reply.data, dict):
        return orjson.dumps(reply.data)
    return orjson.dumps(sef.answer("", reply.status, reply.message))
