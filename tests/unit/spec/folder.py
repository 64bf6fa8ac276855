"""A copy of the shipped edition that a test may break."""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

from yingqiao.spec.check import check
from yingqiao.spec.load import read_edition

Row = dict[str, str]


class Folder:
    def __init__(self, root: Path) -> None:
        self.path = root / "edition"
        shutil.copytree(str(files("yingqiao.spec").joinpath("data", "shanxi_v2_1")), self.path)

    def edit(self, name: str, change: Callable[[list[Row]], None]) -> None:
        """Change the rows of a CSV file in place."""
        file = self.path / name
        reader = csv.DictReader(io.StringIO(file.read_text("utf-8"), newline=""))
        rows = list(reader)
        columns = list(reader.fieldnames or ())
        change(rows)
        with file.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, columns, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)

    def set(self, name: str, key: tuple[str, str], /, **cells: str) -> None:
        """Set cells of the first row whose column key[0] is key[1]."""
        self.edit(name, lambda rows: next(r for r in rows if r[key[0]] == key[1]).update(cells))

    def replace(self, name: str, old: str, new: str) -> None:
        file = self.path / name
        text = file.read_text("utf-8")
        assert old in text
        file.write_text(text.replace(old, new, 1), "utf-8")

    def problems(self) -> list[str]:
        """`check: text` of every problem."""
        return [f"{p.check}: {p}" for p in check(read_edition(self.path))]
