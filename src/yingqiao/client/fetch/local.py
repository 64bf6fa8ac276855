"""Files of a mounted share: opened part by part below the registered folder, never through a link."""

from __future__ import annotations

import errno
import os
import stat

from yingqiao.client.fetch import outcome
from yingqiao.client.fetch.body import Body, Memory
from yingqiao.client.fetch.model import FetchedFile, FetchRequest, FetchSettings
from yingqiao.client.fetch.spool import Validators
from yingqiao.exchange.fetch import AllowedHost, FetchError, FileState, choose
from yingqiao.exchange.fetch.address import GB18030, UTF8
from yingqiao.exchange.fetch.hosts import local_path
from yingqiao.exchange.work import ErrorClass

_SLICE = 1 << 20
_GONE = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG)
_DENIED = (errno.EACCES, errno.EPERM)


class LocalTransfer:
    """A file read a slice at a time, between libcurl's turns."""

    def __init__(self, request: FetchRequest, settings: FetchSettings, memory: Memory) -> None:
        """Raises FetchError."""
        self.request = request
        host = choose(request.address, request.hosts)
        limit = min(filter(None, (request.max_bytes, host.options.max_file_bytes, settings.max_bytes)))
        self.received = 0
        self._fd, self._size = _open(request, host)
        try:
            self.body = Body(settings, memory, request.scope, request.address.wire(UTF8), limit)
            self.body.begin(Validators(total=self._size))
        except BaseException:  # whatever it was, the descriptor must not stay
            os.close(self._fd)
            raise

    def step(self) -> FetchedFile | FetchError | None:
        """One slice; the end when it is reached."""
        try:
            data = os.read(self._fd, _SLICE)
        except OSError as error:
            return FetchError(ErrorClass.PASSING, f"共享读取出错：{error.strerror}")
        try:
            if data:
                self.body.write(data)
                self.received += len(data)
                return None
            return self._whole()
        except FetchError as error:
            return error
        except OSError as error:
            return outcome.of_disk(error)

    def take_received(self) -> int:
        """Bytes since it was last asked."""
        count, self.received = self.received, 0
        return count

    def close(self) -> None:
        os.close(self._fd)

    def _whole(self) -> FetchedFile | FetchError:
        if self.body.size != self._size:
            return FetchError(ErrorClass.PASSING, "文件正在变化，读到的不完整")
        return self.body.finish(self.request.address)


def _open(request: FetchRequest, host: AllowedHost) -> tuple[int, int]:
    """Descriptor and size of a regular file below the host's root. Raises FetchError."""
    first = host.path_encoding
    try:
        return _open_path(host.root, local_path(request.address, host))
    except FetchError as error:
        if error.state is not FileState.GONE or not request.address.wide:
            raise
        raw = request.address.path_bytes(GB18030 if first == UTF8 else UTF8)
    parts = tuple(part for part in raw.split(b"/") if part)
    below = len(parts) - len(local_path(request.address, host))
    return _open_path(host.root, parts[below:])


def _open_path(root: str, parts: tuple[bytes, ...]) -> tuple[int, int]:
    folder = -1
    try:
        folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        for part in parts[:-1]:
            below = os.open(part, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
            os.close(folder)
            folder = below
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        return _regular(os.open(parts[-1], flags, dir_fd=folder))
    except OSError as error:
        raise _refused(error) from error
    finally:
        if folder >= 0:
            os.close(folder)


def _regular(fd: int) -> tuple[int, int]:
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode):
        os.close(fd)
        raise FetchError(ErrorClass.THEIRS, "这不是普通文件", state=FileState.REFUSED)
    return fd, status.st_size


def _refused(error: OSError) -> FetchError:
    if error.errno in _GONE:
        return FetchError(ErrorClass.THEIRS, "共享里没有此文件", state=FileState.GONE)
    if error.errno in _DENIED:
        return FetchError(ErrorClass.THEIRS, "没有读取此文件的权限", state=FileState.DENIED)
    if error.errno in (errno.ELOOP, errno.ENXIO):
        return FetchError(ErrorClass.THEIRS, "不取符号链接与特殊文件", state=FileState.REFUSED)
    return FetchError(ErrorClass.PASSING, f"共享打不开：{error.strerror}")
