"""Annexes 5 and 6 (T161, T163): every part and field, all titles, checks with all findings at once."""

from __future__ import annotations

import pytest

from yingqiao.signing.enrolment.annexes import FORMS
from yingqiao.signing.enrolment.form import FieldKind, check, clean
from yingqiao.signing.enrolment.sheets import read_sheet, template
from yingqiao.signing.seals.application import BUSINESSES, STAMP, UNIT, months_of

UNIT_ENTRIES = {
    "business": "初次办理",
    "unitName": "太原市第一医院",
    "unitPhone": "0351-12345678",
    "address": "山西省太原市某路 1 号",
    "legalName": "张院长",
    "handlerName": "李经办",
    "handlerMobile": "13800138000",
    "handlerEmail": "li@hospital.cn",
    "handlerDocument": "居民身份证",
    "handlerNumber": "11010519491231002x",
    "creditCode": "91350100M000100Y43",
}
PARTS = [
    "I 证书业务类型",
    "II 证书有效期",
    "III 证书应用信息",
    "IV 申请单位信息",
    "V 法定代表人信息",
    "VI 经办人信息",
    "VII 企业基本信息",
    "VIII 申请单位银行账户信息",
    "IX 申请单位声明",
]


def problems(**changed: str) -> dict[str, str]:
    return {p.field: p.reason for p in check(UNIT, clean(UNIT, UNIT_ENTRIES | changed))}


def test_the_form_has_the_parts_of_the_annex_in_its_order() -> None:
    """Numbered I to X, not XI to XX (T163); X is printed for the accepting unit."""
    assert [field.part for field in UNIT.fields if field.part] == PARTS
    assert len(BUSINESSES) == 8
    required = [field.label for field in UNIT.fields if field.required]
    assert required == [
        "证书业务类型",
        "单位名称",
        "单位电话",
        "通信地址",
        "法定代表人姓名",
        "经办人姓名",
        "经办人手机",
        "经办人邮箱",
        "经办人证件类型",
        "经办人证件号",
        "统一社会信用代码",
    ]
    assert len(UNIT.declarations) == len(UNIT.attachments) == 4


def test_all_titles_lead_to_one_form() -> None:
    """T161."""
    assert {UNIT.title, *UNIT.aliases} == {
        "单位数字证书申请表",
        "医疗机构电子印章申请表",
        "单位电子签章申请表",
    }
    assert {STAMP.title, *STAMP.aliases} == {"单位电子印章采样表", "医疗机构签章采样表"}
    assert [form.annex for form in FORMS.values()] == [2, 3, 4, 5, 6]


def test_a_right_application_has_no_problem() -> None:
    assert problems() == {}
    assert clean(UNIT, UNIT_ENTRIES)["handlerNumber"] == "11010519491231002X"
    assert problems(handlerDocument="护照", handlerNumber="E12345678") == {}


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("business", "换个章", "之一"),
        ("handlerNumber", "110105194912310021", "校验位"),
        ("handlerEmail", "li@hospital", "邮箱"),
        ("handlerMobile", "12345", "手机"),
        ("creditCode", "91350100M000100Y44", "校验位"),
        ("legalNumber", "E1", "先选择证件类型"),
        ("account", "六二二", "数字"),
        ("appliedOn", "2026-02-30", "yyyy-MM-dd"),
        ("appliedOn", "20260223", "yyyy-MM-dd"),
        ("validity", "10 年", "之一"),
        ("unitName", "", "必填"),
        ("address", "长" * 201, "至多"),
    ],
)
def test_each_wrong_entry_is_named(field: str, value: str, words: str) -> None:
    found = problems(**{field: value})
    assert list(found) == [field]
    assert words in found[field]


def test_the_validity_of_part_two() -> None:
    assert months_of({"validity": "3 年"}, 12) == 36
    assert months_of({"validity": ""}, 12) == 12


def test_sizes_are_whole_millimetres() -> None:
    entries = {"unitName": "医院", "picture1": "sha256:a", "result": "sha256:b"}
    for width, right in (("42", True), ("9", False), ("101", False), ("４２", False), ("4.2", False)):
        found = [p.field for p in check(STAMP, clean(STAMP, entries | {"width": width, "height": "42"}))]
        assert found == ([] if right else ["width"]), width
    assert sum(field.kind is FieldKind.PICTURE and field.name != "result" for field in STAMP.fields) == 4


def test_its_sheet_is_read_by_labels_and_by_names() -> None:
    """XLSX as made for it, CSV with labels, JSON with names."""
    head = ",".join(field.label for field in UNIT.fields)
    row = ",".join(UNIT_ENTRIES.get(field.name, "") for field in UNIT.fields)
    (one,) = read_sheet(UNIT, f"{head}\r\n{row}\r\n".encode("gb18030"), "csv")
    assert one.problems == ()
    assert template(UNIT).startswith(b"PK")
