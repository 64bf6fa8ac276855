"""The intake interfaces as bare ASGI functions: limits, then the pure middle, then durable, then the answer.

A request is answered with HTTP 200 and code 0 or 1 once it was judged (T11); other statuses say that it
was not judged or not kept: 400 no JSON, 405, 408 too slow, 413 too large, 415 compressed, 429 and 503
later, 500 with an incident id.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from email.utils import formatdate
from functools import partial
from typing import Any, Protocol, TypeVar

import structlog

from yingqiao.exchange.images_list import receipt
from yingqiao.exchange.model import BodyKind, Document, Submission
from yingqiao.exchange.receive import Answer, Question, Receiver, Taken
from yingqiao.exchange.report_seals import NeedsTimeError
from yingqiao.settings import HttpSettings
from yingqiao.web.answers import (
    MESSAGES,
    App,
    Direct,
    Handler,
    Receive,
    Scope,
    Send,
    body_of,
    header_lines,
    send_json,
)
from yingqiao.web.limits import InFlight, TokenBuckets, peer_of
from yingqiao.web.metrics import Metrics
from yingqiao.web.turned_away import headers_of, later, turned_away
from yingqiao.web.visit import ClientGoneError, Line, TurnedAwayError, Visit

INTERFACES = ("exam-sync", "report-sync", "examMergeReport-sync", "images-list")
Ask = Callable[[Question], Answer]
"""Answers what a hospital asks. May block. Raises StoreUnavailable."""
_REFUSAL_BURST = 1000.0
_T = TypeVar("_T")
_log = structlog.get_logger(__name__)


Said = tuple[int, bytes, tuple[tuple[bytes, bytes], ...]]
"""Status, body and further headers of an answer."""
Tell = Callable[[Visit, Mapping[bytes, bytes], bytes], Awaitable[Said]]
"""Answers a request of an interface of its own: its headers, its body. Raises as the walk does."""
Failure = Callable[[int, str], bytes]
"""The body of an answer to what was not judged: code 0 and why."""
_PLAIN = header_lines()


class Recorder(Protocol):
    async def record(self, submission: Submission) -> int:
        """Make the submission durable; its id. Raises StoreUnavailable."""

    def submit(self, submission: Submission) -> asyncio.Future[int]:
        """As `record`, for a small body, on the event loop; what is wrong is raised or in the future."""

    async def record_list(self, submission: Submission) -> tuple[int, frozenset[bytes]]:
        """As `record`, of an images list; also which of its addresses were there (digests)."""


class Strangers(Protocol):
    def admit(self, size: int) -> bool:
        """Whether a body of an unregistered sender may be kept. May block. Raises StoreUnavailable."""


class DocumentStore(Protocol):
    def put(self, content: bytes, digest: str) -> str:
        """Make the document of this digest durable; its digest. Raises StoreUnavailable."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What intake needs of the rest."""

    receiver: Receiver
    recorder: Recorder
    documents: DocumentStore
    messages: Mapping[str, str]
    metrics: Metrics
    write_line: Callable[[Line], None] | None
    """Writes a line of the request log; None = no request log."""
    strangers: Strangers | None = None
    """Bounds what is kept of senders nobody registered; None = no bound."""


class Intake:
    """Serves the intake interfaces in one event loop."""

    def __init__(self, parts: Parts, settings: HttpSettings) -> None:
        self._parts = parts
        self._settings = settings
        self.in_flight = InFlight(settings.max_in_flight, settings.max_in_flight_bytes)
        self._proxies = frozenset(settings.trusted_proxies)
        self._tasks: set[asyncio.Task[None]] = set()
        self._peers = TokenBuckets(settings.peer_rate)
        self._hospitals = TokenBuckets(settings.hospital_rate)
        self._refusals = TokenBuckets(settings.refusal_rate, _REFUSAL_BURST)
        self.is_full = False
        """No room left on the disk but the reserve: nothing is taken until that changes."""
        self._pool = ThreadPoolExecutor(settings.threads, "intake")
        # One thread of their own: counting what is kept of strangers may take long, hospitals must not wait.
        self._strangers = ThreadPoolExecutor(1, "strangers")

    def asking(self, interface: str, ask: Ask) -> App:
        """The ASGI function of an interface that answers questions and keeps nothing."""

        async def tell(visit: Visit, headers: Mapping[bytes, bytes], raw: bytes) -> Said:
            return await self._told(visit, headers, raw, ask)

        return self.app(interface, tell)

    def app(self, interface: str, tell: Tell | None = None, failure: Failure = body_of) -> App:
        """The ASGI function of one interface of records; with `tell`, of one that has its own way."""

        async def serve(scope: Scope, receive: Receive, send: Send) -> None:
            headers: dict[bytes, bytes] = dict(scope["headers"])
            client = scope.get("client")
            visit = Visit(interface, peer_of(client[0] if client else "", headers, self._proxies))
            try:
                self._admit(visit, scope["method"], headers)
                raw = await self._read(visit, receive)
                if tell is not None:
                    said = await tell(visit, headers, raw)
                else:
                    said = await self._answered(visit, await self._judge(visit, headers, raw))
            except ClientGoneError:
                visit.outcome = "gone"
                said = None
            except Exception as error:  # noqa: BLE001 see _failed
                said = self._failed(visit, headers, error, failure)
            try:
                if said is not None:
                    await send_json(send, *said)
            finally:
                self._end(visit)

        return serve

    def direct(self, interface: str) -> Handler:
        """The same for small requests that are here as a whole: no task, no messages."""

        def handle(request: Direct) -> None:
            headers = request.headers
            visit = Visit(interface, peer_of(request.client, headers, self._proxies))
            try:
                self._admit(visit, "POST", headers)
                self._count(visit, request.raw)
                taken = self._judged(visit, headers, request.raw)
                if _is_simple(taken):
                    self._keep_one(visit, request, taken)
                else:
                    self._later_tasks(self._finish(visit, request, taken))
            except NeedsTimeError:
                self._later_tasks(self._finish(visit, request, None))
            except Exception as error:  # noqa: BLE001 see _failed
                self._respond(visit, request, self._failed(visit, headers, error))

        return handle

    def close(self) -> None:
        self._pool.shutdown()
        self._strangers.shutdown()

    def _keep_one(self, visit: Visit, request: Direct, taken: Taken) -> None:
        """Hand the submission to the ledger; the answer follows when it is durable."""
        (submission,) = taken.submissions

        def kept(done: asyncio.Future[int]) -> None:
            try:
                visit.submission = done.result()
                said = self._say(visit, taken)
            except Exception as error:  # noqa: BLE001 see _failed
                said = self._failed(visit, request.headers, error)
            self._respond(visit, request, said)

        self._parts.recorder.submit(submission).add_done_callback(kept)

    async def _finish(self, visit: Visit, request: Direct, taken: Taken | None) -> None:
        """What may have to wait for a thread: documents, senders nobody registered, seals (None: to be judged yet)."""
        try:
            if taken is None:
                taken = await self._judge(visit, request.headers, request.raw)
            said = await self._answered(visit, taken)
        except Exception as error:  # noqa: BLE001 see _failed
            said = self._failed(visit, request.headers, error)
        self._respond(visit, request, said)

    def _later_tasks(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)  # the loop itself holds it weakly
        task.add_done_callback(self._tasks.discard)

    def _respond(self, visit: Visit, request: Direct, said: Said) -> None:
        status, body, headers = said
        if visit.outcome == "refused":  # by which a caller whose clock is wrong can set it (T03)
            headers = (*headers, (b"date", formatdate(usegmt=True).encode()))
        request.respond(status, header_lines(headers) if headers else _PLAIN, body)
        self._end(visit)

    async def _answered(self, visit: Visit, taken: Taken) -> Said:
        """Keep what is to be kept; then the answer."""
        if not taken.stranger or await self._admit_stranger(visit):
            await self._keep(visit, taken)
        return self._say(visit, taken)

    async def _told(self, visit: Visit, headers: Mapping[bytes, bytes], raw: bytes, ask: Ask) -> Said:
        """The answer to a question."""
        visit.received = time.perf_counter()
        visit.stage = "open"
        opened = self._parts.receiver.question(
            raw, received_at=int(time.time() * 1000), encryption_type=_encryption(headers)
        )
        visit.judged = time.perf_counter()
        if isinstance(opened, Taken):
            return self._say(visit, opened)
        visit.hospital = opened.hospital_code
        wait = self._hospitals.take(opened.hospital_code)
        if wait:
            raise self._later(429, "too-many", wait)
        visit.stage = "validate"
        return self._say(visit, Taken((), await self._in_thread(partial(ask, opened)), 200))

    def _say(self, visit: Visit, taken: Taken) -> Said:
        answer = taken.answer
        visit.status = taken.http_status
        visit.outcome = "refused"
        if answer.code == 1:
            visit.outcome, visit.stage = "accepted", "record"
        return taken.http_status, body_of(answer.code, answer.message, answer.content), ()

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

    async def _judge(self, visit: Visit, headers: Mapping[bytes, bytes], raw: bytes) -> Taken:
        if len(raw) <= self._settings.thread_above_bytes:
            with contextlib.suppress(NeedsTimeError):
                return self._judged(visit, headers, raw)
        return self._allow(visit, await self._in_thread(self._taking(visit, headers, raw)))

    def _judged(self, visit: Visit, headers: Mapping[bytes, bytes], raw: bytes) -> Taken:
        return self._allow(visit, self._taking(visit, headers, raw, at_once=True)())

    def _taking(
        self, visit: Visit, headers: Mapping[bytes, bytes], raw: bytes, *, at_once: bool = False
    ) -> Callable[[], Taken]:
        visit.received = time.perf_counter()
        visit.stage = "open"
        return partial(
            self._parts.receiver.take,
            visit.interface,
            raw,
            peer=visit.peer,
            received_at=int(time.time() * 1000),
            encryption_type=_encryption(headers),
            at_once=at_once,
        )

    def _allow(self, visit: Visit, taken: Taken) -> Taken:
        """The limits that need to know who sent it. Raises TurnedAwayError: nothing is kept."""
        visit.judged = time.perf_counter()
        for submission in taken.submissions:
            visit.hospital = submission.hospital_code
            if submission.body_kind is BodyKind.ENVELOPE:
                wait = self._refusals.take(visit.peer)
            else:
                visit.stage = "validate"
                wait = self._hospitals.take(submission.hospital_code)
            if wait:
                raise self._later(429, "too-many", wait)
        return taken

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

    def _put(self, documents: list[Document]) -> None:
        for document in documents:
            self._parts.documents.put(document.content, document.digest)

    async def _in_thread(self, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    def _later(self, status: int, message_id: str, wait: float = 0.0) -> TurnedAwayError:
        return later(status, message_id, self._settings.retry_after_seconds, wait)

    def _failed(
        self, visit: Visit, headers: Mapping[bytes, bytes], error: Exception, failure: Failure = body_of
    ) -> Said:
        """The answer to what was not judged or not kept."""
        turned = turned_away(visit, error, self._settings.retry_after_seconds)
        template = self._parts.messages.get(turned.message_id) or MESSAGES[turned.message_id]
        return turned.status, failure(0, template.format(**turned.params)), headers_of(turned, headers)

    def _end(self, visit: Visit) -> None:
        if visit.entered:
            self.in_flight.leave(visit.size)
        visit.ended = time.perf_counter()
        self._parts.metrics.ended(visit)
        if self._parts.write_line is not None:
            self._parts.write_line(visit.line())


def _is_simple(taken: Taken) -> bool:
    """One submission that needs nothing but the ledger."""
    submissions = taken.submissions
    if len(submissions) != 1 or taken.stranger:
        return False
    return not submissions[0].documents and submissions[0].images is None


def _encryption(headers: Mapping[bytes, bytes]) -> str | None:
    value = headers.get(b"encryption-type")
    return None if value is None else value.decode("latin-1")


def _length(value: bytes | None) -> int | None:
    if value is None:
        return None
    if not value.isdigit():
        raise TurnedAwayError(400, "bad-length")
    return int(value)
