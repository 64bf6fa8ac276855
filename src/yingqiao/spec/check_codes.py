"""Checks of the code lists."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

from yingqiao.spec.load import read_manifest, read_rows
from yingqiao.spec.model import CodeList, Edition
from yingqiao.spec.problem import Problem
from yingqiao.spec.rules import MATCHES, STATUSES


def _where(codes: CodeList, code: str = "") -> str:
    return f"代码表 {codes.id}" + (f" {code}" if code else "")


def lists_whole(edition: Edition) -> Iterator[Problem]:
    for codes in edition.code_lists.values():
        for name, times in Counter(c.name for c in codes.codes.values()).items():
            if times > 1 or not name:
                yield Problem("code-lists", _where(codes), f"名称 {name!r} 出现 {times} 次")
        if not codes.title:
            yield Problem("code-lists", _where(codes), "没有名称")
        if codes.match not in MATCHES:
            yield Problem("code-lists", _where(codes), f"未知的 match {codes.match!r}")
        for code in codes.codes.values():
            if code.status not in STATUSES:
                yield Problem("code-lists", _where(codes, code.code), f"未知的状态 {code.status!r}")
            if not (code.code and code.printed_code and code.printed_name):
                yield Problem("code-lists", _where(codes, code.code), "代码、印刷代码或印刷名称为空")
    yield from _promised_lists(edition)


def _promised_lists(edition: Edition) -> Iterator[Problem]:
    if edition.folder is None:
        return
    found = sum(not codes.inline for codes in edition.code_lists.values())
    want = read_manifest(edition.folder).get("promised", {}).get("code_lists", found)
    if found != want:
        yield Problem("code-lists", "dictionaries.csv", f"标准有 {want} 张字典，实有 {found}")
    listed = {f"{c.id}.csv" for c in edition.code_lists.values() if not c.inline}
    for name in sorted({f.name for f in edition.folder.joinpath("dictionaries").iterdir()} - listed):
        yield Problem("code-lists", f"dictionaries/{name}", "dictionaries.csv 中没有这张字典")
    for index in ("dictionaries.csv", "enum_lists.csv"):
        for name, times in Counter(row["list"] for row in read_rows(edition.folder, index)).items():
            if times > 1:
                yield Problem("code-lists", index, f"{name} 出现 {times} 次")
    for row in read_rows(edition.folder, "enums.csv"):
        if row["list"] not in edition.code_lists:
            yield Problem("code-lists", "enums.csv", f"enum_lists.csv 中没有 {row['list']}")


def codes_match_pattern(edition: Edition) -> Iterator[Problem]:
    for codes in edition.code_lists.values():
        if not codes.pattern or not _compiles(codes.pattern):
            continue
        for code in codes.codes.values():
            fits = re.fullmatch(codes.pattern, code.code) is not None
            if fits == (code.status == "unverified"):
                text = "未核实的代码却符合写法" if fits else f"代码不符合 {codes.pattern}"
                yield Problem("code-patterns", _where(codes, code.code), text)


def _compiles(pattern: str) -> bool:
    try:
        re.compile(pattern)
    except re.error:
        return False
    return True


def repairs_explained(edition: Edition) -> Iterator[Problem]:
    for codes in edition.code_lists.values():
        for code in codes.codes.values():
            where = _where(codes, code.code)
            if (code.code != code.printed_code) != (code.status == "corrected"):
                yield Problem("code-repairs", where, "状态 corrected 与印刷代码不一致")
            if code.status != "ok" and not code.note:
                yield Problem("code-repairs", where, f"状态 {code.status} 没有说明")
            proposed = code.extra.get("proposed_code", "")
            if proposed and (proposed in codes.codes or code.status not in ("unverified", "suspect")):
                yield Problem("code-repairs", where, f"建议的代码 {proposed} 已被占用，或该代码并无疑问")


def status_counts(edition: Edition) -> Iterator[Problem]:
    if edition.folder is None:
        return
    promised = read_manifest(edition.folder).get("promised", {}).get("status", {})
    for name, wanted in promised.items():
        if name not in edition.code_lists:
            yield Problem("code-counts", f"代码表 {name}", "没有这张表")
            continue
        found = Counter(c.status for c in edition.code_lists[name].codes.values())
        for status in sorted({*found, *wanted}):
            if found[status] != wanted.get(status, 0):
                text = f"{status}：应为 {wanted.get(status, 0)}，实有 {found[status]}"
                yield Problem("code-counts", f"代码表 {name}", text)


def composed_codes_agree(edition: Edition) -> Iterator[Problem]:
    """六(十五): the code is modality, region, item, version in a row; items run from 001 in each region."""
    if edition.folder is None:
        return
    for name, columns in read_manifest(edition.folder).get("promised", {}).get("composed", {}).items():
        codes = edition.code_lists.get(name)
        if codes is None:
            yield Problem("code-composition", f"代码表 {name}", "没有这张表")
            continue
        for code in codes.codes.values():
            if code.code != "".join(code.extra.get(column, "?") for column in columns):
                yield Problem(
                    "code-composition", _where(codes, code.code), f"与 {'、'.join(columns)} 各列不一致"
                )
        yield from _runs(codes)


def _runs(codes: CodeList) -> Iterator[Problem]:
    rows = [(c.code, c.extra) for c in codes.codes.values()]
    for (_, before), (code, row) in pairwise(rows):
        same = [before.get(k) == row.get(k) for k in ("modality", "region_code")] == [True, True]
        number = before.get("item_no", "")
        expected = int(number) + 1 if same and number.isdecimal() else 1
        if row.get("item_no") != f"{expected:03}":
            yield Problem("code-composition", _where(codes, code), f"组内序号应为 {expected:03}")
        if same and before.get("region") != row.get("region"):
            yield Problem("code-composition", _where(codes, code), "同一组有两个部位名称")
    if [row.get("seq") for _, row in rows] != [str(n) for n in range(1, len(rows) + 1)]:
        yield Problem("code-composition", _where(codes), "seq 不是从 1 起连续")


def inline_lists_used(edition: Edition) -> Iterator[Problem]:
    used = {f.code_list for t in edition.tables.values() for f in t.fields}
    for codes in edition.code_lists.values():
        if codes.inline and codes.id not in used:
            yield Problem("code-use", _where(codes), "没有字段引用")
