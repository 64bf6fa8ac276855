"""Applications for seals handed in and approved, for tests of what comes after."""

from __future__ import annotations

from typing import Any

from tests.helpers.seals import png
from yingqiao.signing.enrolment.annexes import FORMS
from yingqiao.store.signing.office import Office
from yingqiao.store.signing.seal_making import Making
from yingqiao.store.signing.seals_registry import KeptSeal
from yingqiao.web.office.admin_cases import submit

UNIT = {
    "business": "初次办理",
    "validity": "2 年",
    "unitName": "太原市第一医院",
    "unitPhone": "0351-12345678",
    "address": "山西省太原市某路 1 号",
    "legalName": "张院长",
    "handlerName": "李经办",
    "handlerMobile": "13800138000",
    "handlerEmail": "li@hospital.cn",
    "handlerDocument": "居民身份证",
    "handlerNumber": "11010519491231002X",
    "creditCode": "91350100M000100Y43",
}


def stamp(**changed: Any) -> dict[str, Any]:
    """Annex 6, with pictures as bytes."""
    return {
        "unitName": UNIT["unitName"],
        "width": "42",
        "height": "42",
        "picture1": png(),
        "result": png(),
    } | changed


def approved(office: Office, form: str, entries: dict[str, Any], hospital: str = "H1") -> int:
    """Handed in by 经办甲, approved by 审批乙; its number."""
    number = submit(office, FORMS[form], hospital, entries, "经办甲")
    office.cases.approve(number, "审批乙")
    return number


def made(office: Office, **changed: Any) -> KeptSeal:
    """A seal from applications of its own, made by 审批乙; `changed` are members of Making."""
    wanted = {"unit_case": approved(office, "unit", UNIT), "stamp_case": approved(office, "stamp", stamp())}
    return office.seal_making.make(Making(**(wanted | changed)), "审批乙")
