"""The routes of the API. Each reads in Starlette's thread pool, from one connection."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from yingqiao.exchange.completeness import STABLE_MS
from yingqiao.signing.trust import NOTHING, Trust
from yingqiao.store import queries
from yingqiao.store.database import Database
from yingqiao.store.errors import StoredBodyBroken, StoreUnavailable
from yingqiao.store.queries import words
from yingqiao.store.queries.headings import (
    COMMITMENT_HEADINGS,
    EXAM_HEADINGS,
    LIST_HEADINGS,
    REPORT_HEADINGS,
    STUDY_HEADINGS,
    SUBMISSION_HEADINGS,
)
from yingqiao.store.queries.words import WordError
from yingqiao.web.api import pacs
from yingqiao.web.api.answers import RequestError, asked, error, json, page, paging, table
from yingqiao.web.api.reconciliation import Mend, reconciliation_routes
from yingqiao.web.api.seals import JudgeFile, seal_routes
from yingqiao.web.api.verify import verify_routes
from yingqiao.web.api.work import work_routes

Endpoint = Callable[[Request], Response]
WEEK_MS = 7 * 86_400_000
_CHUNK = 256 * 1024


class Objects(Protocol):
    """Where embedded documents are."""

    def open(self, digest: str) -> BinaryIO:
        """Raises FileNotFoundError."""
        ...


def routes(
    database: Database,
    objects: Objects | None = None,
    *,
    landing: Path | None = None,
    stable_after: int = STABLE_MS,
    trust: Callable[[], Trust] = lambda: NOTHING,
    mend: Mend | None = None,
    judge_file: JudgeFile | None = None,
) -> list[BaseRoute]:
    """All routes, to be mounted at /api. Without `objects` a report's PDF answers 404.

    `landing`: the folder of landing files; without it no instance counts as kept. `stable_after`: ms without
    arrivals before images count as stable. `trust`: whom signatures are trusted by. `mend`: how a difference with a
    hospital's query service is mended. `judge_file`: who looks into sealed files; without it there is no /verify/seal.
    """

    def reading(handler: Callable[[Request, Connection], Response]) -> Endpoint:
        return _answering(functools.partial(_read, database, handler))

    def acting(handler: Callable[[Request, Database], Response]) -> Endpoint:
        return _answering(lambda request: handler(request, database))

    pdf = _answering(functools.partial(_pdf, database, objects))
    return [
        Route("/exams", reading(functools.partial(_exams, stable_after))),
        Route("/exams/{hospital}/{ris_study_id:path}", reading(functools.partial(_exam, stable_after))),
        Route("/reports", reading(_reports)),
        Route("/reports/{hospital}/{record_num:path}/pdf", pdf),
        Route("/reports/{hospital}/{record_num:path}", reading(_report)),
        Route("/studies", reading(functools.partial(_studies, stable_after))),
        Route("/studies/{study_uid}", reading(functools.partial(_study, stable_after))),
        Route("/commitments", reading(_commitments)),
        Route("/commitments/{id:int}", reading(functools.partial(_commitment, landing))),
        Route("/submissions", reading(_submissions)),
        Route("/submissions/{id:int}", reading(_submission)),
        Route("/lists", reading(_lists)),
        Route("/lists/{id:int}", reading(_list)),
        Route("/summary", reading(_summary)),
        Route("/pacs", reading(pacs.nodes)),
        pacs.pull_route(database),
        Route("/pacs/pull", reading(pacs.pull_status)),
        Route("/pacs/{hospital}/{name}", reading(pacs.node)),
        *work_routes(reading, acting),
        *reconciliation_routes(reading, acting, objects, landing, mend),
        *verify_routes(trust),
        *(seal_routes(trust, judge_file) if judge_file is not None else ()),
    ]


def _answering(handler: Endpoint) -> Endpoint:
    """`handler` with its refusals as JSON."""

    def endpoint(request: Request) -> Response:
        try:
            return handler(request)
        except (RequestError, WordError) as refusal:
            return error(400, str(refusal))
        except StoreUnavailable:
            unavailable = error(503, "平台暂时无法读取数据，请稍后重试")
            unavailable.headers["retry-after"] = "5"
            return unavailable
        except StoredBodyBroken:
            return error(500, "保存的内容已损坏，无法读取")

    return endpoint


def _read(
    database: Database, handler: Callable[[Request, Connection], Response], request: Request
) -> Response:
    with database.read() as connection:
        return handler(request, connection)


def _exams(stable_after: int, request: Request, connection: Connection) -> Response:
    given = asked(request, words.EXAM_WORDS)
    limit, offset, total, as_csv = paging(given)
    wanted = words.exam_filter(given)
    order = given.get("order", "received")
    if order not in queries.ORDERS:
        raise RequestError(f"参数 order 应为 {'、'.join(queries.ORDERS)} 之一")
    found = queries.list_exams(connection, wanted, limit, offset, order, total, stable_after=stable_after)
    return table(request, found, EXAM_HEADINGS, "exams") if as_csv else page(request, found)


def _exam(stable_after: int, request: Request, connection: Connection) -> Response:
    asked(request, (), ())
    path = request.path_params
    found = queries.show_exam(connection, path["hospital"], path["ris_study_id"], stable_after=stable_after)
    return _one(found, f"医疗机构 {path['hospital']} 没有检查 {path['ris_study_id']}")


def _reports(request: Request, connection: Connection) -> Response:
    given = asked(request, words.REPORT_WORDS)
    limit, offset, total, as_csv = _in_one_order(given)
    found = queries.list_reports(connection, words.report_filter(given), limit, offset, total)
    return table(request, found, REPORT_HEADINGS, "reports") if as_csv else page(request, found)


def _report(request: Request, connection: Connection) -> Response:
    asked(request, (), ())
    path = request.path_params
    found = queries.show_report(connection, path["hospital"], path["record_num"])
    return _one(found, f"医疗机构 {path['hospital']} 没有报告 {path['record_num']}")


def _studies(stable_after: int, request: Request, connection: Connection) -> Response:
    given = asked(request, words.STUDY_WORDS)
    limit, offset, total, as_csv = _in_one_order(given)
    found = queries.list_studies(
        connection, words.study_filter(given), limit, offset, total, stable_after=stable_after
    )
    return table(request, found, STUDY_HEADINGS, "studies") if as_csv else page(request, found)


def _study(stable_after: int, request: Request, connection: Connection) -> Response:
    asked(request, (), ())
    uid = request.path_params["study_uid"]
    return _one(queries.show_study(connection, uid, stable_after=stable_after), f"没有影像 {uid}")


def _submissions(request: Request, connection: Connection) -> Response:
    given = asked(request, words.SUBMISSION_WORDS)
    limit, offset, total, as_csv = _in_one_order(given)
    found = queries.list_submissions(connection, words.submission_filter(given), limit, offset, total)
    return table(request, found, SUBMISSION_HEADINGS, "submissions") if as_csv else page(request, found)


def _submission(request: Request, connection: Connection) -> Response:
    asked(request, (), ())
    number = request.path_params["id"]
    found = queries.show_submission(connection, number) if number < 2**63 else None
    return _one(found, f"没有第 {number} 号提交")


def _lists(request: Request, connection: Connection) -> Response:
    given = asked(request, words.LIST_WORDS)
    limit, offset, total, as_csv = _in_one_order(given)
    found = queries.list_image_lists(connection, words.list_filter(given), limit, offset, total)
    return table(request, found, LIST_HEADINGS, "lists") if as_csv else page(request, found)


def _list(request: Request, connection: Connection) -> Response:
    asked(request, (), ())
    number = request.path_params["id"]
    found = queries.show_image_list(connection, number) if number < 2**63 else None
    return _one(found, f"没有第 {number} 号地址列表")


def _commitments(request: Request, connection: Connection) -> Response:
    given = asked(request, words.COMMITMENT_WORDS)
    limit, offset, total, as_csv = _in_one_order(given)
    found = queries.list_commitments(connection, words.commitment_filter(given), limit, offset, total)
    return table(request, found, COMMITMENT_HEADINGS, "commitments") if as_csv else page(request, found)


def _commitment(landing: Path | None, request: Request, connection: Connection) -> Response:
    asked(request, (), ())
    number = request.path_params["id"]

    def is_kept(segment: str) -> bool:
        return landing is not None and (landing / segment).is_file()

    found = queries.show_commitment(connection, number, is_kept) if number < 2**63 else None
    return _one(found, f"没有第 {number} 号存储承诺请求")


def _summary(request: Request, connection: Connection) -> Response:
    """The last seven days unless asked otherwise."""
    given = words.members(words.SUMMARY_WORDS, asked(request, words.SUMMARY_WORDS, ()))
    now = int(time.time() * 1000)
    end = given.get("end", now + 1)
    start = given.get("start", end - WEEK_MS)
    return json({"items": queries.summarize(connection, start, end, given.get("hospital_code"))})


def _pdf(database: Database, objects: Objects | None, request: Request) -> Response:
    """The report's embedded PDF (T24, T74)."""
    asked(request, (), ())
    path = request.path_params
    with database.read() as connection:
        found = queries.show_report(connection, path["hospital"], path["record_num"])
    if found is None or not found.report.pdf_object or objects is None:
        return error(404, f"医疗机构 {path['hospital']} 的报告 {path['record_num']} 没有内嵌的 PDF")
    try:
        opened = objects.open(found.report.pdf_object)
    except FileNotFoundError:
        return error(404, "PDF 文件不在对象存储中")
    headers = {"content-disposition": "inline", "etag": f'"{found.report.pdf_object}"'}
    return StreamingResponse(_chunks(opened), 200, headers, media_type="application/pdf")


def _chunks(opened: BinaryIO) -> Any:
    with opened:
        while chunk := opened.read(_CHUNK):
            yield chunk


def _in_one_order(given: dict[str, str]) -> tuple[int, int, bool, bool]:
    if "order" in given:
        raise RequestError("此列表只按收到的先后倒序，没有参数 order")
    return paging(given)


def _one(found: object | None, missing: str) -> Response:
    return error(404, missing) if found is None else json(found)
