"""saveType=local: PDFs of the allowed folders, reached step by step and never through a link; written to last.

A path is the PACS's word, and the folder may be written to by others: lexical rules first (absolute, `.pdf`, no `..`, no
network path), then each folder is opened below the one before.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from yingqiao.seal_client.errors import Refused

_MAX_PATH = 1024
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
_STEP_BY_STEP = os.open in os.supports_dir_fd and hasattr(os, "O_NOFOLLOW")
"""Not on Windows: there a path is followed whole, and a link could be put into it meanwhile."""
_SLICE = 1 << 20


@dataclass(frozen=True, slots=True)
class Place:
    """A file below an allowed folder."""

    root: Path
    parts: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.parts[-1]

    @property
    def path(self) -> Path:
        return self.root.joinpath(*self.parts)


def place(text: str, folders: Sequence[Path]) -> Place:
    """Where a path leads, by its text alone. Raises Refused, 403."""
    if not 0 < len(text) <= _MAX_PATH or not text.isprintable():
        raise _refused("路径为空、过长或含控制字符")
    if text[:2] in ("\\\\", "//", "\\/", "/\\"):
        raise _refused("不使用网络路径（UNC）")
    path = Path(text)
    if not path.is_absolute():
        raise _refused("应为本机的绝对路径")
    if ".." in path.parts or path.suffix.lower() != ".pdf" or path.name.startswith("."):
        raise _refused("应为 .pdf 文件，路径中不能有“..”")
    for folder in folders:
        if path != folder and path.is_relative_to(folder):
            return Place(folder, path.relative_to(folder).parts)
    raise _refused("不在允许的目录之下（folders）")


def read(at: Place, max_bytes: int) -> bytes:
    """The file's bytes. Raises Refused."""
    with _folder(at) as folder:
        try:
            fd = os.open(at.name, os.O_RDONLY | _NO_FOLLOW | os.O_NONBLOCK, dir_fd=folder)
        except OSError as error:
            raise _of(error) from error
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            os.close(fd)
            raise _refused("不是普通文件")
        with os.fdopen(fd, "rb") as stream:
            if status.st_size > max_bytes:
                raise Refused(413, "too-large", f"文件超过 {max_bytes} 字节")
            try:
                data = stream.read(max_bytes + 1)
            except OSError as error:
                raise _of(error) from error
    if len(data) > max_bytes:
        raise Refused(413, "too-large", f"文件超过 {max_bytes} 字节")
    return data


def write(at: Place, data: bytes) -> None:
    """The file, whole or not at all, and durable: a temporary file beside it, fsync, rename, fsync of the folder.

    Raises Refused; nothing of ours is left behind then.
    """
    with _folder(at) as folder:
        mode = _mode_of(at, folder)
        beside = f".{secrets.token_hex(8)}.part"
        try:
            _write_new(beside, data, mode, folder)
            try:
                os.replace(beside, at.name, src_dir_fd=folder, dst_dir_fd=folder)
            except BaseException:
                with suppress(OSError):
                    os.unlink(beside, dir_fd=folder)
                raise
            os.fsync(folder)
        except OSError as error:
            raise _of(error, writing=True) from error


def _write_new(name: str, data: bytes, mode: int, folder: int) -> None:
    fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_FOLLOW, 0o600, dir_fd=folder)
    try:
        with os.fdopen(fd, "wb") as stream:
            for start in range(0, len(data), _SLICE):
                stream.write(data[start : start + _SLICE])
            stream.flush()
            os.fchmod(fd, mode)
            os.fsync(fd)
    except BaseException:
        with suppress(OSError):
            os.unlink(name, dir_fd=folder)
        raise


def _mode_of(at: Place, folder: int) -> int:
    """Of the file to be replaced, else our own. Raises Refused when what is there is no file."""
    try:
        status = os.stat(at.name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return 0o640
    except OSError as error:
        raise _of(error, writing=True) from error
    if not stat.S_ISREG(status.st_mode):
        raise _refused("保存位置上不是普通文件")
    return stat.S_IMODE(status.st_mode)


@contextmanager
def _folder(at: Place) -> Iterator[int]:
    """A descriptor of the file's folder. Raises Refused."""
    if not _STEP_BY_STEP:
        raise _refused("本系统不能安全地打开本地文件，请用 saveType=net")
    folder = -1
    try:
        folder = os.open(at.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        for part in at.parts[:-1]:
            below = os.open(part, os.O_RDONLY | os.O_DIRECTORY | _NO_FOLLOW, dir_fd=folder)
            os.close(folder)
            folder = below
    except OSError as error:
        if folder >= 0:
            os.close(folder)
        raise _of(error) from error
    try:
        yield folder
    finally:
        os.close(folder)


def _of(error: OSError, *, writing: bool = False) -> Refused:
    if error.errno in (errno.ELOOP, errno.ENOTDIR, errno.ENXIO):
        return _refused("路径经过链接，或不是普通文件")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return Refused(403, "path-denied", "没有写入此位置的权限" if writing else "没有读取此文件的权限")
    if isinstance(error, FileNotFoundError):
        return Refused(404, "no-file", "保存的目录不存在" if writing else "没有此文件")
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Refused(507, "disk-full", "磁盘已满，没有保存")
    return Refused(500, "disk", f"磁盘出错：{error.strerror or error}")


def _refused(reason: str) -> Refused:
    return Refused(403, "path-refused", reason)
