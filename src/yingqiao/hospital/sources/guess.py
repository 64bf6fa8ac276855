"""A first mapping guessed from a view's column names: by the wire name, the Chinese label, or what they are often called."""

from __future__ import annotations

import difflib
import json
import re
from pathlib import Path

from sqlalchemy import inspect
from sqlalchemy.exc import SQLAlchemyError

from yingqiao.hospital.mapping.errors import ConfigError
from yingqiao.hospital.mapping.load import KEY_FIELDS
from yingqiao.hospital.mapping.plain import BEIJING
from yingqiao.hospital.source import SourceUnavailableError, Table
from yingqiao.hospital.sources.engines import open_engine
from yingqiao.spec import Field, load_edition

_OFTEN = {
    "patName": ("xm", "hzxm", "patientname", "姓名", "name"),
    "sex": ("xb", "gender", "性别"),
    "idCard": ("sfzh", "zjhm", "身份证号"),
    "patBirthday": ("csrq", "birthday", "birthdate", "出生日期"),
    "patAge": ("nl", "age", "年龄"),
    "patTelephone": ("lxdh", "sjh", "phone", "mobile", "电话"),
    "risStudyId": ("jcid", "jclsh", "examid", "检查号", "检查流水号"),
    "accessionNumber": ("accno", "accession", "accessno"),
    "studyUid": ("studyinstanceuid", "studyuid"),
    "lastChangeTime": ("gxsj", "xgsj", "updatedat", "updatetime", "changed", "更新时间"),
    "checkFinishTime": ("jcsj", "examtime", "studytime", "检查时间"),
    "recordNum": ("bgid", "reportid", "报告号"),
    "findings": ("yxsj", "jcsj_text", "影像所见", "检查所见"),
    "inspectExamResult": ("zdjl", "yxzd", "conclusion", "诊断意见", "影像诊断"),
}
_CLOSE = 0.8


def first_mapping(url: str, view: str, schema: str | None, table: Table) -> str:
    """A `[[source]]` table in TOML. Raises ConfigError, SourceUnavailableError."""
    columns = _columns(url, view, schema)
    guessed = guess(table, columns)
    cursor = guessed.get("lastChangeTime") or columns[0]
    key = guessed.get(KEY_FIELDS[table]) or columns[0]
    head = [
        "[[source]]",
        'name = "ris"',
        'type = "database"',
        f"url = {_quoted(url)}",
        "",
        f"[source.{table.value}]",
    ]
    head += [f"view = {_quoted(view)}", *([f"schema = {_quoted(schema)}"] if schema else [])]
    head += [f"key = {_quoted(key)}", f"cursor = {_quoted(cursor)}", "", f"[source.{table.value}.fields]"]
    body = [_line(f, guessed.get(f.name)) for f in load_edition().tables[table.value].fields]
    unused = [name for name in columns if name not in {*guessed.values(), key, cursor}]
    tail = [f"# 没有用到的列：{_one_line('、'.join(unused))}"] if unused else []
    return "\n".join([*head, *body, *tail, ""])


def guess(table: Table, columns: list[str]) -> dict[str, str]:
    """Standard field -> column; each column once, the surest first."""
    folded = {_fold(name): name for name in columns}
    found: dict[str, str] = {}
    for sure in (True, False):
        for field in load_edition().tables[table.value].fields:
            if field.name not in found:
                column = _named(field, folded) if sure else _close(field, folded)
                if column is not None:
                    found[field.name] = folded.pop(column)
    return found


def _named(field: Field, folded: dict[str, str]) -> str | None:
    names = (field.name, field.label, *_OFTEN.get(field.name, ()))
    return next((name for one in names if (name := _fold(one)) in folded), None)


def _close(field: Field, folded: dict[str, str]) -> str | None:
    found = difflib.get_close_matches(_fold(field.name), folded, n=1, cutoff=_CLOSE)
    return found[0] if found else None


def _line(field: Field, column: str | None) -> str:
    words = f"{field.label}{'（必填）' if field.required.value == 'yes' else ''}"
    if column is None:
        return f'# {field.name} = ""  # {words}'
    return f"{field.name} = {_quoted(column)}  # {words}"


def _columns(url: str, view: str, schema: str | None) -> list[str]:
    engine = open_engine(url, Path(), 60, BEIJING)
    try:
        found = [str(one["name"]) for one in inspect(engine).get_columns(view, schema=schema)]
    except SQLAlchemyError as error:
        raise SourceUnavailableError(f"不能读取 {view} 的列：{type(error).__name__}") from error
    finally:
        engine.dispose()
    if not found:
        raise ConfigError(f"没有视图或表 {view}")
    return found


def _fold(name: str) -> str:
    return re.sub(r"[\s_\-]", "", name).casefold()


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _one_line(text: str) -> str:
    return "".join(ch if ch.isprintable() else "?" for ch in text)
