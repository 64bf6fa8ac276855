"""One file's way through tries, redirects and encodings of its name, until it is whole or given up."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

import pycurl

from yingqiao.client.fetch import outcome
from yingqiao.client.fetch.body import Body, Memory
from yingqiao.client.fetch.gate import Gate
from yingqiao.client.fetch.headers import Head
from yingqiao.client.fetch.host_keys import HostKeys, accept, key_bytes
from yingqiao.client.fetch.model import FetchedFile, FetchRequest, FetchSettings
from yingqiao.client.fetch.options import prepare
from yingqiao.client.fetch.spool import Validators
from yingqiao.exchange.fetch import FetchError, FileState, choose, parse_address
from yingqiao.exchange.fetch.address import GB18030, UTF8
from yingqiao.exchange.fetch.hosts import s3_service
from yingqiao.exchange.work import ErrorClass, WorkError

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MAX_SKIPPED = 64 * 1024
"""Bytes read of an answer nobody wants, to keep its connection; beyond, the connection is dropped."""
_PROGRESS = 64 * 1024
_MAX_REQUESTS = 1000


class _Stage(Enum):
    HEAD = auto()
    BODY = auto()
    SKIP = auto()


@dataclass(frozen=True, slots=True)
class Again:
    """Another request is to be made for this file, so many seconds from now."""

    delay: float = 0.0


Ended = FetchedFile | FetchError | Again


class Transfer:
    """A file under way. The methods `on_…` are libcurl's callbacks: what goes wrong there is kept in `error`."""

    def __init__(
        self, request: FetchRequest, settings: FetchSettings, memory: Memory, keys: HostKeys
    ) -> None:
        """Raises FetchError: not registered, or in another fetcher's hands; OSError of our disk."""
        self.request = request
        self.address = request.address
        self.host = choose(request.address, request.hosts)
        self.received = 0
        """Bytes over all tries."""
        self._told = 0
        self.code = 0
        """libcurl's, of the last try."""
        self._settings = settings
        self._keys = keys
        self._encodings = self._ways()
        self._redirects = self._requests = self._fruitless = 0
        self.error: FetchError | None = None
        self._key_refusal: FetchError | None = None
        self._stage, self._head = _Stage.HEAD, Head()
        self._gate = Gate(self.host, "")
        self._offset = self._skipped = self._received_before = 0
        self._stale = self._learned = False
        limit = min(filter(None, (request.max_bytes, self.host.options.max_file_bytes, settings.max_bytes)))
        self._limit = limit
        self.body = Body(settings, memory, request.scope, request.address.wire(UTF8), limit)
        self._renew()

    @property
    def service(self) -> tuple[str, int]:
        """Name and port connected to."""
        place = s3_service(self.host) if self.host.scheme == "s3" else self.address
        return place.host, place.port

    @property
    def answered(self) -> bool:
        """Whether the host showed a sign of life in the last try."""
        silent = self.code in outcome.UNREACHABLE or self.code == pycurl.E_OPERATION_TIMEDOUT
        return not silent or bool(self._head.status) or self.received > self._received_before

    def take_received(self) -> int:
        """Bytes since it was last asked."""
        count, self._told = self.received - self._told, self.received
        return count

    def start(self, curl: Any) -> None:
        """Ask. Raises FetchError, OSError, pycurl.error."""
        self._renew()
        self._requests += 1
        further: tuple[str, ...] = ()
        http = self._over_http
        if self.body.resumable:
            self._offset = self.body.size
            if http:
                further = (f"If-Range: {self.body.validators.condition}",)
        elif self.body.size:
            self.body.begin(Validators())
        prepare(curl, self.address, self.host, self._encodings[0], self._settings, *further)
        if self._offset:
            curl.setopt(
                *((pycurl.RANGE, f"{self._offset}-") if http else (pycurl.RESUME_FROM_LARGE, self._offset))
            )
        self._gate.guard(curl)
        curl.setopt(pycurl.WRITEFUNCTION, self.on_body)
        curl.setopt(pycurl.HEADERFUNCTION, self._head.line)
        if self.address.scheme == "sftp":
            curl.setopt(pycurl.SSH_HOSTKEYFUNCTION, self.on_host_key)

    def on_body(self, data: bytes) -> int | None:
        """Bytes of the answer's body. None: taken; 0: libcurl is to stop."""
        try:
            if self._stage is _Stage.HEAD:
                self._begin()
            if self._stage is _Stage.SKIP:
                self._skipped += len(data)
                return 0 if self._skipped > _MAX_SKIPPED or self._stale else None
            if self._stale:
                return 0
            self.body.write(data)
            self.received += len(data)
        except FetchError as error:
            self.error = error
            return 0
        except OSError as error:
            self.error = outcome.of_disk(error)
            return 0
        return None

    def on_host_key(self, _kind: int, key: Any) -> int:
        port = self.address.port
        self._key_refusal = self._keys.check(self.host, self.address.host, port, key_bytes(key))
        return accept(self._key_refusal)

    def learn(self, curl: Any) -> None:
        """Between callbacks: size and date of an FTP or SFTP file that has begun to come."""
        if self._over_http or self._learned or self._stage is not _Stage.BODY:
            return
        self._learned = True
        seconds, left = curl.getinfo(pycurl.INFO_FILETIME), curl.getinfo(pycurl.CONTENT_LENGTH_DOWNLOAD_T)
        total = self._offset + int(left) if left >= 0 else -1
        told = Validators(modified=str(seconds) if seconds > 0 else "", total=total)
        try:
            if not self._offset:
                self.body.know(told)
            elif not (told.modified or left >= 0) or not told.may_be(self.body.validators):
                self._stale = True  # another version, or nothing to tell it by
        except FetchError as error:
            self.error = error
        except OSError as error:
            self.error = outcome.of_disk(error)

    def ended(self, curl: Any, code: int) -> Ended:
        """What libcurl's end of a try means."""
        self.code = code
        refusal = self.error or self._key_refusal or (self._gate.refusal if code else None)
        if refusal is not None:
            return refusal
        try:
            if not code and self._stage is _Stage.HEAD:
                self._begin()  # an empty body
            self.learn(curl)
            return self.error or self._judge(curl, code)
        except FetchError as error:
            return error
        except OSError as error:
            return outcome.of_disk(error)

    def _judge(self, curl: Any, code: int) -> Ended:
        if self._stale or code in outcome.NO_RESUME or (self._head.status == 416 and self._offset):
            self.body.begin(Validators())
            return self._again(outcome.of_curl(pycurl.E_PARTIAL_FILE, 0))
        if self._over_http and self._head.status not in (0, 200, 206):
            return self._judge_status()
        if code:
            return self._judge_code(code, curl.getinfo(pycurl.RESPONSE_CODE))
        total = self.body.validators.total
        if total >= 0 and self.body.size != total:
            return self._again(outcome.of_curl(pycurl.E_PARTIAL_FILE, 0))
        return self._file()

    def _judge_status(self) -> Ended:
        if self._head.status in _REDIRECTS and self._head.location:
            return self._redirect()
        error = outcome.of_status(self._head)
        return self._other_encoding(error)

    def _judge_code(self, code: int, response: int) -> Ended:
        error = outcome.of_curl(code, response)
        if code in outcome.CUT and (
            self.received > self._received_before or code != pycurl.E_OPERATION_TIMEDOUT
        ):
            return self._again(error)
        return self._other_encoding(error)

    def _again(self, error: FetchError) -> Ended:
        """Once more at once, unless that has led nowhere several times."""
        progress = self.body.resumable and self.received - self._received_before >= _PROGRESS
        self._fruitless = 0 if progress else self._fruitless + 1
        if self._fruitless >= self._settings.tries or self._requests >= _MAX_REQUESTS:
            return error
        return Again(self._settings.retry_seconds * 2**self._fruitless if self._fruitless else 0.0)

    def _other_encoding(self, error: FetchError) -> Ended:
        """A Chinese name not found in one encoding is asked for in the other."""
        if error.state is FileState.GONE and len(self._encodings) > 1:
            self._encodings.pop(0)
            return Again()
        return error

    def _redirect(self) -> Ended:
        self._redirects += 1
        if self._redirects > self._settings.max_redirects:
            return FetchError(ErrorClass.THEIRS, f"转向超过 {self._settings.max_redirects} 次")
        try:
            target = parse_address(self._head.location, self.address)
            self.host = choose(target, self.request.hosts)
        except WorkError as error:
            raise FetchError(
                ErrorClass.THEIRS, f"对方把下载转向别处：{error.reason}", state=FileState.REFUSED
            ) from error
        self.address = target
        self._encodings = self._ways()
        return Again()

    def _file(self) -> FetchedFile:
        file = self.body.finish(self.address)
        file.content_type = self._head.text("content-type")
        file.etag = self.body.validators.etag
        file.resumed, file.requests = self.body.resumed, self._requests
        return file

    def _begin(self) -> None:
        """The answer's first byte: is it the file, from where, of which version? Raises as Body.begin."""
        self._stage = _Stage.BODY
        if not self._over_http:
            if self._offset:
                self.body.resumed = True
            else:
                self.body.begin(Validators())
            return
        if self._head.status == 206:
            self._stale = not self._continues()
            self._stage = _Stage.SKIP if self._stale else _Stage.BODY
            self.body.resumed = not self._stale
        elif self._head.status == 200:
            self._offset = 0
            self.body.begin(self._head.validators())
        else:
            self._stage = _Stage.SKIP

    def _continues(self) -> bool:
        """Whether a 206 is the rest of what we have, and of the same version."""
        start, _total = self._head.content_range()
        told, known = self._head.validators(), self.body.validators
        if not self._offset or start != self._offset or (known.total >= 0 and told.total != known.total):
            return False
        return told.may_be(known)

    @property
    def _over_http(self) -> bool:
        return self.address.scheme in ("http", "https", "s3")

    def _ways(self) -> list[str]:
        first = self.host.path_encoding
        other = GB18030 if first == UTF8 else UTF8
        return [first, other] if self.address.wide else [first]

    def _renew(self) -> None:
        """As before a first try."""
        self._stage, self._head, self.error = _Stage.HEAD, Head(), None
        self._gate = Gate(self.host, self.service[0] if self.host.scheme == "s3" else self.host.host)
        self._offset = self._skipped = 0
        self._stale = self._learned = False
        self._received_before = self.received
