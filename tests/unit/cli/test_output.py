"""Tables line up with Chinese text; JSON and CSV are for programs."""

from __future__ import annotations

import json
import unicodedata

import pytest

from yingqiao.cli.output import Shape, show_rows, when

ROWS = [{"code": "H1", "name": "太原市某某医院", "off": True}, {"code": "H22", "name": "A", "off": False}]
COLUMNS = {"code": "代码", "name": "名称", "off": "停用"}


def _columns(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def test_columns_line_up_with_wide_characters(capsys: pytest.CaptureFixture[str]) -> None:
    show_rows(ROWS, COLUMNS, Shape.TABLE)
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    starts = {
        _columns(line[: line.index(word)]) for line, word in zip(lines, ("停用", "是", "否"), strict=True)
    }
    assert len(starts) == 1


def test_json_and_csv(capsys: pytest.CaptureFixture[str]) -> None:
    show_rows(ROWS, COLUMNS, Shape.JSON)
    assert json.loads(capsys.readouterr().out) == ROWS
    show_rows(ROWS, COLUMNS, Shape.CSV)
    assert capsys.readouterr().out.splitlines()[1] == "H1,太原市某某医院,是"
    show_rows([], COLUMNS, Shape.JSON)
    assert json.loads(capsys.readouterr().out) == []


def test_csv_runs_no_formulas(capsys: pytest.CaptureFixture[str]) -> None:
    """A patient may be called =HYPERLINK(…); a number below zero is a number."""
    row = {"code": "=1+1", "name": "@SUM", "off": -5}
    show_rows([row], COLUMNS, Shape.CSV)
    assert capsys.readouterr().out.splitlines()[1] == "'=1+1,'@SUM,-5"
    show_rows([row], COLUMNS, Shape.JSON)
    assert json.loads(capsys.readouterr().out) == [row]


def test_moments_are_shown_in_beijing_time() -> None:
    assert when(0) == "1970-01-01 08:00:00"
    assert when(None) == ""
