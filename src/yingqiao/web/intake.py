"""The intake interfaces as bare ASGI functions: limits, then the pure middle, then durable, then the answer.

A request is answered with HTTP 200 and code 0 or 1 once it was judged (T11); other statuses say that it
was not judged or not kept: 400 no JSON, 405, 408 too slow, 413 too large, 415 compressed, 429 and 503
later, 500 with an incident id.
"""

from __future__ import annotations

import asyncio
import time
import traceback
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol, TypeVar

import structlog

from yingqiao.exchange.images_list import receipt
from yingqiao.exchange.model import BodyKind, Document, Outcome, Submission
from yingqiao.exchange.receive import Answer, Question, Receiver, Taken
from yingqiao.settings import HttpSettings
from yingqiao.store.errors import StoreUnavailable
from yingqiao.web.answers import (
    MESSAGES,
    App,
    Receive,
    Scope,
    Send,
    answer_json,
    body_of,
    header,
    send_json,
    whole_of,
)
from yingqiao.web.limits import InFlight, TokenBuckets, peer_of
from yingqiao.web.metrics import Metrics
from yingqiao.web.visit import ClientGoneError, TurnedAwayError, Visit

INTERFACES = ("exam-sync", "report-sync", "examMergeReport-sync", "images-list")
Ask = Callable[[Question], Answer]
"""Answers what a hospital asks. May block. Raises StoreUnavailable."""
_REFUSAL_BURST = 1000.0
_T = TypeVar("_T")
_log = structlog.get_logger(__name__)


class Recorder(Protocol):
    async def record(self, submission: Submission) -> int:
        """Make the submission durable; its id. Raises StoreUnavailable."""

    async def record_list(self, submission: Submission) -> tuple[int, frozenset[bytes]]:
        """As `record`, of an images list; also which of its addresses were there (digests)."""


class Strangers(Protocol):
    def admit(self, size: int) -> bool:
        """Whether a body of an unregistered sender may be kept. May block. Raises StoreUnavailable."""


class DocumentStore(Protocol):
    def put(self, content: bytes) -> str:
        """Make the document durable; its digest. Raises StoreUnavailable."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What intake needs of the rest."""

    receiver: Receiver
    recorder: Recorder
    documents: DocumentStore
    messages: Mapping[str, str]
    metrics: Metrics
    write_line: Callable[[dict[str, object]], None] | None
    """Writes a line of the request log; None = no request log."""
    strangers: Strangers | None = None
    """Bounds what is kept of senders nobody registered; None = no bound."""


class Intake:
    """Serves the intake interfaces in one event loop."""

    def __init__(self, parts: Parts, settings: HttpSettings) -> None:
        self._parts = parts
        self._settings = settings
        self.in_flight = InFlight(settings.max_in_flight, settings.max_in_flight_bytes)
        self._peers = TokenBuckets(settings.peer_rate)
        self._hospitals = TokenBuckets(settings.hospital_rate)
        self._refusals = TokenBuckets(settings.refusal_rate, _REFUSAL_BURST)
        self.is_full = False
        """No room left on the disk but the reserve: nothing is taken until that changes."""
        self._pool = ThreadPoolExecutor(settings.threads, "intake")
        # One thread of their own: counting what is kept of strangers may take long, hospitals must not wait.
        self._strangers = ThreadPoolExecutor(1, "strangers")

    def app(self, interface: str, ask: Ask | None = None) -> App:
        """The ASGI function of one interface; with `ask` it answers questions and keeps nothing."""

        async def serve(scope: Scope, receive: Receive, send: Send) -> None:
            visit = Visit(interface, peer_of(scope, self._settings.trusted_proxies))
            try:
                await self._serve(visit, scope, receive, send, ask)
            except TurnedAwayError as turned:
                await self._turn_away(visit, scope, send, turned)
            except ClientGoneError:
                visit.outcome = "gone"
            except StoreUnavailable as unavailable:
                _log.error("store.unavailable", interface=interface, reason=type(unavailable).__name__)
                await self._turn_away(visit, scope, send, self._later(503, "store-unavailable"))
            except Exception as error:  # noqa: BLE001 a defect of ours must not cost the client its answer
                await self._turn_away(visit, scope, send, incident_of(error))
            finally:
                self._end(visit)

        return serve

    def close(self) -> None:
        self._pool.shutdown()
        self._strangers.shutdown()

    async def _serve(self, visit: Visit, scope: Scope, receive: Receive, send: Send, ask: Ask | None) -> None:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        self._admit(visit, scope["method"], headers)
        whole = whole_of(scope)
        raw = whole.body() if whole else None
        if raw is None:
            raw = await self._read(visit, receive)
        else:
            self._count(visit, raw)
        visit.received = time.perf_counter()
        visit.stage = "open"
        encryption = headers.get(b"encryption-type")
        if ask is not None:
            status, answer = await self._answer(visit, encryption, raw, ask)
        else:
            taken = await self._judge(visit, encryption, raw)
            visit.judged = time.perf_counter()
            self._allow(visit, taken)
            if not taken.stranger or await self._admit_stranger(visit):
                await self._keep(visit, taken)
            status, answer = taken.http_status, taken.answer
        visit.status = status
        visit.outcome = "accepted" if answer.code == 1 else "refused"
        body = body_of(answer.code, answer.message, answer.content)
        await answer_json(whole, send, status, body)

    def _admit(self, visit: Visit, method: str, headers: Mapping[bytes, bytes]) -> None:
        """What can be decided before the body is read. Raises TurnedAwayError."""
        if method != "POST":
            raise TurnedAwayError(405, "method-not-allowed", allowed="POST")
        encoding = headers.get(b"content-encoding")
        if encoding and encoding.lower() != b"identity":
            raise TurnedAwayError(415, "content-encoding", value=encoding.decode("latin-1")[:40])
        length = _length(headers.get(b"content-length"))
        if length is not None and length > self._settings.max_body_bytes:
            raise TurnedAwayError(413, "too-large", limit=self._settings.max_body_bytes)
        if self.is_full:
            raise self._later(503, "store-unavailable")
        wait = self._peers.take(visit.peer)
        if wait:
            raise self._later(429, "too-many", wait)
        if not self.in_flight.enter(length or 0):
            raise self._later(503, "too-many")
        visit.entered = True

    async def _read(self, visit: Visit, receive: Receive) -> bytes:
        """The whole body. A body must keep up `min_body_rate` after its first `body_seconds`."""
        settings = self._settings
        started = asyncio.get_running_loop().time()
        chunks: list[bytes] = []
        try:
            async with asyncio.timeout(settings.body_seconds) as limit:
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise ClientGoneError
                    self._count(visit, message["body"])
                    chunks.append(message["body"])
                    if not message.get("more_body"):
                        break
                    limit.reschedule(started + settings.body_seconds + visit.size / settings.min_body_rate)
        except TimeoutError:
            raise TurnedAwayError(408, "too-slow", seconds=round(settings.body_seconds)) from None
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def _count(self, visit: Visit, chunk: bytes) -> None:
        visit.size += len(chunk)
        fits = self.in_flight.grow(len(chunk))
        if visit.size > self._settings.max_body_bytes:
            raise TurnedAwayError(413, "too-large", limit=self._settings.max_body_bytes)
        if not fits:
            raise self._later(503, "too-many")

    async def _judge(self, visit: Visit, encryption: bytes | None, raw: bytes) -> Taken:
        encryption_type = _text(encryption)
        received_at = int(time.time() * 1000)

        def take() -> Taken:
            return self._parts.receiver.take(
                visit.interface,
                raw,
                peer=visit.peer,
                received_at=received_at,
                encryption_type=encryption_type,
            )

        return take() if len(raw) <= self._settings.thread_above_bytes else await self._in_thread(take)

    def _allow(self, visit: Visit, taken: Taken) -> None:
        """The limits that need to know who sent it. Raises TurnedAwayError: nothing is kept."""
        for submission in taken.submissions:
            visit.hospital = submission.hospital_code
            if submission.body_kind is BodyKind.ENVELOPE:
                wait = self._refusals.take(visit.peer)
            else:
                visit.stage = "validate"
                wait = self._hospitals.take(submission.hospital_code)
            if wait:
                raise self._later(429, "too-many", wait)

    async def _admit_stranger(self, visit: Visit) -> bool:
        strangers = self._parts.strangers
        if strangers is None:
            return True
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._strangers, strangers.admit, visit.size)

    async def _keep(self, visit: Visit, taken: Taken) -> None:
        documents = [document for submission in taken.submissions for document in submission.documents]
        if documents:
            await self._in_thread(lambda: self._put(documents))
        for submission in taken.submissions:
            if submission.images is None:
                visit.submission = await self._parts.recorder.record(submission)
            else:
                visit.submission, known = await self._parts.recorder.record_list(submission)
                taken.answer.content.update(receipt(submission.images, known))
            if submission.outcome is Outcome.ACCEPTED:
                visit.stage = "record"

    async def _answer(
        self, visit: Visit, encryption: bytes | None, raw: bytes, ask: Ask
    ) -> tuple[int, Answer]:
        """HTTP status and answer to a question."""
        opened = self._parts.receiver.question(
            raw, received_at=int(time.time() * 1000), encryption_type=_text(encryption)
        )
        if isinstance(opened, Taken):
            return opened.http_status, opened.answer
        visit.hospital = opened.hospital_code
        wait = self._hospitals.take(opened.hospital_code)
        if wait:
            raise self._later(429, "too-many", wait)
        visit.stage = "record"
        answer = await self._in_thread(lambda: ask(opened))
        return 200, answer

    def _put(self, documents: list[Document]) -> None:
        for document in documents:
            self._parts.documents.put(document.content)

    async def _in_thread(self, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    def _later(self, status: int, message_id: str, wait: float = 0.0) -> TurnedAwayError:
        seconds = max(1, round(wait)) if wait else self._settings.retry_after_seconds
        return TurnedAwayError(status, message_id, retry_after=seconds, seconds=seconds)

    async def _turn_away(self, visit: Visit, scope: Scope, send: Send, turned: TurnedAwayError) -> None:
        visit.status = turned.status
        visit.outcome = "failed" if turned.status >= 500 else "refused"
        template = self._parts.messages.get(turned.message_id) or MESSAGES[turned.message_id]
        headers: list[tuple[bytes, bytes]] = []
        if turned.retry_after:
            headers.append((b"retry-after", str(turned.retry_after).encode()))
        if turned.status == 405:
            headers.append((b"allow", b"POST"))
        if turned.status == 408 or header(scope, b"expect"):
            headers.append((b"connection", b"close"))
        await send_json(send, turned.status, body_of(0, template.format(**turned.params)), tuple(headers))

    def _end(self, visit: Visit) -> None:
        if visit.entered:
            self.in_flight.leave(visit.size)
        metrics = self._parts.metrics
        metrics.ended(visit.interface, visit.stage, visit.outcome)
        if visit.judged:
            metrics.observe["receive"](visit.received - visit.began)
            metrics.observe["validate"](visit.judged - visit.received)
            metrics.observe["record"](time.perf_counter() - visit.judged)
            metrics.observe_size(visit.size)
        if self._parts.write_line is not None:
            self._parts.write_line(visit.line())


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("latin-1")


def _length(value: bytes | None) -> int | None:
    if value is None:
        return None
    if not value.isdigit():
        raise TurnedAwayError(400, "bad-length")
    return int(value)


def incident_of(error: Exception) -> TurnedAwayError:
    """Log where it happened, not what was in it: an exception's text may quote a record."""
    incident = uuid.uuid4().hex[:12]
    frames = [
        f"{f.filename.rpartition('/')[2]}:{f.lineno} {f.name}"
        for f in traceback.extract_tb(error.__traceback__)
    ]
    _log.error("http.incident", incident=incident, kind=type(error).__name__, where=frames[-8:])
    return TurnedAwayError(500, "internal", incident=incident)
