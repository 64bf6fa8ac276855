"""Folders of JSON and CSV files as a source. A file is moved away only when the caller has come back with the position
of its last record: until then it lies where it lay, and is read again after a crash."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from yingqiao.hospital.mapping import ConfigError, TableMapping, Tally
from yingqiao.hospital.source import Question, SourceRecord, SourceUnavailableError, Table, Trouble
from yingqiao.hospital.sources.files import FORMATS, BadRow, FileError, column, read_rows
from yingqiao.hospital.sources.inbox import Found, Inbox
from yingqiao.hospital.sources.preview import PreviewRow
from yingqiao.hospital.sources.records import Mapper

Told = SourceRecord | Trouble


@dataclass(frozen=True)
class FolderConfig:
    """One table of the standard in one folder."""

    inbox: Inbox
    form: str
    """json | jsonl | csv | auto (by the name's ending)"""
    encoding: str
    delimiter: str
    time: str
    """The standard's field a question's times are compared with."""
    asked: Mapping[str, str]
    """Question member -> the standard's field."""
    mapping: TableMapping


@dataclass
class FolderSource:
    """A `Source`."""

    name: str
    configs: Mapping[Table, FolderConfig]
    tally: Tally = field(default_factory=Tally)

    def __post_init__(self) -> None:
        self._readers = {t: _Reader(t, c, Mapper(t, c.mapping, self.tally)) for t, c in self.configs.items()}

    @property
    def tables(self) -> tuple[Table, ...]:
        return tuple(self.configs)

    def mapping(self, table: Table) -> TableMapping:
        return self.configs[table].mapping

    def changes(self, table: Table, position: str | None, limit: int) -> Sequence[Told]:
        """See `Source`. Raises SourceUnavailableError also when a file cannot be moved away."""
        return self._readers[table].changes(position, limit) if table in self._readers else []

    def ask(self, question: Question) -> Iterator[Told]:
        """See `Source`: of what lies in the folder and in its done folder, of each record its newest state."""
        if question.table in self._readers:
            yield from self._readers[question.table].ask(question)

    def preview(self, table: Table, limit: int) -> Iterator[PreviewRow]:
        """See `Previewable`: the first rows of the files that lie there, ready or not."""
        config = self.configs[table]
        left = limit
        for found in (*config.inbox.list_all(), *config.inbox.list_done()):
            for number, row in enumerate(_rows(config, found), 1):
                if left == 0:
                    return
                if isinstance(row, dict):
                    left -= 1
                    mapped = config.mapping.apply(lambda name, row=row: column(row, name))  # type: ignore[misc]
                    yield PreviewRow(f"{found.path.name} 第 {number} 条", tuple(row), mapped)

    def close(self) -> None:
        for reader in self._readers.values():
            reader.close()


class _Reader:
    """What was told of one table's files, and what of it was kept."""

    def __init__(self, table: Table, config: FolderConfig, mapper: Mapper) -> None:
        self._table = table
        self._config = config
        self._mapper = mapper
        self._asked = Mapper(table, config.mapping, Tally())  # what is asked twice is not found twice
        self._lock = threading.Lock()
        self._position: str | None = None
        self._kept: dict[str, int] = {}
        """File -> how many of its records the caller has kept."""
        self._pending: list[_Pending] = []
        self._open: tuple[str, int, Iterator[Any]] | None = None
        """The file being read, how many of its records were told, the rest of them."""

    def changes(self, position: str | None, limit: int) -> list[Told]:
        with self._lock:
            self._settle(position)
            for found in self._config.inbox.list_ready():
                if len(self._pending) >= limit:
                    break
                self._tell(found, limit)
            return [one.told for one in self._pending]

    def close(self) -> None:
        self._open = None

    def _tell(self, found: Found, limit: int) -> None:
        number, rest = self._rest(found)
        for row in rest:
            number += 1
            self._pending.append(_Pending(found, number, self._take(found, number, row, self._mapper)))
            reason = row.reason if isinstance(row, _Broken) else ""
            if reason:
                self._pending[-1].last = reason
            if len(self._pending) >= limit:
                self._open = (found.id, number, rest)
                return
        self._open = None
        if self._pending and self._pending[-1].found.id == found.id:
            self._pending[-1].last = self._pending[-1].last or DONE
        else:
            self._config.inbox.move(found)  # all of it was kept before, or there is nothing in it
            self._kept.pop(found.id, None)

    def _rest(self, found: Found) -> tuple[int, Iterator[Any]]:
        kept = self._kept.get(found.id, 0)
        if self._open is not None and self._open[:2] == (found.id, kept):
            return kept, self._open[2]
        rows = _rows(self._config, found)
        for _ in range(kept):
            next(rows, None)
        return kept, rows

    def _take(self, found: Found, number: int, row: Any, mapper: Mapper) -> Told:
        position = orjson.dumps([found.id, number]).decode()
        where = f"{found.path.name} 第 {number} 条"
        if isinstance(row, BadRow | _Broken):
            return Trouble(self._table, where, row.reason, position)
        return mapper.take(lambda name: column(row, name), where, position)

    def _settle(self, position: str | None) -> None:
        """Moves away the files whose last record was kept; what was not kept will be told again."""
        positions = [one.told.position for one in self._pending]
        if position in positions:
            kept = self._pending[: positions.index(position) + 1]
        elif position == self._position:
            kept = []
        else:
            kept = []
            self._kept = _kept_of(position)
        self._position = position
        self._pending = []
        for one in kept:
            self._kept[one.found.id] = one.number
            if one.last:
                self._config.inbox.move(one.found, "" if one.last == DONE else one.last)
                self._kept.pop(one.found.id, None)

    def ask(self, question: Question) -> Iterator[Told]:
        files = [*self._config.inbox.list_done(), *self._config.inbox.list_all()]
        newest = {_short(told): place for place, told in self._all(files) if isinstance(told, SourceRecord)}
        for place, told in self._all(files):
            if isinstance(told, Trouble) or (
                newest.get(_short(told)) == place and self._answers(told, question)
            ):
                yield told

    def _all(self, files: Sequence[Found]) -> Iterator[tuple[tuple[int, int], Told]]:
        for index, found in enumerate(files):
            for number, row in enumerate(_rows(self._config, found), 1):
                yield (index, number), self._take(found, number, row, self._asked)

    def _answers(self, record: SourceRecord, question: Question) -> bool:
        when = str(record.values.get(self._config.time, ""))
        if question.start is not None and when < question.start:
            return False
        if question.end is not None and not when < question.end:
            return False
        wanted = {name: getattr(question, name) for name in ("apply_id", "patient_id", "report_id")}
        return all(
            record.values.get(self._config.asked.get(name, "")) == value
            for name, value in wanted.items()
            if value is not None
        )


DONE = "done"


@dataclass
class _Pending:
    """A record told; `last`: DONE, or why the rest of the file cannot be read, when it is its file's last."""

    found: Found
    number: int
    told: Told
    last: str = ""


@dataclass(frozen=True)
class _Broken:
    """The file cannot be read from here on."""

    reason: str


def _rows(config: FolderConfig, found: Found) -> Iterator[dict[str, Any] | BadRow | _Broken]:
    form = FORMATS.get(found.path.suffix.lower(), "json") if config.form == "auto" else config.form
    try:
        yield from read_rows(found.path, form, config.encoding, config.delimiter)
    except FileError as error:
        yield _Broken(str(error))
    except FileNotFoundError:
        return
    except OSError as error:
        raise SourceUnavailableError(f"不能读取 {found.path}：{error.strerror}") from error


def _kept_of(position: str | None) -> dict[str, int]:
    if not position:
        return {}
    try:
        file, number = orjson.loads(position)
        return {str(file): int(number)}
    except (ValueError, TypeError) as error:
        raise ConfigError("记下的读取位置不是本数据源的") from error


def _short(record: SourceRecord) -> bytes:
    return hashlib.blake2b(record.key.encode(), digest_size=8).digest()
