"""Checks of what lies beside the tables: the README's rows, the examples, the text of the files."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

from yingqiao.spec.load import read_rows
from yingqiao.spec.model import Edition
from yingqiao.spec.notes import notes_of
from yingqiao.spec.parts import parts_of, target_of
from yingqiao.spec.problem import Problem


def traps_explained(edition: Edition) -> Iterator[Problem]:
    """A field names a README row exactly when the row names the field."""
    notes = notes_of(edition)
    by_field = {(t.id, f.name, trap) for t in edition.tables.values() for f in t.fields for trap in f.traps}
    by_row = {(*pair, note.id) for note in notes.values() for pair in note.fields}
    for table, name, trap in sorted(by_field - by_row):
        text = f"README.md 的 {trap} 没有列出这个字段" if trap in notes else f"README.md 没有 {trap}"
        yield Problem("traps", f"{table}.{name}", text)
    for table, name, trap in sorted(by_row - by_field):
        yield Problem("traps", f"README.md {trap}", f"列出的 {table}.{name} 不存在，或其 traps 没有 {trap}")
    for condition in edition.conditions:
        for trap in condition.traps:
            if trap not in notes:
                yield Problem(
                    "traps", f"conditions.csv {condition.table}.{condition.field}", f"README.md 没有 {trap}"
                )


def examples_fit(edition: Edition) -> Iterator[Problem]:
    if edition.folder is None:
        return
    folder = edition.folder.joinpath("examples")
    rows = read_rows(folder, "INDEX.csv")
    for name in sorted({f.name for f in folder.iterdir()} ^ {"INDEX.csv", *(row["file"] for row in rows)}):
        yield Problem("examples", f"examples/{name}", "文件与 INDEX.csv 不一致")
    for row in rows:
        where = f"examples/{row['file']}"
        if row["interface"] and row["interface"] not in edition.interfaces:
            yield Problem("examples", where, f"没有接口 {row['interface']}")
        try:
            value = json.loads(folder.joinpath(row["file"]).read_text("utf-8"))
        except (OSError, ValueError) as error:
            yield Problem("examples", where, f"不可读：{error}")
            continue
        if row["table"]:
            yield from _members_known(edition, row["table"], row["part"], value, where)


COMMON_PARAMETERS = {"coss": ("coss_common", "request")}
"""Envelope families whose requests carry the members of a common table too (四(二)4(4), T130)."""


def _members_known(
    edition: Edition, table_id: str, part: str, value: object, where: str
) -> Iterator[Problem]:
    table = edition.tables.get(table_id)
    if table is None or part not in parts_of(table):
        yield Problem("examples", where, f"没有表 {table_id} 的 {part!r} 部分")
        return
    fields = {f.name: f for f in parts_of(table)[part]}
    known = {*fields, *table.aliases, *_common(edition, table_id, part)}
    for element in value if isinstance(value, list) else [value]:
        if not isinstance(element, dict):
            yield Problem("examples", where, f"{table_id} 的内容应为对象")
            continue
        for name, member in element.items():
            target = target_of(table, fields[name]) if name in fields else None
            if name not in known:
                yield Problem("examples", where, f"{name} 不是表 {table_id} 的字段")
            elif target and member not in ("", None):
                yield from _members_known(edition, *target, member, where)


def _common(edition: Edition, table_id: str, part: str) -> set[str]:
    """Members that come with the family, and deviceId which only an example shows (T130)."""
    families = {i.envelope for i in edition.interfaces.values() if i.request == table_id}
    names: set[str] = set()
    for family in families & COMMON_PARAMETERS.keys():
        common, common_part = COMMON_PARAMETERS[family]
        if part == common_part and common in edition.tables:
            names |= {f.name for f in edition.tables[common].fields if f.group == part} | {"deviceId"}
    return names


def text_clean(edition: Edition) -> Iterator[Problem]:
    for file, name in _files(edition.folder) if edition.folder is not None else ():
        raw = file.read_bytes()
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            yield Problem("text", name, f"不是 UTF-8：{error}")
            continue
        if text.startswith("\ufeff") or "\r" in text or "\ufffd" in text:
            yield Problem("text", name, "含有 BOM、CR 或替换字符")
        if name.endswith(".csv"):
            yield from _cells_clean(text, name)


def _cells_clean(text: str, name: str) -> Iterator[Problem]:
    head, *rows = list(csv.reader(io.StringIO(text))) or [[]]
    separator = head.index("separator") if "separator" in head else -1
    for number, row in enumerate(rows, 2):
        if len(row) != len(head):
            yield Problem("text", f"{name} 第 {number} 行", f"有 {len(row)} 格，表头有 {len(head)} 格")
        elif any(cell != cell.strip() for n, cell in enumerate(row) if n != separator):
            yield Problem("text", f"{name} 第 {number} 行", "单元格有首尾空白")


def _files(folder: Path, prefix: str = "") -> Iterator[tuple[Path, str]]:
    for entry in sorted(folder.iterdir(), key=lambda e: e.name):
        if entry.is_dir():
            yield from _files(entry, f"{prefix}{entry.name}/")
        else:
            yield entry, prefix + entry.name
