"""Mappings: the closed list of transforms, what is refused at load, and no row that makes them fail (五(一), 五(二))."""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yingqiao.hospital.mapping import ConfigError, Tally, load_mapping
from yingqiao.hospital.mapping.check import check
from yingqiao.hospital.mapping.page import page
from yingqiao.hospital.mapping.rules import BYTES, CODE, VALUE
from yingqiao.hospital.mapping.transforms import TRANSFORMS, make_transform
from yingqiao.hospital.source import Table
from yingqiao.hospital.sources import open_source
from yingqiao.hospital.sources.preview import PreviewRow
from yingqiao.spec import load_edition

ROOT = Path(__file__).parents[4]
EXAMPLES = [(name, *example) for name, one in TRANSFORMS.items() for example in one.examples]


def mapped(row: dict[str, Any], table: Table = Table.EXAM, **fields: Any) -> Any:
    key = {"risStudyId": {"value": "E1"}} if table is Table.EXAM else {"recordNum": {"value": "R1"}}
    return load_mapping(table, key | fields).apply(row.get)


@pytest.mark.parametrize(("name", "arguments", "value", "result"), EXAMPLES)
def test_each_transform_does_what_its_page_shows(
    name: str, arguments: tuple[Any, ...], value: Any, result: Any
):
    assert make_transform(name, arguments)[1](value) == result


def test_the_reference_page_is_generated():
    assert (ROOT / "docs/reference/mapping.md").read_text("utf-8") == page()


def test_every_field_of_the_standard_can_be_mapped():
    for table in Table:
        for field in load_edition().tables[table.value].fields:
            how: Any = {"objects": {"setId": "a"}} if field.items else "a"
            load_mapping(
                table,
                {"risStudyId": "k", "recordNum": "k"} | {field.name: how}
                if table is Table.REPORT
                else {"risStudyId": "k"} | {field.name: how},
            )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (dt.datetime.fromisoformat("2026-03-05 14:20:00.000999"), "2026-03-05 14:20:00"),
        (dt.datetime(2026, 3, 5, 6, 20, tzinfo=dt.UTC), "2026-03-05 14:20:00"),
        (dt.date(2026, 3, 5), "2026-03-05"),
        (Decimal("12.50"), "12.5"),
        (Decimal("1E+3"), "1000"),
        (3, "3"),
        (3.0, "3"),
        (True, "1"),
        ("张三".encode(), "张三"),
    ],
)
def test_what_drivers_give_becomes_text(value: Any, text: str):
    """T55, T16."""
    assert mapped({"a": value}, patName="a").values["patName"] == text


@pytest.mark.parametrize("value", [None, "", b""])
def test_nothing_is_left_out(value: Any):
    """三(六)6: 有则必填; T15."""
    assert "patName" not in mapped({"a": value}, patName="a").values


def test_integers_are_integers():
    assert mapped({"a": "1"}, isEmergency="a").values["isEmergency"] == 1


def test_lists_take_the_standards_separator():
    """T50: examWay by ，; accessionNumber by ,."""
    values = mapped(
        {"a": "1/2", "b": "A;B"},
        examWay={"column": "a", "transform": [["split", "/"]]},
        accessionNumber={"column": "b", "transform": [["split", ";"]]},
    ).values
    assert values["examWay"] == "1，2"
    assert values["accessionNumber"] == "A,B"


def test_a_template_joins_columns():
    """T58."""
    how = {"template": "{a} / {b}"}
    assert mapped({"a": "x", "b": "y"}, reserveTime=how).values["reserveTime"] == "x / y"
    assert "reserveTime" not in mapped({"a": "", "b": None}, reserveTime=how).values


def test_settlement_from_columns():
    """五(一)111."""
    how = {"objects": {"setId": "s", "examPart": {"value": "B11010000"}}}
    assert mapped({"s": 5}, setInfoList=how).values["setInfoList"] == [
        {"setId": "5", "examPart": "B11010000"}
    ]
    assert "setInfoList" not in mapped({}, setInfoList=how).values


def test_an_unknown_code_is_a_finding_with_its_value_and_count():
    mapping = load_mapping(
        Table.EXAM, {"risStudyId": "i", "sex": {"column": "x", "codes": {"男": 1, "女": 2}}}
    )
    tally = Tally()
    for value in ("男", "M", "M", "X"):
        result = mapping.apply({"i": "1", "x": value}.get)
        tally.add("exam", result.findings)
        assert ("sex" in result.values) == (value == "男")
    assert {(k[1], k[2]): n for k, n in tally.counts.items() if "“M”" in k[3]} == {("sex", CODE): 2}


def test_a_default_stands_for_unknown_codes_and_is_still_found():
    result = mapped({"x": "?"}, sex={"column": "x", "codes": {"男": "1"}, "default": "0"})
    assert result.values["sex"] == "0"
    assert result.findings[0].rule == CODE


def test_a_value_a_transform_cannot_read_goes_as_it_is():
    result = mapped({"x": "明天"}, patBirthday={"column": "x", "transform": ["date"]})
    assert result.values["patBirthday"] == "明天"
    assert result.findings[0].rule == VALUE


def test_bytes_that_are_no_text_break_the_record():
    result = mapped({"x": b"\xff\xfe\xfa"}, patName="x")
    assert result.findings[0].rule == BYTES
    assert "patName" in result.broken


def test_gbk_read_as_latin1_is_repaired():
    wrong = "张三丰".encode("gbk").decode("cp1252", "ignore")
    assert (
        mapped(
            {"x": "张三".encode("gbk").decode("latin-1")},
            patName={"column": "x", "transform": ["gbk-repair"]},
        ).values["patName"]
        == "张三"
    )
    assert isinstance(
        mapped({"x": wrong}, patName={"column": "x", "transform": ["gbk-repair"]}).values["patName"], str
    )


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"risStudyID": "a"}, "没有字段 risStudyID，最接近的是 risStudyId"),
        ({"patName": "a"}, "必须有 risStudyId"),
        ({"risStudyId": {"column": "a", "transform": ["trimm"]}}, "没有转换 trimm，最接近的是 trim"),
        ({"risStudyId": {"column": "a", "transform": [["prefix"]]}}, "参数应为：文本"),
        ({"risStudyId": {"column": "a", "transform": [["prefix", 1]]}}, "类型不对"),
        ({"risStudyId": {"column": "a", "transform": [["date-in", "yyyy-QQ"]]}}, "格式由 yyyy"),
        ({"risStudyId": {"columns": ["a", "b"]}}, "结果是列表"),
        ({"risStudyId": {"template": "{a}", "transform": ["first"]}}, "要一个列表"),
        ({"risStudyId": {"template": "{a!r}"}}, "只写列名"),
        ({"risStudyId": {"template": "{a"}}, "不配对"),
        ({"risStudyId": {"column": "a", "value": "b"}}, "只能有一个"),
        ({"risStudyId": {"colunm": "a"}}, "不认识 colunm，最接近的是 column"),
        ({"risStudyId": 5}, "应为列名"),
        ({"risStudyId": "a", "sex": {"column": "b", "codes": {"男": "7"}}}, "不在标准的生理性别字典表"),
        ({"risStudyId": "a", "sex": {"value": "男人"}}, "不在标准的"),
        ({"risStudyId": "a", "sex": {"column": "b", "codes": "sexes"}}, "没有名为 sexes"),
        ({"risStudyId": "a", "setInfoList": {"value": "1"}}, "该字段是数组"),
        ({"risStudyId": "a", "setInfoList": {"objects": {"setID": "x"}}}, "最接近的是 setId"),
        ({}, "缺少 fields"),
        ([], "缺少 fields"),
    ],
)
def test_what_cannot_be_is_refused_at_load(fields: Any, words: str):
    with pytest.raises(ConfigError, match=re.escape(words)):
        load_mapping(Table.EXAM, fields)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"name": "a", "type": "databse"}, "最接近的是 database"),
        ({"type": "database"}, "name：必须填写"),
        (
            {
                "name": "a",
                "type": "database",
                "exam": {"fields": {"risStudyId": "i"}, "key": "i", "cursor": "c"},
            },
            "url：必须填写",
        ),
        (
            {
                "name": "a",
                "type": "database",
                "url": "sqlite:///x",
                "exam": {"fields": {"risStudyId": "i"}, "key": "i", "cursor": "c"},
            },
            "exam view：必须填写",
        ),
        ({"name": "a", "type": "database", "url": "nonsense"}, "至少要有"),
        (
            {"name": "a", "type": "database", "url": "sqlite:///x", "exam": {"fields": {"risStudyid": "i"}}},
            "[[source]] a exam：标准的 exam 表没有字段 risStudyid",
        ),
        (
            {
                "name": "a",
                "type": "folder",
                "path": "p",
                "exam": {"files": "../*.csv", "fields": {"risStudyId": "i"}},
            },
            "path 之下",
        ),
        (
            {
                "name": "a",
                "type": "folder",
                "path": "p",
                "stabel": 1,
                "exam": {"files": "*.csv", "fields": {"risStudyId": "i"}},
            },
            "不认识 stabel",
        ),
    ],
)
def test_errors_of_a_source_name_the_place(table: Any, words: str):
    with pytest.raises(ConfigError, match=re.escape(words)):
        open_source(table, Path())


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary()
    | st.decimals()
    | st.datetimes()
    | st.dates()
    | st.times()
    | st.uuids()
    | st.timedeltas(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
ARGUMENTS = {name: one.examples[0][0] for name, one in TRANSFORMS.items()}


@given(anything)
def test_no_value_makes_a_transform_fail(value: Any):
    for name, arguments in ARGUMENTS.items():
        step = [name, *arguments] if arguments else name
        for target in ("patName", "examWay", "isEmergency"):
            try:
                mapping = load_mapping(
                    Table.EXAM, {"risStudyId": "k", target: {"column": "a", "transform": [step]}}
                )
            except ConfigError:
                continue
            mapping.apply({"k": "1", "a": value}.get)


@given(st.lists(anything, min_size=3, max_size=3), st.lists(st.sampled_from(sorted(TRANSFORMS)), max_size=4))
def test_no_row_makes_a_chain_fail(row: list[Any], names: list[str]):
    steps = [[name, *ARGUMENTS[name]] for name in names]
    columns = dict(zip("abc", row, strict=True))
    for how in ({"columns": ["a", "b", "c"]}, {"column": "a"}, {"template": "{a}-{b}{c}"}):
        try:
            mapping = load_mapping(
                Table.REPORT, {"recordNum": "b", "findings": {**how, "transform": steps, "codes": {"x": "y"}}}
            )
        except ConfigError:
            continue
        result = mapping.apply(columns.get)
        assert all(isinstance(name, str) for name in result.values)
        check(Table.REPORT, mapping, [PreviewRow("x", ("a", "b", "c"), result)])
