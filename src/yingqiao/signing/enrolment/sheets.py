"""Sheets of applications: XLSX, CSV or JSON in, rows out; and the empty sheet of a form to fill in. Bytes in, bytes out."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from yingqiao.signing.enrolment.form import FieldKind, Form, Problem, check, clean, columns, from_row
from yingqiao.signing.errors import SigningRefused

SHAPES: Final = ("xlsx", "csv", "json")
MAX_BYTES: Final = 4 * 1024 * 1024
MAX_ROWS: Final = 2000
MAX_COLUMNS: Final = 64
MAX_UNPACKED: Final = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True, repr=False)
class SheetRow:
    """One application of a sheet. `line` as people count: the head line is 1; in JSON the first entry is 1."""

    line: int
    entries: dict[str, str]
    problems: tuple[Problem, ...]


def shape_of(name: str) -> str:
    """By a file name's ending. Raises SigningRefused."""
    ending = name.rpartition(".")[2].lower()
    if ending not in SHAPES:
        raise SigningRefused("sheet-format", "表格应为 .xlsx、.csv 或 .json 文件")
    return ending


def read_sheet(form: Form, content: bytes, shape: str) -> list[SheetRow]:
    """Every row that is not empty, each with its problems. Raises SigningRefused for what is no such sheet."""
    if len(content) > MAX_BYTES:
        raise SigningRefused("sheet-size", f"表格不得超过 {MAX_BYTES // 1024 // 1024} MiB")
    if shape == "json":
        found = list(enumerate(_json_entries(form, content), 1))
    else:
        lines = _xlsx_lines(content) if shape == "xlsx" else _csv_lines(content)
        found = list(_rows(form, lines))
    if not found:
        raise SigningRefused("sheet-empty", "表格里没有内容")
    if len(found) > MAX_ROWS:
        raise SigningRefused("sheet-size", f"一次至多 {MAX_ROWS} 行")
    return [SheetRow(line, entries, tuple(check(form, entries))) for line, entries in found]


def template(form: Form) -> bytes:
    """The empty sheet (XLSX): columns as `read_sheet` wants them, choices as lists, everything text."""
    import xlsxwriter  # only who asks for it pays for it

    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"in_memory": True})
    sheet = book.add_worksheet(form.title[:31])
    head = book.add_format({"bold": True, "bg_color": "#E8EEF4", "num_format": "@"})
    text = book.add_format({"num_format": "@"})
    sheet.write_row(0, 0, columns(form), head)
    sheet.freeze_panes(1, 0)
    for at, field in enumerate(form.fields):
        sheet.set_column(at, at, max(12, 2 * len(field.label) + 4), text)
        if field.hint:
            sheet.write_comment(0, at, field.hint)
        if field.kind is FieldKind.CHOICE:
            sheet.data_validation(1, at, MAX_ROWS, at, {"validate": "list", "source": list(field.choices)})
    book.close()
    return out.getvalue()


def _rows(form: Form, lines: Iterator[Sequence[object]]) -> Iterator[tuple[int, dict[str, str]]]:
    head: list[str] | None = None
    for number, line in enumerate(islice(lines, MAX_ROWS * 2), 1):
        cells = [_text(cell) for cell in line[:MAX_COLUMNS]]
        if not any(cells):
            continue
        if head is None:
            head = cells
            _refuse_other_head(form, head)
        else:
            yield number, from_row(form, head, cells)


def _refuse_other_head(form: Form, head: Sequence[str]) -> None:
    known = {field.label for field in form.fields} | {field.name for field in form.fields}
    given = {cell.lstrip("*").strip() for cell in head}
    if not known & given:
        raise SigningRefused("sheet-head", f"首行应为列名：{'、'.join(columns(form))}")


def _text(cell: object) -> str:
    """A cell as text: numbers without the decimals a spreadsheet puts there."""
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell).strip()[:4096]


def _xlsx_lines(content: bytes) -> Iterator[Sequence[object]]:
    """The first worksheet. Raises SigningRefused."""
    import openpyxl  # only who imports pays for it
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            if sum(part.file_size for part in packed.infolist()) > MAX_UNPACKED:
                raise SigningRefused("sheet-size", "表格展开后过大")
        book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True, keep_links=False)
        sheet: Any = book.worksheets[0]
        rows = sheet.iter_rows(max_row=MAX_ROWS * 2, max_col=MAX_COLUMNS, values_only=True)
        yield from list(rows)
        book.close()
    except SigningRefused:
        raise
    except (
        InvalidFileException,
        zipfile.BadZipFile,
        KeyError,
        ValueError,
        IndexError,
        TypeError,
        SyntaxError,
        AttributeError,
        OSError,
        RuntimeError,
    ) as error:  # what hostile files make of the reader
        raise SigningRefused("sheet-format", "不是可读的 XLSX 表格（请用表格软件另存为 .xlsx）") from error


def _csv_lines(content: bytes) -> Iterator[Sequence[object]]:
    """UTF-8 or, as spreadsheets of Chinese offices save it, GB 18030. Raises SigningRefused."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        try:
            text = content.decode("gb18030")
        except UnicodeDecodeError as error:
            raise SigningRefused("sheet-format", "CSV 的编码应为 UTF-8 或 GB 18030") from error
    try:
        yield from csv.reader(io.StringIO(text, newline=""))
    except csv.Error as error:
        raise SigningRefused("sheet-format", "不是可读的 CSV 表格") from error


def _json_entries(form: Form, content: bytes) -> list[dict[str, str]]:
    """An array of objects, or one object; members are the form's names or labels."""
    try:
        said = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise SigningRefused("sheet-format", "不是合法的 JSON") from error
    listed = said if isinstance(said, list) else [said]
    if not all(isinstance(one, dict) for one in listed):
        raise SigningRefused("sheet-format", "JSON 应为对象，或对象的数组")
    by_label = {field.label: field.name for field in form.fields}
    return [clean(form, {by_label.get(name, name): value for name, value in one.items()}) for one in listed]
