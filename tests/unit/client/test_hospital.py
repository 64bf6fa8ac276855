"""The gateway as caller of a hospital's /exam/get, /report/get, /series/get (四(二)3), over sockets."""

import json
from contextlib import suppress
from datetime import UTC, date, datetime
from itertools import count, islice

import pybase64
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.hospital_server import paged, said, serve_hospital
from yingqiao.client import (
    AnswerTooLarge,
    BadKey,
    ClientError,
    EndlessListing,
    ExamQuestion,
    HospitalSystem,
    Limits,
    Misunderstood,
    Refused,
    ReportQuestion,
    SeriesQuestion,
)
from yingqiao.client.pages import Pages
from yingqiao.client.questions import read_rows
from yingqiao.client.talk import Response
from yingqiao.exchange.envelope import Window, open_envelope, parse, seal
from yingqiao.gm import sm4

KEY = "0123456789abcdeffedcba9876543210"
CODE = "12140000MB0001231X"
ROWS = [{"risStudyId": f"R{number}"} for number in range(120)]
DAY = ExamQuestion(start="2026-01-05 00:00:00", end="2026-01-06 00:00:00")


@pytest.fixture
def peer():
    with serve_hospital() as server:
        yield server


@pytest.mark.parametrize(("size", "pages"), [(50, 3), (60, 3), (40, 4), (500, 1), (119, 2)])
def test_all_pages_and_no_more(peer, size, pages):
    """T102: no total; a short or an empty page is the last."""
    peer.rows = paged(ROWS)
    with HospitalSystem(peer.url, page_size=size) as hospital:
        listing = hospital.exams(DAY)
        assert list(listing) == ROWS
        assert listing.oddities == []
    assert [asked["pageNum"] for _, asked in peer.asked] == list(range(1, pages + 1))


def test_the_questions_as_printed(peer):
    """T101, T103, T104: every parameter is there, numbers are numbers, times are Beijing's."""
    moment = datetime(2026, 1, 4, 16, tzinfo=UTC)
    with HospitalSystem(peer.url) as hospital:
        list(
            hospital.exams(
                ExamQuestion(start=moment, end=datetime.fromisoformat("2026-01-06"), patient_id="P")
            )
        )
        list(hospital.reports(ReportQuestion(report_id="B", apply_id="L")))
        list(hospital.series(SeriesQuestion(start=date(2026, 1, 5), accession_number="A,B", study_uid="1.2")))
    window = {"startTime": "2026-01-05 00:00:00", "endTime": "2026-01-06 00:00:00"}
    page = {"pageNum": 1, "pageSize": 50}
    none = {"startTime": "", "endTime": ""}
    assert peer.asked == [
        ("/exam/get", {**window, "applyId": "", "patientId": "P", **page}),
        ("/report/get", {**none, "applyId": "L", "reportId": "B", **page}),
        (
            "/series/get",
            {
                "startTime": "2026-01-05",
                "endTime": "",
                "applyId": "",
                "accessionNumber": "A,B",
                "studyInstanceUID": "1.2",
                "seriesInstanceUID": "",
                **page,
            },
        ),
    ]
    assert "encryption-type" not in peer.headers[0]


@pytest.mark.parametrize("sealing", ["plain", "content", "whole"])
def test_in_the_envelope_when_agreed(peer, sealing):
    """T100: the same SM4 envelope; the answer plain, its content sealed, or all of it sealed."""
    key = bytes.fromhex(KEY)

    def answer(path, body):
        opened = open_envelope(parse(body), (key,), 1_767_225_600_000, Window(mode="refuse"))
        peer.asked.append((path, opened.value))
        if sealing == "plain":
            return said(ROWS[:2])
        if sealing == "content":
            return said(pybase64.b64encode(sm4.encrypt_ecb(key, json.dumps(ROWS[:2]).encode())).decode())
        return json.dumps(seal(said(ROWS[:2]), CODE, key, 1_767_225_600)).encode()

    peer.answer = answer
    agreed = {"headers": {"X-Agreed": "1"}, "clock": lambda: 1_767_225_600.0}
    with HospitalSystem(peer.url, KEY, CODE, **agreed) as hospital:
        assert list(hospital.exams(DAY)) == ROWS[:2]
    assert peer.asked[0][1]["startTime"] == DAY.start
    assert (peer.headers[0]["encryption-type"], peer.headers[0]["x-agreed"]) == ("SM4", "1")


def test_an_answer_sealed_with_another_key(peer):
    other = pybase64.b64encode(sm4.encrypt_ecb(bytes(16), b"[]")).decode()
    peer.answer = lambda path, body: said(other)
    with HospitalSystem(peer.url, KEY, CODE) as hospital, pytest.raises(BadKey):
        list(hospital.exams(DAY))


@pytest.mark.parametrize("content", [None, "", " ", [], "[]"])
def test_nothing_found(peer, content):
    """T09."""
    peer.rows = lambda path, asked: content
    with HospitalSystem(peer.url) as hospital:
        assert list(hospital.exams(DAY)) == []
    assert len(peer.asked) == 1


@pytest.mark.parametrize("content", [{"a": 1}, [{"a": 1}], '[{"a": 1}]', '{"a":1}'])
def test_one_row_in_every_way(peer, content):
    """T09: real JSON, or text that holds JSON; the series sample prints a quoted array."""
    peer.answer = lambda path, body: said(content, code="1")
    with HospitalSystem(peer.url) as hospital:
        assert list(hospital.series(SeriesQuestion(study_uid="1"))) == [{"a": 1}]


@pytest.mark.parametrize("content", ["abc", "[", 5, True, [1], [[]], [{"a": 1}, None], "5"])
def test_what_is_no_list_of_records(peer, content):
    peer.answer = lambda path, body: said(content)
    with HospitalSystem(peer.url) as hospital, pytest.raises(Misunderstood):
        list(hospital.exams(DAY))


def test_the_hospital_refuses(peer):
    peer.answer = lambda path, body: said(None, code=0, message="时间格式错误")
    with HospitalSystem(peer.url) as hospital, pytest.raises(Refused, match="时间格式错误"):
        next(hospital.reports(ReportQuestion()))


@pytest.mark.parametrize("size", [50, 120, 7])
def test_a_server_that_ignores_page_numbers(peer, size):
    """T102: a repeated page is the end; nothing comes twice."""
    peer.rows = lambda path, asked: ROWS[: asked["pageSize"]]
    with HospitalSystem(peer.url, page_size=size) as hospital:
        listing = hospital.exams(DAY)
        assert list(listing) == ROWS[:size]
        assert "忽略 pageNum" in listing.oddities[0]
    assert len(peer.asked) == 2


def test_a_server_that_repeats_its_last_page(peer):
    peer.rows = lambda path, asked: ROWS[20 * min(asked["pageNum"] - 1, 2) :][:20]
    with HospitalSystem(peer.url, page_size=20) as hospital:
        assert list(hospital.exams(DAY)) == ROWS[:60]
    assert len(peer.asked) == 4


def test_a_server_that_ignores_all_paging(peer):
    """More than asked for is taken once."""
    peer.rows = lambda path, asked: ROWS
    with HospitalSystem(peer.url) as hospital:
        listing = hospital.exams(DAY)
        assert list(listing) == ROWS
    assert "要 50 条，给了 120 条" in listing.oddities[0]
    assert len(peer.asked) == 2


def test_a_server_that_goes_round_in_a_circle(peer):
    peer.rows = lambda path, asked: ROWS[10 * ((asked["pageNum"] - 1) % 5) :][:10]
    with HospitalSystem(peer.url, page_size=10) as hospital:
        listing = hospital.exams(DAY)
        rows = [row["risStudyId"] for row in listing]
    assert set(rows) == {f"R{number}" for number in range(50)}
    assert len(peer.asked) == 6


def test_a_server_that_never_ends(peer):
    numbers = count()
    peer.rows = lambda path, asked: [{"n": next(numbers)} for _ in range(asked["pageSize"])]
    with HospitalSystem(peer.url, page_size=10, max_pages=20) as hospital:
        listing = hospital.exams(DAY)
        assert len(list(islice(listing, 200))) == 200
        with pytest.raises(EndlessListing, match="20"):
            next(listing)
    assert len(peer.asked) == 20


def test_rows_that_move_to_the_next_page_come_once(peer):
    """A record is added in front while we page."""
    moved = [{"risStudyId": "new"}, *ROWS]

    def rows(path, asked):
        return paged(ROWS if asked["pageNum"] == 1 else moved)(path, asked)

    peer.rows = rows
    with HospitalSystem(peer.url) as hospital:
        listing = hospital.exams(DAY)
        assert list(listing) == ROWS
    assert listing.oddities == ["相邻两页有重复的记录"]


def test_a_server_that_gives_less_than_asked(peer):
    """Against T102's letter, by agreement: only an empty page is the end."""
    peer.rows = lambda path, asked: paged(ROWS)(path, asked | {"pageSize": 30})
    with HospitalSystem(peer.url, until_empty=True) as hospital:
        assert list(hospital.exams(DAY)) == ROWS
    with HospitalSystem(peer.url) as hospital:
        assert list(hospital.exams(DAY)) == ROWS[:30]


def test_pages_that_are_too_large_are_asked_for_in_smaller_ones(peer):
    """Reports carry PDFs: the limit of bytes holds for a page, the listing goes on at the same place."""
    rows = [{"recordNum": str(n), "reportPdfBase64": "x" * (30_000 if n == 77 else 1000)} for n in range(120)]
    peer.rows = paged(rows)
    with HospitalSystem(peer.url, limits=Limits(answer_bytes=40_000)) as hospital:
        listing = hospital.reports(ReportQuestion())
        assert list(listing) == rows
        assert listing.oddities[0] == "一页的应答太大，改为每页 25 条"
        peer.rows = paged([{"recordNum": "1", "reportPdfBase64": "x" * 50_000}])
        with pytest.raises(AnswerTooLarge):
            list(hospital.reports(ReportQuestion()))
    assert peer.asked[-1][1]["pageSize"] == 1


@settings(max_examples=200)
@given(st.integers(0, 80), st.integers(1, 30), st.lists(st.booleans(), max_size=30))
def test_shrinking_anywhere_loses_and_doubles_nothing(total, size, too_large):
    """Whatever pages are too large, every row comes once and in order."""
    rows = [{"n": n} for n in range(total)]
    pages, got, troubles = Pages(size, until_empty=False), [], iter(too_large)
    while not pages.ended:
        if next(troubles, False) and pages.shrink():
            continue
        start = (pages.number - 1) * pages.size
        fresh, _ = pages.take(rows[start : start + pages.size])
        got += fresh
    assert got == rows


@settings(max_examples=100, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
        max_leaves=8,
    )
)
def test_any_answer_ends_in_rows_or_a_designed_error(value):
    for body in (
        json.dumps(value).encode(),
        said(value),
        json.dumps({"status": "0", "data": value}).encode(),
    ):
        for key in (None, bytes.fromhex(KEY)):
            with suppress(ClientError):
                rows = read_rows(Response(200, {}, body), key, 0.0)
                assert all(isinstance(row, dict) for row in rows)
