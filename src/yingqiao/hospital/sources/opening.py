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
from yingqiao.hospital.sources.files import ENCODINGS
from yingqiao.hospital.sources.folder import FolderConfig, FolderSource
from yingqiao.hospital.sources.hl7 import Hl7Listener, MessageConfig
from yingqiao.hospital.sources.hl7_message import path_of
from yingqiao.hospital.sources.inbox import READY, Inbox
from yingqiao.hospital.sources.mllp import Limits
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


def _folder(name: str, members: Members, folder: Path) -> FolderSource:
    root = folder / members.text("path")
    ready = members.text("ready", "stable", choices=READY)
    common: dict[str, Any] = {
        "folder": root,
        "done": root / members.text("done", "done"),
        "failed": root / members.text("failed", "failed"),
        "ready": ready,
        "stable_seconds": members.number("stable_seconds", 5, 0, 3600),
        "marker": members.text("marker", ".ok"),
    }
    configs = {
        table: _files(table, Members(members.raw(table.value), table.value), common, mapping)
        for table, mapping in _mappings(members).items()
    }
    return FolderSource(name, configs)


def _files(table: Table, members: Members, common: Mapping[str, Any], mapping: TableMapping) -> FolderConfig:
    members.raw("fields")
    pattern = members.text("files")
    if Path(pattern).is_absolute() or ".." in Path(pattern).parts:
        raise members.error("files", "应为 path 之下的文件名样式，如 exam-*.csv")
    delimiter = members.text("delimiter", ",")
    if len(delimiter) != 1:
        raise members.error("delimiter", "应为一个字符")
    part = Path(table.value)
    inbox = Inbox(
        pattern=pattern, **{**common, "done": common["done"] / part, "failed": common["failed"] / part}
    )
    config = FolderConfig(
        inbox=inbox,
        form=members.text("format", "auto", choices=("auto", "json", "jsonl", "csv")),
        encoding=members.text("encoding", "auto", choices=ENCODINGS),
        delimiter=delimiter,
        time=members.text("time", "lastChangeTime"),
        asked={name: field for name, field in _ASKED[table].items() if field},
        mapping=mapping,
    )
    members.done()
    return config


def _hl7(name: str, members: Members, _folder: Path) -> Hl7Listener:
    default = Limits()
    limits = Limits(
        message_bytes=members.count("max_message_bytes", default.message_bytes, 1024, 256 << 20),
        message_seconds=members.number("message_seconds", default.message_seconds, 0.1, 3600),
        idle_seconds=members.number("idle_seconds", default.idle_seconds, 0.1, 86400),
        connections=members.count("max_connections", default.connections, 1, 1000),
    )
    configs = {
        table: _messages(table, Members(members.raw(table.value), table.value), mapping)
        for table, mapping in _mappings(members, check_column=_check_path).items()
    }
    return Hl7Listener(
        name=name,
        host=members.text("host", "0.0.0.0"),  # noqa: S104 -- the RIS is another machine
        port=members.count("port", 2575, 0, 65535),
        charset=members.text("charset", "utf-8", choices=("utf-8", "gb18030", "gbk", "big5")).replace(
            "gbk", "gb18030"
        ),
        limits=limits,
        configs=configs,
    )


_MESSAGES = {Table.EXAM: ("ORM^O01", "order"), Table.REPORT: ("ORU^R01", "message")}


def _messages(table: Table, members: Members, mapping: TableMapping) -> MessageConfig:
    members.raw("fields")
    kind, per = _MESSAGES[table]
    kinds = members.raw("messages") or [kind]
    if not isinstance(kinds, list) or not all(isinstance(one, str) and "^" in one for one in kinds):
        raise members.error("messages", f'应为消息类型的数组，如 ["{kind}"]')
    config = MessageConfig(
        frozenset(kinds), members.text("per", per, choices=("order", "message")) == "order", mapping
    )
    members.done()
    return config


def _check_path(column: str) -> None:
    path_of(column)


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


_KINDS: Mapping[str, Callable[[str, Members, Path], Source | Listener]] = {
    "database": _database,
    "folder": _folder,
    "hl7": _hl7,
}
