from collections.abc import Callable

import pytest

from tests.unit.spec.folder import Folder
from yingqiao.spec import Edition
from yingqiao.spec.diff import Change, diff
from yingqiao.spec.load import read_edition


def _without_age(folder: Folder) -> None:
    folder.edit("fields/exam.csv", lambda rows: rows.remove(next(r for r in rows if r["name"] == "patAge")))


CASES: dict[str, tuple[Callable[[Folder], None], Change]] = {
    "a field removed": (_without_age, Change("removed", "field", "exam.patAge", "", "实足年龄", "")),
    "a field required now": (
        lambda f: f.set("fields/exam.csv", ("name", "patAge"), required="yes"),
        Change("changed", "field", "exam.patAge", "required", "if_known", "yes"),
    ),
    "a length": (
        lambda f: f.set("fields/exam.csv", ("name", "patAge"), max_length="20"),
        Change("changed", "field", "exam.patAge", "max_length", "10", "20"),
    ),
    "a field of the response": (
        lambda f: f.replace("fields/dsvs_pkcs1.csv", "1,response,transId,,", "1,response,transId,流水号,"),
        Change("changed", "field", "dsvs_pkcs1.transId（response）", "label", "", "流水号"),
    ),
    "a code renamed": (
        lambda f: f.set("dictionaries/sex.csv", ("code", "9"), name="未说明的性别"),
        Change("changed", "code", "sex 9", "name", "其他", "未说明的性别"),
    ),
    "a further column of a code": (
        lambda f: f.set("dictionaries/ethnic.csv", ("code", "25"), letter_code="XX"),
        Change("changed", "code", "ethnic 25", "letter_code", "SU", "XX"),
    ),
    "a code list's standard": (
        lambda f: f.replace("dictionaries.csv", "GB/T 2261.1-2003", "GB/T 2261.1-2025"),
        Change("changed", "code-list", "sex", "standard", "GB/T 2261.1-2003", "GB/T 2261.1-2025"),
    ),
    "a condition": (
        lambda f: f.set("conditions.csv", ("field", "ageUnit"), text="有年龄时"),
        Change(
            "changed", "condition", "exam.ageUnit present:patAge", "text", "填写实足年龄时必填", "有年龄时"
        ),
    ),
    "an interface": (
        lambda f: f.replace("interfaces.toml", 'path = "/exam-sync"', 'path = "/v3/exam-sync"'),
        Change("changed", "interface", "exam-sync", "path", "/exam-sync", "/v3/exam-sync"),
    ),
    "an alias": (
        lambda f: f.replace("manifest.toml", ', uploadAgain = ""', ""),
        Change("removed", "alias", "report.uploadAgain", "", "", ""),
    ),
    "a message": (
        lambda f: f.replace("messages.csv", "上传成功,success", "已收到,success"),
        Change("changed", "message", "accepted", "text", "上传成功", "已收到"),
    ),
    "the edition's own words": (
        lambda f: f.replace("manifest.toml", 'issued = "2025-10-30"', 'issued = "2026-10-30"'),
        Change("changed", "edition", "shanxi/v2_1", "issued", "2025-10-30", "2026-10-30"),
    ),
    "a table's clause": (
        lambda f: f.replace("manifest.toml", 'clause = "五(二)"', 'clause = "五(三)"'),
        Change("changed", "table", "report", "clause", "五(二)", "五(三)"),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_tells_exactly_what_changed(folder: Folder, edition: Edition, name: str) -> None:
    change, expected = CASES[name]
    change(folder)
    assert diff(edition, read_edition(folder.path)) == [expected]


def test_backwards_a_removal_is_an_addition(folder: Folder, edition: Edition) -> None:
    _without_age(folder)
    assert diff(read_edition(folder.path), edition) == [
        Change("added", "field", "exam.patAge", "", "", "实足年龄")
    ]


def test_an_edition_does_not_differ_from_itself_or_its_copy(folder: Folder, edition: Edition) -> None:
    assert diff(edition, edition) == []
    assert diff(edition, read_edition(folder.path)) == []
