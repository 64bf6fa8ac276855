import pytest

from yingqiao.spec import Edition
from yingqiao.spec.find import NotFoundError, near
from yingqiao.spec.show import describe, describe_code_list


def test_a_field_in_words(edition: Edition) -> None:
    text = describe(edition, "exam", "sex")
    for part in (
        "性别",
        "患者信息 第 6 项",
        "字符串",
        "必填：必填",
        "六(一) 生理性别字典表",
        "1 男性",
        "长度：255",
    ):
        assert part in text
    assert "T33 " in text
    assert "医保办函〔2025〕27号/序号5" in text


def test_a_condition_in_words(edition: Edition) -> None:
    """T27."""
    assert "必填：患者来源为门诊（1）、急诊（2）时必填" in describe(edition, "exam", "outPatientId")


def test_an_inferred_condition_is_told_apart_from_the_printed_flag(edition: Edition) -> None:
    """T20, T23."""
    text = describe(edition, "exam", "checkFinishTime")
    assert "必填：必填" in text
    assert "本版推断：只在检查状态为已检查（examStatus≥4）后才要求（T20）" in text
    assert "本版推断：存在终审（isLastAudit=1）时应填" in describe(edition, "report", "lastAuditTime")


def test_a_long_code_list_is_summarised(edition: Edition) -> None:
    text = describe(edition, "exam", "bodyCode")
    assert "481 项" in text
    assert "yingqiao spec show code-list technique_code" in text
    assert "以英文逗号“,”分隔" in text
    assert len(text.splitlines()) < 25


@pytest.mark.parametrize("name", ["SEX", "sex", "性别", "Sex "])
def test_names_in_any_case_and_by_label(edition: Edition, name: str) -> None:
    assert describe(edition, "EXAM", name) == describe(edition, "检查数据参数", "sex")


def test_an_alias_leads_to_its_field(edition: Edition) -> None:
    """T25."""
    text = describe(edition, "report", "pdfbase64")
    assert "reportPdfBase64" in text
    assert "别名：pdfBase64" in text


def test_a_name_in_request_and_response_shows_both(edition: Edition) -> None:
    text = describe(edition, "dsvs-pkcs1", "transId")
    assert "request 第 1 项" in text
    assert "response 第 1 项" in text


def test_a_misspelt_name_gets_suggestions(edition: Edition) -> None:
    with pytest.raises(NotFoundError, match="accessionNumber"):
        describe(edition, "exam", "acessionNumber")
    with pytest.raises(NotFoundError, match="report"):
        describe(edition, "reprot")
    assert near("zzzzzz", edition.tables) == []


def test_a_table_in_words(edition: Edition) -> None:
    text = describe(edition, "report")
    assert "字段数：70" in text
    assert "POST /report/sync" in text
    assert "23. recordNum 报告唯一标识 必填" in text


def test_a_code_list_in_words(edition: Edition) -> None:
    text = describe_code_list(edition, "六(八)")
    assert "25 水族（印刷有误，已更正，印刷为 5，丢失十位" in text
    assert "exam.ethnic" in text
    assert "可能是 B206ZZZZ1" in describe_code_list(edition, "technique-code")


def test_every_field_can_be_described(edition: Edition) -> None:
    for table in edition.tables.values():
        for field in table.fields:
            assert field.name in describe(edition, table.id, field.name)
