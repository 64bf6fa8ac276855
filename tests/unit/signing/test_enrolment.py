"""The forms of annexes 2 to 4, and applications decided by another (四眼)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yingqiao.signing.certificates.activation import VALID_MS, code_digest, new_activation, new_code, use
from yingqiao.signing.certificates.identity import (
    first_password,
    id_number_problem,
    masked_id_number,
    mobile_problem,
)
from yingqiao.signing.enrolment import case
from yingqiao.signing.enrolment.annexes import ACCESS, DOCTOR, FORMS, SAMPLE
from yingqiao.signing.enrolment.form import check, clean, columns, from_row
from yingqiao.signing.errors import SigningRefused

ID_NUMBER = "11010519491231002X"
DOCTOR_ENTRIES = {"name": "王医生", "idNumber": ID_NUMBER, "mobile": "13800138000", "department": "放射科"}


def test_identity_numbers_are_checked_to_the_last_place() -> None:
    """GB 11643; the example of the standard's own text ends in X."""
    assert id_number_problem(ID_NUMBER) == ""
    assert "校验位" in id_number_problem("110105194912310021")
    assert "日期" in id_number_problem("11010519491331002X")
    assert "18 位" in id_number_problem("1101051949123100")
    assert "18 位" in id_number_problem("11010519491231002x")
    assert id_number_problem("１１０１０５１９４９１２３１００２X")


def test_the_first_password_has_a_capital_x() -> None:
    """四(二)4: the last six of the identity number, a final X upper case."""
    assert first_password("11010519491231002x") == "31002X"


def test_screens_show_no_whole_identity_number() -> None:
    assert masked_id_number(ID_NUMBER) == "110105********002X"


@pytest.mark.parametrize("number", ["", "12800138000", "1380013800", "138001380000", "+8613800138000"])
def test_what_is_no_mobile_number(number: str) -> None:
    assert mobile_problem(number)


def test_all_problems_of_a_form_come_at_once() -> None:
    problems = check(DOCTOR, clean(DOCTOR, {"name": " ", "idNumber": "1", "mobile": "2", "business": "别的"}))
    assert [p.field for p in problems] == ["name", "idNumber", "mobile", "department", "business"]
    assert all(p.reason for p in problems)


def test_annex_2_asks_what_it_prints() -> None:
    """The credit code with its check character (GB 32100)."""
    entries = {
        "hospitalName": "太原市XX医院",
        "creditCode": "91350100M000100Y43",
        "contactName": "李四",
        "contactPhone": "0351-12345678",
        "hasSigning": "未建设电子签名",
        "signingVendor": "无",
        "pacsVendor": "影像公司",
    }
    assert check(ACCESS, clean(ACCESS, entries)) == []
    wrong = check(ACCESS, clean(ACCESS, entries | {"creditCode": "91350100M000100Y44"}))
    assert [p.field for p in wrong] == ["creditCode"]


def test_a_sheet_is_read_by_its_labels_in_any_order() -> None:
    head = ["备注", "*手机号", "*姓名", "身份证号", "*科室"]
    row = ["忽略", 13800138000, "王医生", " 11010519491231002x ", "放射科"]
    entries = from_row(DOCTOR, head, row)
    assert check(DOCTOR, entries) == []
    assert entries["idNumber"] == ID_NUMBER
    assert "*姓名" in columns(DOCTOR)


def test_annex_3_says_that_its_columns_are_inferred() -> None:
    """T162: the table is lost in the published text."""
    assert all(field.inferred for field in DOCTOR.fields)
    assert not any(field.inferred for field in (*ACCESS.fields, *SAMPLE.fields))


@given(st.dictionaries(st.text(), st.text() | st.integers() | st.none()), st.sampled_from(list(FORMS)))
def test_no_entry_breaks_a_form(entries: dict[str, object], form_id: str) -> None:
    form = FORMS[form_id]
    cleaned = clean(form, entries)
    assert set(cleaned) == {field.name for field in form.fields}
    check(form, cleaned)


def test_who_hands_in_does_not_decide() -> None:
    handed_in = case.submit("经办甲", 1)
    with pytest.raises(SigningRefused) as refused:
        case.approve(handed_in, "经办甲", 2)
    assert refused.value.code == "four-eyes"
    approved = case.approve(handed_in, "审批乙", 2)
    assert approved.state is case.CaseState.APPROVED
    for act in (
        lambda: case.reject(approved, "审批乙", "迟了", 3),
        lambda: case.withdraw(approved, "经办甲", 3),
    ):
        with pytest.raises(SigningRefused) as refused:
            act()
        assert refused.value.code == "decided"


def test_a_rejection_says_why() -> None:
    with pytest.raises(SigningRefused):
        case.reject(case.submit("经办甲", 1), "审批乙", " ", 2)
    assert case.reject(case.submit("经办甲", 1), "审批乙", "照片不清", 2).reason == "照片不清"


def test_a_doctor_on_the_phone_is_no_account() -> None:
    """Annex 7, row 18: lists say who handed a seal in, without a number that says nothing."""
    assert case.shown_name("doctor:7") == "医师本人（手机）"
    assert case.shown_name("经办甲") == "经办甲"


def test_an_activation_code_is_good_once_and_not_for_long() -> None:
    kept = new_activation("ABCD-EFGH-JKMN", 1000)
    used = use(kept, 1000 + VALID_MS)
    for activation, now, code in (
        (used, 1001, "activation-unknown"),
        (kept, 1001 + VALID_MS, "activation-expired"),
    ):
        with pytest.raises(SigningRefused) as refused:
            use(activation, now)
        assert refused.value.code == code
    with pytest.raises(SigningRefused):
        use(None, 0)


def test_an_activation_code_is_found_however_it_was_typed() -> None:
    code = new_code()
    assert code_digest(code) == code_digest(code.lower().replace("-", " "))
    assert code_digest(code) != code_digest(new_code())
    assert not set(code) & set("01OIL")
