"""A folder files are put into: which are ready to be read, and where they go afterwards."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from yingqiao.hospital.source import SourceUnavailableError

_UNFINISHED = (".tmp", ".part", ".filepart", ".crdownload", ".writing", ".swp")
READY = ("stable", "marker", "rename")


@dataclass(frozen=True, slots=True)
class Found:
    """A file as it is now; another content is another file."""

    path: Path
    size: int
    changed_ns: int

    @property
    def id(self) -> str:
        return f"{self.path.name}|{self.size}|{self.changed_ns}"


@dataclass
class Inbox:
    """The files of one pattern in one folder."""

    folder: Path
    pattern: str
    done: Path
    failed: Path
    ready: str
    """stable: size and time did not change for a while · marker: `NAME.ok` lies beside it · rename: at once."""
    stable_seconds: float
    marker: str
    clock: Callable[[], float] = time.monotonic
    _first_seen: dict[str, float] = field(default_factory=dict)

    def list_ready(self) -> list[Found]:
        """Files ready to be read, oldest first. Raises SourceUnavailableError when the folder is not there."""
        found = self.list_all()
        self._first_seen = {one.id: self._first_seen.get(one.id, self.clock()) for one in found}
        return [one for one in found if self._is_ready(one)]

    def list_all(self) -> list[Found]:
        """Files that lie there, ready or not, oldest first."""
        return sorted(self._files(), key=lambda one: (one.changed_ns, one.path.name))

    def list_done(self) -> list[Found]:
        """Files read before, oldest first."""
        if not self.done.is_dir():
            return []
        found = (_found(path) for path in self.done.rglob(Path(self.pattern).name))
        return sorted((one for one in found if one), key=lambda one: (one.changed_ns, one.path.name))

    def move(self, found: Found, reason: str = "") -> None:
        """To done, or with a reason to failed, where a text beside the file says it. Raises SourceUnavailableError."""
        target = self.failed if reason else self.done
        try:
            target.mkdir(parents=True, exist_ok=True)
            place = _free(target / found.path.name)
            found.path.replace(place)
            self._marker(found.path).unlink(missing_ok=True)
            if reason:
                place.with_name(place.name + ".原因.txt").write_text(reason + "\n", "utf-8")
        except FileNotFoundError:
            return  # somebody took it away: it was read all the same
        except OSError as error:
            raise SourceUnavailableError(f"不能把 {found.path} 移到 {target}：{error.strerror}") from error

    def _files(self) -> Iterator[Found]:
        if not self.folder.is_dir():
            raise SourceUnavailableError(f"文件夹 {self.folder} 不存在或没有挂载")
        try:
            for path in self.folder.glob(self.pattern):
                found = _found(path)
                inside = self.done in path.parents or self.failed in path.parents
                if found and not inside and not _is_unfinished(path.name):
                    yield found
        except OSError as error:
            raise SourceUnavailableError(f"不能读取文件夹 {self.folder}：{error.strerror}") from error

    def _is_ready(self, found: Found) -> bool:
        if self.ready == "stable":
            return self.clock() - self._first_seen[found.id] >= self.stable_seconds
        return self.ready == "rename" or self._marker(found.path).exists()

    def _marker(self, path: Path) -> Path:
        return path.with_name(path.name + self.marker)


def _is_unfinished(name: str) -> bool:
    return name.startswith((".", "~")) or name.lower().endswith(_UNFINISHED)


def _found(path: Path) -> Found | None:
    try:
        status = path.stat()
    except OSError:
        return None  # gone between listing and looking
    return Found(path, status.st_size, status.st_mtime_ns) if path.is_file() else None


def _free(path: Path) -> Path:
    """`path`, or with a number: what was read before is never overwritten."""
    number, place = 1, path
    while place.exists():
        place = path.with_name(f"{path.stem}-{number}{path.suffix}")
        number += 1
    return place
