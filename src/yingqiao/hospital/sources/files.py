"""Records in files: JSON, JSON lines and CSV, in UTF-8 or GB18030, read as a stream. A record at a time is in memory."""

from __future__ import annotations

import codecs
import csv
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

MAX_RECORD = 64 << 20
"""Characters of one record; a report with its PDF inside is a few million."""
_PIECE = 1 << 16
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
ENCODINGS = ("auto", "utf-8", "gb18030", "gbk", "utf-16")
FORMATS: Mapping[str, str] = {
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".txt": "csv",
}
_SPACE = re.compile(r"[\s,]*")

# one process-wide limit is all the csv module offers; its default would refuse a report's embedded PDF
csv.field_size_limit(MAX_RECORD)


class FileError(Exception):
    """From here on the file cannot be read; the text is Chinese."""


class BadRow:
    """One row that is none; the rows after it are read."""

    def __init__(self, reason: str) -> None:
        self.reason = reason


def read_rows(path: Path, form: str, encoding: str, delimiter: str) -> Iterator[dict[str, Any] | BadRow]:
    """The records of a file. Raises FileError where it is broken, OSError when it cannot be read."""
    chosen = detect(path) if encoding == "auto" else encoding
    reader = {"json": _json, "jsonl": _json_lines, "csv": _csv}[form]
    try:
        with path.open(encoding=chosen, newline="" if form == "csv" else None) as stream:
            yield from reader(stream, delimiter)
    except UnicodeError as error:
        raise FileError(f"不是 {chosen} 编码的文本") from error


def detect(path: Path) -> str:
    """UTF-8 when all of it is, else GB18030 when all of it is. Raises FileError when it is neither."""
    with path.open("rb") as stream:
        start = stream.read(4)
    for mark, name in _BOMS:
        if start.startswith(mark):
            return name
    for name in ("utf-8", "gb18030"):
        if _is(path, name):
            return name
    raise FileError("编码既不是 UTF-8 也不是 GB18030（GBK）")


def _is(path: Path, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    with path.open("rb") as stream:
        try:
            while piece := stream.read(_PIECE):
                decoder.decode(piece)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
    return True


def _csv(stream: TextIO, delimiter: str) -> Iterator[dict[str, Any] | BadRow]:
    rows = csv.reader(stream, delimiter=delimiter, strict=True)
    try:
        header = [name.strip().removeprefix("\ufeff") for name in next(rows, [])]
        if len(set(header)) != len(header):
            raise FileError("表头有重复的列名")
        for row in rows:
            if len(row) == len(header):
                yield dict(zip(header, row, strict=True))
            elif row and any(row):
                yield BadRow(f"第 {rows.line_num} 行有 {len(row)} 列，表头有 {len(header)} 列")
    except csv.Error as error:
        raise FileError(f"第 {rows.line_num} 行不是合法的 CSV") from error


def _json_lines(stream: TextIO, _delimiter: str) -> Iterator[dict[str, Any] | BadRow]:
    number = 0
    while line := stream.readline(MAX_RECORD):
        number += 1
        if len(line) >= MAX_RECORD:
            raise FileError(f"第 {number} 行太长")
        if line.strip():
            yield _object(_loaded(line), f"第 {number} 行")


def _loaded(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return BadRow


def _object(value: Any, where: str) -> dict[str, Any] | BadRow:
    if isinstance(value, dict):
        return value
    return BadRow(f"{where}不是合法的 JSON" if value is BadRow else f"{where}不是 JSON 对象")


def _json(stream: TextIO, _delimiter: str) -> Iterator[dict[str, Any] | BadRow]:
    """One object, an array of objects, or objects one after another."""
    buffer = _Buffer(stream)
    if buffer.peek() == "[":
        buffer.skip(1)
    number = 0
    while (start := buffer.peek()) and start != "]":
        number += 1
        yield _object(buffer.value(number), f"第 {number} 条")


class _Buffer:
    """A window on a stream of JSON values, no larger than the largest of them."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._text = ""
        self._place = 0
        self._decoder = json.JSONDecoder()

    def peek(self) -> str:
        """The next character that is neither blank nor comma; '' at the end."""
        while True:
            found = _SPACE.match(self._text, self._place)
            self._place = found.end() if found else self._place
            if self._place < len(self._text):
                return self._text[self._place]
            if not self._more(_PIECE):
                return ""

    def skip(self, count: int) -> None:
        self._place += count

    def value(self, number: int) -> Any:
        """The value at the place. Raises FileError when it never ends or is none."""
        while True:
            try:
                value, end = self._decoder.raw_decode(self._text, self._place)
            except RecursionError as error:
                raise FileError(f"第 {number} 条嵌套太深") from error
            except ValueError as error:
                held = len(self._text) - self._place
                # as much again each time: a large record is scanned a few times, not a thousand
                if held > MAX_RECORD or not self._more(max(held, _PIECE)):
                    raise FileError(f"第 {number} 条不是合法的 JSON，或文件不完整") from error
                continue
            if end == len(self._text) and not isinstance(value, dict) and self._more(_PIECE):
                continue  # a number may go on
            self._place = end
            return value

    def _more(self, size: int) -> bool:
        piece = self._stream.read(size)
        if piece:
            self._text = self._text[self._place :] + piece
            self._place = 0
        return bool(piece)


def column(row: Mapping[str, Any], name: str) -> Any:
    """A member by name, or by a dotted path into objects (`patient.name`)."""
    if name in row or "." not in name:
        return row.get(name)
    value: Any = row
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value
