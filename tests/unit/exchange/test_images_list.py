"""What an /images/list request is judged to be (四(二)2(3), T90, T94, T95)."""

from __future__ import annotations

import orjson
import pytest

from tests.unit.exchange.records import CODE, EDITION
from yingqiao.exchange.addresses import MAX_ADDRESSES
from yingqiao.exchange.images_list import MAX_REFUSED_SHOWN, receipt, refusal_of
from yingqiao.exchange.judge import Judged, judge
from yingqiao.exchange.model import Level
from yingqiao.exchange.profile import Profile

SERIES = {
    "PATIENT_ID": "P1",
    "MODALITY": "CT",
    "PATIENTSEX": "1",
    "ACCESS_NO": "A100",
    "PATIENTNAME": "张三",
    "PATIENTAGE": "035Y",
    "STUDYIUID": "1.2.3",
    "STUDYDATE": "20260801",
    "SERIESIUID": "1.2.3.1",
    "SERIESNO": 1,
    "FILEPATH": ["http://a/1.dcm", "http://a/2.dcm"],
}


def judged(reach=lambda _: "", **changes: object) -> Judged:
    return judge(EDITION, Profile(), CODE, "images_list", SERIES | changes, None, reach)


def urls(found: Judged) -> list[str]:
    assert found.images is not None
    return [file.url for file in found.images.files]


def rules(found: Judged, level: Level) -> set[str]:
    return {finding.rule for finding in found.findings if finding.level is level}


def test_the_data_is_the_table_printed_after_it():
    """T90: not 报告数据参数."""
    found = judged()
    assert found.findings == ()
    assert found.images is not None
    assert (found.images.series_uid, found.images.study_uid, found.images.accession_number) == (
        "1.2.3.1",
        "1.2.3",
        "A100",
    )
    assert found.images.study_date == "2026-08-01"
    assert found.report is found.exam is None


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        ("http://a/1.dcm", ["http://a/1.dcm"]),
        ("http://a/1.dcm,http://a/2.dcm", ["http://a/1.dcm", "http://a/2.dcm"]),
        ("http://a/1,2.dcm", ["http://a/1,2.dcm"]),
        (
            "http://a/1.dcm\r\nftp://b/2.dcm；s3://c/3.dcm",
            ["http://a/1.dcm", "ftp://b/2.dcm", "s3://c/3.dcm"],
        ),
        ('["http://a/1.dcm"]', ["http://a/1.dcm"]),
        ("\\\\pacs\\images\\1.dcm", ["\\\\pacs\\images\\1.dcm"]),
    ],
)
def test_addresses_in_one_text_are_told_apart_and_hinted_at(sent: str, meant: list[str]):
    """T94: FILEPATH as a text; a comma may belong to an address."""
    found = judged(FILEPATH=sent)
    assert urls(found) == meant
    assert rules(found, Level.NOTE) == {"format"}


def test_an_address_sent_twice_counts_once():
    """T95: a list is a set of files."""
    assert urls(judged(FILEPATH=["http://a/1", " http://a/1 ", "http://a/2"])) == ["http://a/1", "http://a/2"]


@pytest.mark.parametrize("sent", [[], "", None, {}, 7, [None], [[]]])
def test_a_list_without_addresses_is_refused(sent: object):
    """T94; no profile can soften it."""
    profile = Profile.from_json('{"grades": {"required": "off"}}')
    found = judge(EDITION, profile, CODE, "images_list", SERIES | {"FILEPATH": sent}, None, lambda _: "")
    assert "addresses" in rules(found, Level.REFUSE)


def test_too_many_addresses_are_refused():
    """T94: 20,000 in one call."""
    most = [f"http://a/{number}" for number in range(MAX_ADDRESSES)]
    assert judged(FILEPATH=most).findings == ()
    assert "addresses" in rules(judged(FILEPATH=[*most, "http://a/more"]), Level.REFUSE)


@pytest.mark.parametrize("uid", ["", "1" * 65])
def test_a_series_that_cannot_be_named_is_refused(uid: str):
    """T95: upsert by SERIESIUID."""
    assert "key" in rules(judged(SERIESIUID=uid), Level.REFUSE)


def test_refused_addresses_are_findings_each_and_in_the_answer():
    """T94: hosts nobody registered."""
    found = judged(lambda url: "没有登记" if "/2" in url else "")
    assert rules(found, Level.WARN) == {"url-host"}
    assert found.images is not None
    assert found.images.wanted == 1
    assert receipt(found.images) == {
        "accepted": 1,
        "alreadyThere": 0,
        "refused": [{"url": "http://a/2.dcm", "reason": "没有登记"}],
    }
    known = {file.digest for file in found.images.files}
    assert receipt(found.images, known) == {"accepted": 0, "alreadyThere": 2, "refused": []}


def test_an_answer_stays_short_whatever_is_refused():
    """20,000 refused addresses: the first thousand and a number."""
    found = judged(lambda _: "没有登记", FILEPATH=[f"http://a/{number}" for number in range(3000)])
    assert found.images is not None
    said = receipt(found.images)
    assert len(said["refused"]) == MAX_REFUSED_SHOWN
    assert said["refusedCount"] == 3000
    assert len(found.findings) <= 501
    assert "3000 个地址都不能下载" in refusal_of(found.images)
    assert len(orjson.dumps(said)) < 100_000
