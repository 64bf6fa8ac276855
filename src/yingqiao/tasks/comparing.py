"""Comparing with hospitals' query services, and mending what differs: the gateway asks, so nobody has to call."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

from yingqiao.client.errors import ClientError, Unavailable
from yingqiao.client.hospital import HospitalSystem
from yingqiao.client.questions import ExamQuestion, ReportQuestion, SeriesQuestion
from yingqiao.exchange.clock import BEIJING
from yingqiao.exchange.fetch.networks import why_forbidden
from yingqiao.exchange.query import (
    Difference,
    Kind,
    compare_records,
    compare_series,
    key_of,
    series_keys,
)
from yingqiao.exchange.receive import HospitalEntry
from yingqiao.exchange.validate import compile_validator
from yingqiao.exchange.work import ErrorClass, WorkError
from yingqiao.spec import Edition
from yingqiao.store import differences as kept
from yingqiao.store.database import Database
from yingqiao.store.hospitals import HospitalRegistry
from yingqiao.store.missing import asked_in_vain
from yingqiao.store.query_services import QueryService, get_service
from yingqiao.store.reconciliation import now_ms
from yingqiao.store.work.task import Task
from yingqiao.tasks.mending import Mender

COMPARE = "compare"
SUBJECTS = ("exams", "reports", "series")
MAX_DAYS = 92
_BATCH = 100
_KNOCK_S = 5.0
_MOMENT = "%Y-%m-%d %H:%M:%S"
_KINDS = {
    "exams": (Kind.EXAM_MISSING, Kind.EXAM_CHANGED),
    "reports": (Kind.REPORT_MISSING, Kind.REPORT_CHANGED),
    "series": (Kind.SERIES_MISSING, Kind.SERIES_SHORT),
}
_KEYS = {"exams": ("exam", "risStudyId"), "reports": ("report", "recordNum")}


class QueryError(Exception):
    """The comparison cannot be made as asked; the text is Chinese."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What to compare. Times are Beijing wall time `yyyy-MM-dd HH:mm:ss`; `end` is exclusive."""

    hospital_code: str
    subject: str
    start: str
    end: str
    patient_id: str = ""
    apply_id: str = ""
    report_id: str = ""
    study_uid: str = ""
    accession: str = ""
    exam: str = ""
    """risStudyId: only this one of the answers counts (there is no such filter, T105)."""
    mend: bool = False

    def named(self) -> str:
        """What it is narrowed to, for the list of comparisons: names only, whose number it is stays out."""
        given = ("patient_id", "apply_id", "report_id", "study_uid", "accession", "exam")
        return ",".join(name for name in given if getattr(self, name))


@dataclass(slots=True)
class Result:
    """What a comparison found."""

    compared: int = 0
    differences: list[Difference] = field(default_factory=list)
    """The first SHOWN."""
    differing: int = 0
    mended: int = 0
    nameless: int = 0
    """Records without their identifying member: they cannot be compared."""
    seen: set[str] = field(default_factory=set)


SHOWN = 10_000


class Comparing:
    """Compares a hospital's query services with the ledger."""

    def __init__(
        self, edition: Edition, database: Database, hospitals: HospitalRegistry, mender: Mender
    ) -> None:
        self._edition = edition
        self._database = database
        self._hospitals = hospitals
        self._mender = mender

    def work(self, task: Task) -> None:
        """The handler of COMPARE: payload = members of Asked."""
        members = {name: value for name, value in task.payload.items() if name in Asked.__slots__}
        asked = Asked(**{**members, "hospital_code": task.hospital_code})

        def progress(result: Result) -> None:
            task.check()
            task.progress(result.compared)

        try:
            self.run(asked, progress)
        except QueryError as error:
            raise WorkError(ErrorClass.THEIRS, str(error)) from error
        except Unavailable as error:
            raise WorkError(ErrorClass.PASSING, str(error), retry_after=error.retry_after) from error
        except ClientError as error:
            raise WorkError(ErrorClass.THEIRS, str(error)) from error
        if asked.mend and asked.subject == "exams":
            with self._database.write() as connection:
                asked_in_vain(
                    connection, asked.hospital_code, asked.start[:10], _day_after(asked.end), now_ms()
                )

    def run(self, asked: Asked, progress: Callable[[Result], None] = lambda _: None) -> Result:
        """Compare, write down what differs, mend it when asked. Raises QueryError, ClientError, StoreUnavailable."""
        service, entry = self._service(asked)
        at = guard(service)
        result = Result()
        with self._database.write() as connection:
            number = kept.begin(
                connection,
                asked.hospital_code,
                asked.subject,
                asked.start,
                asked.end,
                asked.named(),
                now_ms(),
            )
        try:
            with ExitStack() as stack:
                system = stack.enter_context(_system(service, entry, at))
                for rows in _batches(_unseen(asked, _rows(system, asked), result)):
                    self._compare(asked, entry, rows, result)
                    progress(result)
        except BaseException as error:
            self._end(number, result, str(error) or type(error).__name__)
            raise
        self._end(number, result, "")
        return result

    def _end(self, number: int, result: Result, reason: str) -> None:
        with self._database.write() as connection:
            kept.end(connection, number, result.compared, result.differing, now_ms(), reason)

    def _service(self, asked: Asked) -> tuple[QueryService, HospitalEntry]:
        if asked.subject not in SUBJECTS:
            raise QueryError(f"应比对 {'、'.join(SUBJECTS)} 之一")
        entry = self._hospitals.get(asked.hospital_code)
        if entry is None or entry.disabled:
            raise QueryError(f"医疗机构 {asked.hospital_code} 没有登记或已停用")
        with self._database.read() as connection:
            service = get_service(connection, asked.hospital_code)
        if service is None:
            raise QueryError(f"医疗机构 {asked.hospital_code} 没有登记查询接口（hospitals set-query）")
        if service.sm4 and not entry.keys:
            raise QueryError(f"医疗机构 {asked.hospital_code} 没有可用的 SM4 密钥")
        return service, entry

    def _compare(
        self, asked: Asked, entry: HospitalEntry, rows: list[dict[str, Any]], result: Result
    ) -> None:
        kinds = _KINDS[asked.subject]
        with self._database.read() as connection:
            judged = list(self._judged(connection, asked, entry, rows))
        found = [one for _, one in judged if one is not None and one.key]
        even = [key for key, one in judged if key and one is None]
        result.compared += len(rows)
        result.nameless += sum(not key for key, _ in judged)
        result.differing += len(found)
        result.differences += found[: max(0, SHOWN - len(result.differences))]
        now = now_ms()
        with self._database.write() as connection:
            kept.note(connection, asked.hospital_code, found, now)
            kept.settle(connection, asked.hospital_code, kinds, even, now)
        if asked.mend:
            result.mended += sum(self._mender.mend_found(asked.hospital_code, one) for one in found)

    def _judged(
        self, connection: Any, asked: Asked, entry: HospitalEntry, rows: list[dict[str, Any]]
    ) -> Iterator[tuple[str, Difference | None]]:
        code = asked.hospital_code
        if asked.subject == "series":
            keys = series_keys(rows)
            counts = kept.series_counts(connection, code, [key for key in keys if key])
            for key, row in zip(keys, rows, strict=True):
                yield key, compare_series(row, counts.get(key))
            return
        table_id, name = _KEYS[asked.subject]
        keys = [key_of(row, name) for row in rows]
        read = kept.exam_records if table_id == "exam" else kept.report_records
        ours = read(connection, code, [key for key in keys if key])
        validate = compile_validator(self._edition, table_id, entry.profile)
        table = self._edition.tables[table_id]
        pairs = [(row, ours.get(key)) for key, row in zip(keys, rows, strict=True)]
        yield from zip(
            keys, compare_records(table, name, _KINDS[asked.subject], validate, pairs), strict=True
        )


def guard(service: QueryService) -> str:
    """The IP address the service is asked at: the name is looked up once, so what it leads to later gains nothing.
    Raises QueryError when it leads to where it may not (SSRF), or nowhere.
    """
    parts = urlsplit(service.url)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise QueryError(f"查询接口的主机名 {host} 解析不了：{error.strerror or error}") from error
    addresses = list(dict.fromkeys(str(address[0]) for *_, address in found))
    for address in addresses:
        why = why_forbidden(address, private=service.private, registered=host)
        if why:
            raise QueryError(f"查询接口的主机 {host} 不能访问：{why}（内网医院请以 --private 登记）")
    return next((one for one in addresses[:-1] if _listens(one, port)), addresses[-1])


def _listens(address: str, port: int) -> bool:
    """Of several addresses a hospital may serve only some: `localhost` is both ::1 and 127.0.0.1."""
    try:
        socket.create_connection((address, port), timeout=_KNOCK_S).close()
    except OSError:
        return False
    return True


def _system(service: QueryService, entry: HospitalEntry, at: str) -> HospitalSystem:
    key = entry.keys[0] if service.sm4 else None
    return HospitalSystem(service.url, key, entry.code, at=at)


def _rows(system: HospitalSystem, asked: Asked) -> Iterable[dict[str, Any]]:
    """What the hospital answers, a day at a time: its paging knows no order and no end (T102, T103)."""
    for start, end in windows(asked.start, asked.end):
        if asked.subject == "exams":
            yield from system.exams(ExamQuestion(start, end, asked.apply_id, asked.patient_id))
        elif asked.subject == "reports":
            yield from system.reports(ReportQuestion(start, end, asked.apply_id, asked.report_id))
        else:
            first, last = start[:10], _day_after(end)
            yield from system.series(
                SeriesQuestion(first, last, asked.apply_id, asked.accession, asked.study_uid)
            )


def windows(start: str, end: str) -> list[tuple[str, str]]:
    """Pieces of a day at most, from `start` to `end`. Raises QueryError."""
    try:
        at, last = (datetime.fromisoformat(text) for text in (start, end))
    except ValueError as error:
        raise QueryError("时间应写作 yyyy-MM-dd 或 yyyy-MM-dd HH:mm:ss") from error
    if not timedelta() < last - at <= timedelta(days=MAX_DAYS + 1):
        raise QueryError(f"时间范围应大于 0，不超过 {MAX_DAYS} 天")
    pieces = []
    while at < last:
        stop = min(at + timedelta(days=1), last)
        pieces.append((at.strftime(_MOMENT), stop.strftime(_MOMENT)))
        at = stop
    return pieces


def _day_after(end: str) -> str:
    """The exclusive day of /series/get for an exclusive moment."""
    moment = datetime.fromisoformat(end) - timedelta(seconds=1)
    return (moment + timedelta(days=1)).date().isoformat()


def _unseen(asked: Asked, rows: Iterable[dict[str, Any]], result: Result) -> Iterator[dict[str, Any]]:
    """Each record once (T103), and only of the exam that is asked about."""
    name = _KEYS.get(asked.subject, ("", ""))[1]
    for row in rows:
        key = key_of(row, name) if name else series_keys([row])[0]
        if key and key in result.seen:
            continue
        result.seen.add(key)
        if asked.exam and asked.exam not in key_of(row, "risStudyId").replace("，", ",").split(","):
            continue
        yield row


def _batches(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    while batch := list(islice(rows, _BATCH)):
        yield batch


def nightly_window(days: int, now: int) -> tuple[str, str]:
    """The last `days` whole days before now, Beijing time."""
    today = datetime.fromtimestamp(now / 1000, BEIJING).replace(hour=0, minute=0, second=0, microsecond=0)
    return (today - timedelta(days=days)).strftime(_MOMENT), today.strftime(_MOMENT)


def payload_of(asked: Asked) -> Mapping[str, Any]:
    """What a piece of work of COMPARE carries."""
    return {name: getattr(asked, name) for name in Asked.__slots__ if getattr(asked, name)}
