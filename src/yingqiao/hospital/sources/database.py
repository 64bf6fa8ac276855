"""Views of a hospital's database as a source: what changed, by a cursor; what is asked, streamed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import (
    ColumnClause,
    Connection,
    Select,
    and_,
    column,
    func,
    inspect,
    literal,
    or_,
    select,
    table,
    text,
    types,
)
from sqlalchemy.exc import DBAPIError, NoSuchTableError, SQLAlchemyError
from sqlalchemy.sql.elements import quoted_name

from yingqiao.hospital.mapping import BEIJING, TableMapping, Tally, nearest
from yingqiao.hospital.source import Question, SourceRecord, SourceUnavailableError, Table, Trouble
from yingqiao.hospital.sources.engines import database_now, open_engine, read_only_options
from yingqiao.hospital.sources.point import Point, like
from yingqiao.hospital.sources.preview import PreviewRow
from yingqiao.hospital.sources.records import Mapper
from yingqiao.hospital.sources.sweep import ReadRow, Sweep


@dataclass(frozen=True)
class ViewConfig:
    """One table of the standard: the view it is read from, and by which columns."""

    view: str
    schema: str | None
    key: str
    cursor: str
    overlap: float
    where: str | None
    """Trusted text of the configuration, put into the statement as it is."""
    time: str
    """The column a question's times are compared with."""
    asked: Mapping[str, str]
    """Question member (apply_id, patient_id, report_id) -> column."""
    mapping: TableMapping


@dataclass
class DatabaseSource:
    """A `Source`. Thread-safe for questions; `changes` of one table wants one caller."""

    name: str
    url: str
    folder: Path
    timeout: float
    zone: ZoneInfo
    views: Mapping[Table, ViewConfig]
    tally: Tally = field(default_factory=Tally)
    """What the mapping found in all rows read since the start."""

    def __post_init__(self) -> None:
        self._engine = open_engine(self.url, self.folder, self.timeout, self.zone)
        self._mappers = {t: Mapper(t, view.mapping, self.tally) for t, view in self.views.items()}
        self._readers = {t: _View(self, t, view) for t, view in self.views.items()}
        self._sweeps = {t: Sweep(self._readers[t], view.overlap) for t, view in self.views.items()}

    @property
    def tables(self) -> tuple[Table, ...]:
        return tuple(self.views)

    def changes(self, table: Table, position: str | None, limit: int) -> Sequence[SourceRecord | Trouble]:
        """See `Source`."""
        if table not in self.views:
            return []
        told = self._sweeps[table].take(position, limit)
        return [self._take(table, row.values, place) for row, place in told]

    def ask(self, question: Question) -> Iterator[SourceRecord | Trouble]:
        """See `Source`. Memory is bounded by a few hundred rows."""
        if question.table not in self.views:
            return
        reader = self._readers[question.table]
        with self.connected() as connection, connection.execute(reader.asked(connection, question)) as result:
            for row in result:
                yield self._take(question.table, dict(row._mapping), "")  # noqa: SLF001 -- SQLAlchemy's public name

    def preview(self, table: Table, limit: int) -> Iterator[PreviewRow]:
        """The newest rows, every column of the view, for `map check`."""
        view = self.views[table]
        with self.connected() as connection:
            for row in connection.execute(self._readers[table].newest(limit)):
                values = dict(row._mapping)  # noqa: SLF001 -- SQLAlchemy's public name
                yield PreviewRow(self._where(table, values), tuple(values), view.mapping.apply(values.get))

    def mapping(self, table: Table) -> TableMapping:
        return self.views[table].mapping

    def close(self) -> None:
        self._engine.dispose()

    @contextmanager
    def connected(self) -> Iterator[Connection]:
        """A connection in a transaction that only reads. Raises SourceUnavailableError for whatever goes wrong."""
        if self._engine.dialect.name == "sqlite" and not Path(str(self._engine.url.database)).is_file():
            raise SourceUnavailableError(f"数据源 {self.name}：没有文件 {self._engine.url.database}")
        try:
            with self._engine.connect() as raw:
                yield raw.execution_options(**read_only_options(self.dialect))
        except (SQLAlchemyError, UnicodeDecodeError) as error:
            raise SourceUnavailableError(f"数据源 {self.name} 读取失败：{_said(error)}") from error

    @property
    def dialect(self) -> str:
        return self._engine.dialect.name

    def _take(self, table: Table, values: dict[str, Any], place: str) -> SourceRecord | Trouble:
        return self._mappers[table].take(values.get, self._where(table, values), place)

    def _where(self, table: Table, values: Mapping[str, Any]) -> str:
        view = self.views[table]
        return f"{view.view}.{view.key}={values.get(view.key)}"


class _View:
    """The statements of one view, and `sweep.View`."""

    def __init__(self, source: DatabaseSource, table_: Table, config: ViewConfig) -> None:
        self._source = source
        self._config = config
        self._table = table_
        self._kinds: dict[str, Any] = {}
        wanted = dict.fromkeys((config.key, config.cursor, *config.mapping.columns))
        self._columns = [_column(name) for name in wanted]
        self._from = table(
            quoted_name(config.view, quote=True),
            schema=quoted_name(config.schema, quote=True) if config.schema else None,
        )
        self._cursor, self._key = _column(config.cursor), _column(config.key)

    def page(self, start: Point | None, floor: Any, limit: int, *, beyond: bool) -> Sequence[ReadRow]:
        statement = self._rows().order_by(self._cursor, self._key).limit(limit)
        if start is not None:
            key = self._key > start.key if beyond else self._key >= start.key
            beyond_it = or_(self._cursor > start.cursor, and_(self._cursor == start.cursor, key))
            statement = statement.where(self._cursor >= start.cursor, beyond_it)  # an OR alone uses no index
        elif floor is not None:
            statement = statement.where(self._cursor >= floor)
        else:
            statement = statement.where(self._cursor.is_not(None))
        with self._source.connected() as connection:
            self.kinds(connection)
            return [self._read(dict(row._mapping)) for row in connection.execute(statement)]  # noqa: SLF001

    def now(self) -> datetime | None:
        with self._source.connected() as connection:
            return database_now(connection, self._source.dialect, self._source.zone)

    def newest(self, limit: int) -> Select[Any]:
        everything = select(text("*")).select_from(self._from)
        return self._bounded(everything).order_by(self._cursor.desc(), self._key).limit(limit)

    def asked(self, connection: Connection, question: Question) -> Select[Any]:
        """Raises SourceUnavailableError for what the configuration has no column for."""
        kinds = self.kinds(connection)
        statement = self._rows()
        when = _column(self._config.time)
        if question.start is not None:
            statement = statement.where(when >= self._bound(kinds[self._config.time], question.start))
        if question.end is not None:
            statement = statement.where(when < self._bound(kinds[self._config.time], question.end))
        for member, value in _asked(question).items():
            name = self._config.asked.get(member)
            if name is None:
                reason = f"数据源 {self._source.name} 的 {self._table.value} 没有配置 {member} 对应的列，不能按它查询"
                raise SourceUnavailableError(reason)
            statement = statement.where(_column(name) == _comparable(kinds[name], value))
        return statement.order_by(when, self._key)

    def kinds(self, connection: Connection) -> Mapping[str, Any]:
        """Column -> its type, looked up once. Raises SourceUnavailableError for columns that are not there."""
        if not self._kinds:
            found = _inspect(connection, self._config)
            for name in (
                *(one.name for one in self._columns),
                self._config.time,
                *self._config.asked.values(),
            ):
                if name not in found:
                    near = nearest(name, found)
                    raise SourceUnavailableError(
                        f"数据源 {self._source.name}：视图 {self._config.view} 没有列 {name}{near}"
                    )
            self._kinds = found
        return self._kinds

    def _rows(self) -> Select[Any]:
        return self._bounded(select(*self._columns).select_from(self._from))

    def _bounded(self, statement: Select[Any]) -> Select[Any]:
        if self._config.where is None:
            return statement
        return statement.where(text(f"({self._config.where.replace(':', chr(92) + ':')})"))

    def _read(self, values: dict[str, Any]) -> ReadRow:
        point = Point(values[self._config.cursor], values[self._config.key])
        written = repr(tuple(values.values())).encode("utf-8", "surrogatepass")
        return ReadRow(point, hashlib.blake2b(written, digest_size=16).digest(), values)

    def _bound(self, kind: Any, beijing: str) -> Any:
        """A question's Beijing time as the column has times."""
        moment = datetime.fromisoformat(beijing).replace(tzinfo=BEIJING).astimezone(self._source.zone)
        if isinstance(kind, types.DateTime) and getattr(kind, "timezone", False):
            return moment
        moment = moment.replace(tzinfo=None)
        if self._source.dialect == "sqlite" or not isinstance(kind, types.DateTime | types.Date):
            return literal(self._like_column(moment), types.String())
        return moment

    def _like_column(self, moment: datetime) -> str:
        """Texts are compared as the column writes its own."""
        sample = select(func.max(_column(self._config.time))).select_from(self._from)
        with self._source.connected() as connection:
            written = connection.execute(sample).scalar()
        return (like(written, moment) if isinstance(written, str) else None) or moment.isoformat(
            " ", "seconds"
        )


def _column(name: str) -> ColumnClause[Any]:
    return column(quoted_name(name, quote=True))


def _asked(question: Question) -> dict[str, str]:
    members = {name: getattr(question, name) for name in ("apply_id", "patient_id", "report_id")}
    return {name: value for name, value in members.items() if value is not None}


def _comparable(kind: Any, value: str) -> Any:
    """A number for a column of numbers; a text that is none equals nothing there."""
    if isinstance(kind, types.Integer | types.Numeric):
        return int(value) if value.isascii() and value.isdigit() else None
    return value


def _inspect(connection: Connection, config: ViewConfig) -> dict[str, Any]:
    try:
        listed = inspect(connection).get_columns(config.view, schema=config.schema)
    except NoSuchTableError as error:
        raise SourceUnavailableError(f"没有视图或表 {config.view}") from error
    return {str(one["name"]): one["type"] for one in listed}


def _said(error: BaseException) -> str:
    """The driver's words, one line, without the statement and its values."""
    inner = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    return " ".join(str(inner).split())[:300] or type(inner).__name__
