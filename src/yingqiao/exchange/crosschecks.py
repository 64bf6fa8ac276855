"""What two fields of one record say about each other. They only warn (T27, T34, T39–T41, T52, T61, T73)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from yingqiao.exchange import values as v
from yingqiao.exchange.conditions import is_audited
from yingqiao.exchange.findings import Collector
from yingqiao.spec import Field, Table

Check = Callable[[dict[str, Any], Collector], None]

MODALITY_TO_IMAGING = {
    **dict.fromkeys(("CR", "DX", "DR", "MG", "RF", "XA"), "1"),
    "CT": "2",
    "MR": "3",
    "US": "4",
    **dict.fromkeys(("NM", "PT"), "5"),
}
"""DICOM modality -> 影像检查类型 (十二); anything else is 9 其他 (T73)."""
DEP_TO_IMAGING = {1: "1", 2: "2", 3: "3", 4: "4", 9: "5", 7: "5"}
"""report.dep -> 影像检查类型; anything else is 9 (T39)."""
_RESIDENT_ID = "01"
_CREDIT_CODES = ("hospitalCode", "reportMedinsCode", "auditMedinsCode", "lastAuditMedinsCode")


def imaging_of(modality: str) -> str:
    return MODALITY_TO_IMAGING.get(modality.strip().upper(), "9")


def checks_of(table: Table) -> Callable[[dict[str, Any], Collector], None]:
    """The checks of a table, ready to run over its normalised values; none for tables that have none."""
    fields = {f.name: f for f in table.fields}
    makers = {"exam": _exam, "report": _report}.get(table.id)
    return makers(fields) if makers else _nothing


def _nothing(values: dict[str, Any], found: Collector) -> None:
    """No checks."""


def _exam(fields: Mapping[str, Field]) -> Check:
    def check(values: dict[str, Any], found: Collector) -> None:
        get = values.get
        age = get("patAge")
        if age is not None and not age.isdigit():
            _split_age(fields, values, found)
        if (
            get("cardType") == _RESIDENT_ID
            and not v.is_id_number(get("idCard", "0" * 18))
            and "idCard" in values
        ):
            _bad_id(fields["idCard"], found)
        if not v.is_credit_code(get("hospitalCode", "")):
            _bad_credit_codes(fields, values, found)
        if "patientFrom" not in values:
            _no_source(fields, values, found)
        if "examItemCode" not in values and "examItemName" not in values:
            mend = "目录内的互认项目请填写；目录外的项目可以为空"
            found.add(fields["examItemCode"], "suggested", "未填写互认项目名称和代码", mend, ("T41",))
        modality, imaging = get("modality"), get("imgExamType")
        if modality is not None and imaging is not None and imaging != imaging_of(modality):
            _imaging_conflict(fields, modality, imaging, found)

    return check


def _split_age(fields: Mapping[str, Field], values: dict[str, Any], found: Collector) -> None:
    """`35岁` carries its unit (T30)."""
    split = v.split_age(values["patAge"])
    if split is None:
        return
    sent, (number, unit) = values["patAge"], split
    values["patAge"] = number
    if unit:
        values.setdefault("ageUnit", unit)
    problem = f"“{v.shorten(sent)}”按 {number} 和单位 {unit or '（未写）'} 处理"
    found.add(fields["patAge"], "age", problem, "请只填写数字，单位填写在 ageUnit", ("T30",))


def _bad_id(field: Field, found: Collector) -> None:
    problem = "证件类型为居民身份证，但号码的长度、出生日期或校验位不正确"
    found.add(field, "number", problem, "请核对身份证号码", ("T34",))


def _bad_credit_codes(fields: Mapping[str, Field], values: dict[str, Any], found: Collector) -> None:
    for name in _CREDIT_CODES:
        text = values.get(name)
        if text is not None and name in fields and not v.is_credit_code(text):
            problem = f"“{v.shorten(text)}”不是有效的 18 位统一社会信用代码"
            found.add(fields[name], "number", problem, "请核对代码及其校验位", ("T34",))


def _no_source(fields: Mapping[str, Field], values: dict[str, Any], found: Collector) -> None:
    if not any(name in values for name in ("outPatientId", "inPatientId", "examPatientId")):
        problem = "未填写患者来源，门诊号、住院号、体检号也都为空"
        found.add(fields["patientFrom"], "suggested", problem, "请填写患者来源及对应的号码", ("T27",))


def _imaging_conflict(fields: Mapping[str, Field], modality: str, imaging: str, found: Collector) -> None:
    kinds = imaging.split("|")
    if imaging_of(modality) not in kinds:
        problem = f"影像检查类型 {v.shorten(imaging)} 与检查类别 {v.shorten(modality)} 不一致"
        mend = f"{v.shorten(modality)} 对应的影像检查类型为 {imaging_of(modality)}"
        found.add(fields["imgExamType"], "conflict", problem, mend, ("T73",))


def _report(fields: Mapping[str, Field]) -> Check:
    def check(values: dict[str, Any], found: Collector) -> None:
        get = values.get
        if any(name in values and not v.is_credit_code(values[name]) for name in _CREDIT_CODES):
            _bad_credit_codes(fields, values, found)
        number, access = get("recordNum"), get("ACCESS_NO")
        if number is not None and access is not None and number != access:
            problem = f"图像访问号“{v.shorten(access)}”与报告唯一标识“{v.shorten(number)}”不一致"
            found.add(fields["ACCESS_NO"], "conflict", problem, "图像访问号应与 recordNum 保持一致", ("T52",))
        _modalities(fields, values, found)
        _states(fields, values, found)

    return check


def _modalities(fields: Mapping[str, Field], values: dict[str, Any], found: Collector) -> None:
    """dep, instra and modality overlap; those that name an imaging type have to agree (T39, T40)."""
    kinds = {}
    if "dep" in values:
        kinds["dep"] = DEP_TO_IMAGING.get(values["dep"], "9")
    for name in ("instra", "modality"):
        if name in values:
            kinds[name] = imaging_of(values[name])
    named = {kind for kind in kinds.values() if kind != "9"}
    if len(named) > 1:
        said = "、".join(f"{fields[name].label} {v.shorten(values[name])}" for name in kinds)
        found.add(
            fields["dep"],
            "conflict",
            f"{said} 互相矛盾",
            "请核对三个字段，应指同一种影像检查",
            ("T39", "T40"),
        )


def _states(fields: Mapping[str, Field], values: dict[str, Any], found: Collector) -> None:
    """checkStatus 4 已审核 goes with reportStatus 2 or 3, and the other way round (T61)."""
    check, report = values.get("checkStatus"), values.get("reportStatus")
    if not isinstance(check, int) or not isinstance(report, int):
        return
    if (check == 4) != is_audited(values) and check != 5:
        problem = f"检查状态 {check} 与报告状态 {report} 不一致"
        found.add(
            fields["checkStatus"],
            "conflict",
            problem,
            "已审核的报告：checkStatus=4，reportStatus=2 或 3",
            ("T61",),
        )
