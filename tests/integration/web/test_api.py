"""/api over a real store: filters, pages, errors in Chinese, CSV, PDF."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from tests.integration.store.link_world import HOSPITAL, World
from yingqiao.store.database import Database, open_database
from yingqiao.store.linkage import link_all
from yingqiao.store.objects import LocalObjects
from yingqiao.web.api import routes

PDF = b"%PDF-1.4 test"


class Api:
    """Asks an ASGI application without a socket between."""

    def __init__(self, app: Starlette) -> None:
        self._app = app

    def get(self, path: str, params: dict[str, Any] | None = None) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self._app)
            async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
                return await client.get(path, params=params)

        return asyncio.run(ask())


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = open_database(tmp_path)
    opened.migrate()
    yield opened
    opened.close()


@pytest.fixture
def api(database: Database, tmp_path: Path) -> Api:
    objects = LocalObjects(tmp_path / "objects")
    world = World(database)
    for n in range(5):
        keys = {"ris_study_id": f"RIS/{n}", "study_uids": (f"1.{n}",), "accession_numbers": (f"A{n}",)}
        world.exam(**keys, patient_name="=1+1")
    world.report(ris_study_ids=("RIS/1",), pdf_object=objects.put(PDF))
    world.images(2, study_uid="1.1", accession_number="A1")
    world.submission(outcome="refused", message="签名错误", body_kind="envelope")
    link_all(database)
    return Api(Starlette(routes=[Mount("/api", routes=routes(database, objects))]))


def test_list_with_pages(api: Api) -> None:
    first = api.get("/api/exams", params={"limit": 2, "modality": "CT"})
    assert first.status_code == 200
    assert [e["risStudyId"] for e in first.json()["items"]] == ["RIS/4", "RIS/3"]
    assert first.headers["x-total-count"] == "5"
    assert first.headers["link"] == '</api/exams?modality=CT&limit=2&offset=2>; rel="next"'
    last = api.get("/api/exams", params={"limit": 2, "offset": 4})
    assert len(last.json()["items"]) == 1
    assert 'rel="prev"' in last.headers["link"]
    assert 'rel="next"' not in last.headers["link"]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("colour=red", "没有参数 colour"),
        ("limit=0", "limit"),
        ("limit=x", "limit"),
        ("offset=-1", "offset"),
        ("state=nonsense", "state"),
        ("emergency=maybe", "emergency"),
        ("examFrom=yesterday", "examFrom"),
        ("receivedTo=9999-12-31", "receivedTo"),
        ("order=random", "order"),
        ("format=xml", "format"),
        ("limit=1&limit=2", "两次"),
    ],
)
def test_unreadable_questions_are_answered_in_chinese(api: Api, query: str, said: str) -> None:
    answer = api.get(f"/api/exams?{query}")
    assert answer.status_code == 400
    assert answer.json()["code"] == 0
    assert said in answer.json()["message"]


def test_every_exam_filter_is_taken(api: Api) -> None:
    params = {
        "hospitalCode": HOSPITAL,
        "risStudyId": "RIS/1",
        "patientName": "=1",
        "patientId": "P1",
        "hisPatientId": "H1",
        "labNum": "L1",
        "accessionNumber": "A1",
        "studyUid": "1.1",
        "modality": "CT",
        "state": "complete",
        "examFrom": "2026-03-01",
        "examTo": "2026-03-01",
        "receivedFrom": "2026-01-01",
        "receivedTo": "2027-01-01 00:00:00",
        "emergency": "false",
        "deleted": "all",
        "q": "RIS/1",
        "order": "waiting",
    }
    answer = api.get("/api/exams", params=params)
    assert [e["risStudyId"] for e in answer.json()["items"]] == ["RIS/1"]


def test_one_exam_by_a_key_with_a_slash(api: Api) -> None:
    """risStudyId is the hospital's own text (T48)."""
    answer = api.get(f"/api/exams/{HOSPITAL}/RIS/1").json()
    assert answer["exam"]["stateName"] == "齐全"
    assert [s["studyUid"] for s in answer["studies"]] == ["1.1"]
    assert answer["timeline"]
    missing = api.get(f"/api/exams/{HOSPITAL}/none")
    assert (missing.status_code, missing.json()["code"]) == (404, 0)


def test_pdf_of_a_report(api: Api) -> None:
    """T24, T74: the embedded PDF, byte for byte."""
    answer = api.get(f"/api/reports/{HOSPITAL}/R1/pdf")
    assert (answer.content, answer.headers["content-type"]) == (PDF, "application/pdf")
    assert api.get(f"/api/reports/{HOSPITAL}/R2/pdf").status_code == 404
    assert api.get(f"/api/reports/{HOSPITAL}/R1").json()["report"]["stateName"] == "已审核"


def test_the_other_lists_and_details(api: Api) -> None:
    assert [s["studyUid"] for s in api.get("/api/studies?orphan=false").json()["items"]] == ["1.1"]
    assert len(api.get("/api/studies/1.1").json()["series"][0]["instances"]) == 2
    assert api.get("/api/studies/9").status_code == 404
    refused = api.get("/api/submissions?outcome=refused").json()["items"]
    assert [s["message"] for s in refused] == ["签名错误"]
    assert api.get(f"/api/submissions/{refused[0]['id']}").json()["submission"]["bodyKind"] == "envelope"
    assert api.get("/api/submissions/99999").status_code == 404
    assert api.get("/api/reports").json()["total"] == 1
    assert api.get("/api/reports?order=x").status_code == 400
    days = api.get("/api/summary?from=2026-01-01&to=2026-12-31").json()["items"]
    assert [(d["exams"], d["refused"]) for d in days if d["hospitalCode"] == HOSPITAL] == [(5, 1)]


def test_csv_for_spreadsheets(api: Api) -> None:
    """UTF-8 with BOM, Chinese headings, and no cell that runs as a formula."""
    answer = api.get("/api/exams?format=csv")
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert len(rows) == 5
    assert {row["姓名"] for row in rows} == {"'=1+1"}
    for name in ("reports", "studies", "submissions"):
        assert api.get(f"/api/{name}?format=csv").status_code == 200


def test_store_away_is_a_503(tmp_path: Path) -> None:
    gone = open_database(tmp_path / "nowhere")
    answer = Api(Starlette(routes=routes(gone))).get("/exams")
    gone.close()
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
