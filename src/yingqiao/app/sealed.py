"""Sealed files looked into for this process: SEF, the API, reports at intake and after it. PDFs are read in a sandbox."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from yingqiao.app.stores import Stores
from yingqiao.client.fetch import FetchedFile, Fetcher, FetchRequest, FetchSettings
from yingqiao.exchange.fetch import FetchError, choose, parse_address
from yingqiao.exchange.report_seals import SealsJudged, summarise
from yingqiao.exchange.work import ErrorClass, WorkError
from yingqiao.gm.errors import GmError
from yingqiao.gm.ses import Seal
from yingqiao.sandbox import Busy, Line, SandboxError
from yingqiao.sandbox.pdf_reader import SandboxedPdfReader
from yingqiao.sandbox.sef_request import BUSY, PostedFile
from yingqiao.signing.seals.context import SealContext, unregistered
from yingqiao.signing.seals.documents import NO_PDF, is_pdf, judge_file, judge_pdf, judge_read, unread
from yingqiao.signing.seals.found import Found
from yingqiao.signing.seals.sef import MAX_FILE, NOT_FOUND, UNREADABLE, SefError
from yingqiao.signing.seals.states import Stop
from yingqiao.signing.trust import Trust
from yingqiao.signing.verification.asked import Asked
from yingqiao.signing.verification.policy import Policy

FETCH_SECONDS = 40.0
_SCHEMES = frozenset({"http", "https", "ftp", "ftps", "sftp", "s3"})
"""Of addresses that anybody may name: shared folders are for the hospitals' own lists."""


class SealedFiles:
    """Safe from any thread; every method blocks, for as long as a PDF may take to be read by `line`."""

    def __init__(
        self,
        stores: Stores,
        line: Line,
        stops: Callable[[Seal], Sequence[Stop]] = unregistered,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._stores = stores
        self._stops = stops
        self._now = now
        self._line = line
        self._reader = SandboxedPdfReader(line)

    def verify(self, body: Sequence[bytes]) -> tuple[str, list[Found]]:
        """A request to SEF_VerifySeal by the policy of the standard: its transId, the seals of its file.

        Raises SefError, StoreUnavailable.
        """
        posted = PostedFile(self._line, body)
        opened = posted.open()
        asking, context = opened.asking, self._now_trusted()
        try:
            if opened.sealed is not None:
                return asking.trans_id, judge_read(posted, opened.sealed, context)
            return asking.trans_id, self._brought(asking.address, context)
        except (GmError, SandboxError) as error:
            code = BUSY if isinstance(error, Busy) else UNREADABLE
            raise SefError(error.reason, code, asking.trans_id) from error
        except WorkError as error:
            raise SefError(f"文件取不到：{error.reason}", NOT_FOUND, asking.trans_id) from error

    def _now_trusted(self) -> SealContext:
        return SealContext(self._stores.trust.current(), self._now(), stops=self._stops)

    def _brought(self, address: str, context: SealContext) -> list[Found]:
        """Raises WorkError, GmError, Busy, StoreUnavailable."""
        data = self.bring(address, MAX_FILE)
        if not is_pdf(data):
            raise GmError(NO_PDF)
        return judge_pdf(data, context, self._reader)

    def judge_asked(self, data: bytes, asked: Asked, content: bytes | None) -> list[Found]:
        """For the API."""
        context = SealContext.of(asked, self._stops)
        try:
            return judge_file(data, context, self._reader, content)
        except GmError as error:
            return [unread(error, context, data)]
        except Busy as error:
            return [unread(GmError(error.reason, code=error.code), context, data)]

    def judge_report(self, data: bytes, policy: Policy, at: datetime) -> SealsJudged:
        """For reports. Raises StoreUnavailable, Busy."""
        trust: Trust = self._stores.trust.current()
        context = SealContext(trust, at, policy, self._stops)
        try:
            return summarise(judge_pdf(data, context, self._reader))
        except GmError as error:
            return summarise([unread(error, context, data)])

    def judge_at_once(self, data: bytes, policy: Policy, at: datetime) -> SealsJudged:
        """As `judge_report`, for who cannot try again: nobody free to read it is unknown."""
        try:
            return self.judge_report(data, policy, at)
        except Busy as error:
            context = SealContext(self._stores.trust.current(), at, policy)
            return summarise([unread(GmError(error.reason, code=error.code), context, data)])

    def bring(self, address: str, max_bytes: int) -> bytes:
        """The file at an address of a registered host. Raises WorkError, StoreUnavailable."""
        hosts = self._stores.fetch_hosts.everybodys()
        parsed = parse_address(address)
        if parsed.scheme not in _SCHEMES:
            raise FetchError(
                ErrorClass.THEIRS, f"不取 {parsed.scheme} 地址，请用 http 或 https 地址，或直接发送文件"
            )
        choose(parsed, hosts)
        sink, deadline = _Whole(), time.monotonic() + FETCH_SECONDS

        def check() -> None:
            if time.monotonic() > deadline:
                raise FetchError(ErrorClass.PASSING, f"{FETCH_SECONDS:g} 秒内没有取完")

        with tempfile.TemporaryDirectory() as folder:
            settings = FetchSettings(folder=Path(folder), total_seconds=FETCH_SECONDS, tries=1)
            with Fetcher(settings, host_key_seen=lambda _, __: None) as fetcher:
                fetcher.run([FetchRequest("1", parsed, hosts, "sef", max_bytes)], sink, check=check)
        if sink.error is not None:
            raise sink.error
        return sink.body


class _Whole:
    """Takes the one file."""

    def __init__(self) -> None:
        self.body = b""
        self.error: WorkError | None = None

    def finished(self, _: FetchRequest, file: FetchedFile) -> None:
        with file.view() as view:
            self.body = bytes(view)
        file.discard()

    def failed(self, _: FetchRequest, error: WorkError) -> None:
        self.error = error
