"""A `[[source]]` table of hospital.toml becomes a source. Everything wrong in it is said here, before anything is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from yingqiao.hospital.mapping import ConfigError, load_mapping
from yingqiao.hospital.mapping.load import CheckColumn
from yingqiao.hospital.mapping.rules import TableMapping
from yingqiao.hospital.source import Listener, Source, Table
from yingqiao.hospital.sources.database import DatabaseSource, ViewConfig
from yingqiao.hospital.sources.tables import Members, secret

_ASKED = {
    Table.EXAM: {"apply_id": "labNum", "patient_id": "patientId", "report_id": ""},
    Table.REPORT: {"apply_id": "labNum", "patient_id": "xno", "report_id": "recordNum"},
}


def open_source(table: Mapping[str, Any], folder: Path) -> Source | Listener:
    """The source a `[[source]]` table describes; relative paths are within `folder`, hospital.toml's own.

    Opens nothing yet. Raises ConfigError with the place and the reason in Chinese.
    """
    members = Members(table, "[[source]]")
    name = members.text("name")
    try:
        members.where = ()
        source = _KINDS[members.text("type", choices=_KINDS)](name, members, folder)
        members.done()
    except ConfigError as error:
        raise error.within("[[source]]", name) from error
    return source


def _database(name: str, members: Members, folder: Path) -> DatabaseSource:
    zone = members.zone("time_zone")
    timeout = members.number("statement_timeout", 60, 1, 3600)
    url = secret(members, "url", folder)
    overlap = members.number("overlap", 600, 0, 30 * 86400)
    views = {
        table: _view(table, Members(members.raw(table.value), table.value), overlap, mapping)
        for table, mapping in _mappings(members, zone=zone).items()
    }
    return DatabaseSource(name, url, folder, timeout, zone, views)


def _view(table: Table, members: Members, overlap: float, mapping: TableMapping) -> ViewConfig:
    members.raw("fields")
    cursor = members.text("cursor")
    asked = {
        name: members.optional(name) or mapping.column_of(field) for name, field in _ASKED[table].items()
    }
    config = ViewConfig(
        view=members.text("view"),
        schema=members.optional("schema"),
        key=members.text("key"),
        cursor=cursor,
        overlap=members.number("overlap", overlap, 0, 10**9),
        where=members.optional("where"),
        time=members.text("time", cursor),
        asked={name: column for name, column in asked.items() if column},
        mapping=mapping,
    )
    members.done()
    return config


def _mappings(
    members: Members, *, check_column: CheckColumn | None = None, **more: Any
) -> dict[Table, TableMapping]:
    """The mapping of each table the source has. Raises ConfigError when it has none."""
    codes = members.raw("codes") or {}
    if not isinstance(codes, Mapping) or not all(isinstance(one, Mapping) for one in codes.values()):
        raise ConfigError("应为 [source.codes.名字] 的表", "codes")
    found = {}
    for table in Table:
        said = members.raw(table.value)
        if said is None:
            continue
        fields = Members(said, table.value).raw("fields")
        try:
            found[table] = load_mapping(table, fields, codes, check_column=check_column, **more)
        except ConfigError as error:
            raise error.within(table.value) from error
    if not found:
        raise ConfigError("至少要有 [source.exam] 或 [source.report]")
    return found


_KINDS: Mapping[str, Callable[[str, Members, Path], Source | Listener]] = {"database": _database}
