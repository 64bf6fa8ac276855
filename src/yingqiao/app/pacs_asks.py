"""What a person asks of a node by hand: what is there beside what is here, a pull, a test of the links."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from yingqiao.app.folder import StartError, dicom_of, has_gateway
from yingqiao.app.stores import Stores
from yingqiao.dicom.query_retrieve.errors import NodeError
from yingqiao.dicom.query_retrieve.node import Limits
from yingqiao.dicom.query_retrieve.studies import find_series, find_studies
from yingqiao.exchange import pull
from yingqiao.exchange.doctor import Diagnosis, Finding, Step
from yingqiao.exchange.pull import PacsStudy, Query
from yingqiao.exchange.work import OVER_STATES, WorkState
from yingqiao.settings import Settings
from yingqiao.store.expectations import read_present
from yingqiao.store.landing import LandingReader
from yingqiao.store.pacs import PacsNode, learn
from yingqiao.store.pulls import PULL, WorkSeen, read_work
from yingqiao.store.work import executors, ledger
from yingqiao.store.work.queries import show_work
from yingqiao.tasks.arrival_watch import ArrivalWatch
from yingqiao.tasks.pacs_client import our_side_of, parties, requestor, work_error
from yingqiao.tasks.pacs_doctor import LIMITS, Doctor

_FIND_LIMITS = Limits(connect=5.0, association=10.0, response=120.0, operation=600.0)
_POLL_S = 0.5
PATIENCE_S = 10.0
"""A gateway that is being started again is waited for."""
_ENDS = OVER_STATES | {WorkState.RETRYING, WorkState.HELD}


@dataclass(frozen=True, slots=True)
class FoundSeries:
    """A series at the node, and how much of it is here."""

    series_uid: str
    modality: str
    number: str
    description: str
    expected: int | None
    present: int


@dataclass(frozen=True, slots=True)
class Found:
    """A study at the node, and how much of it is here. `node`: which."""

    node: str
    study: PacsStudy
    series: tuple[FoundSeries, ...]

    @property
    def expected(self) -> int | None:
        counts = [one.expected for one in self.series if one.expected is not None]
        return sum(counts) if len(counts) == len(self.series) else None

    @property
    def present(self) -> int:
        return sum(one.present for one in self.series)


def find(settings: Settings, stores: Stores, node: PacsNode, query: Query) -> list[Found]:
    """The studies a node has for a query. Raises WorkError when the node cannot be asked."""
    our_side = our_side_of(dicom_of(settings, stores.folder))
    try:
        with requestor(node, our_side, _FIND_LIMITS) as pacs:
            studies = [study for study in find_studies(pacs, query) if pull.meets(query, study)]
            told = {study.study_uid: find_series(pacs, study.study_uid) for study in studies}
    except NodeError as error:
        raise work_error(Step.FIND, error, parties(node, our_side)) from error
    with stores.database.read() as connection:
        present = read_present(connection, told)
    return [
        Found(
            node.name,
            study,
            tuple(
                FoundSeries(
                    one.series_uid,
                    one.modality,
                    one.number,
                    one.description,
                    one.instance_count,
                    present.get(study.study_uid, {}).get(one.series_uid, 0),
                )
                for one in told[study.study_uid]
            ),
        )
        for study in studies
    ]


def examine(
    settings: Settings, stores: Stores, node: PacsNode, asked: Query | None, tell: Callable[[Finding], None]
) -> Diagnosis:
    """Tests every link to a node; `tell` hears each finding as it is made. A C-MOVE that works is tried again
    by later pulls, whatever was learned before."""
    listen = dicom_of(settings, stores.folder)
    host = listen.partition("@")[2].rpartition(":")[0].strip("[]")
    watch = ArrivalWatch(stores.database, LandingReader(stores.folder.landing))
    own_tls = _own_tls(settings) if settings.dicom.tls_certificate else None
    diagnosis = Doctor(node, our_side_of(listen), host, watch, LIMITS, own_tls).examine(asked, tell)
    if node.options.learned and diagnosis.moves:
        learn(stores.database, node, "")
    return diagnosis


def _own_tls(settings: Settings) -> ssl.SSLContext:
    """To our own receiver, which need not prove to us who it is."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if settings.dicom.tls_clients:
        context.load_cert_chain(settings.dicom.tls_certificate, settings.dicom.tls_key or None)
    return context


def wait_for(
    stores: Stores,
    keys: Sequence[str],
    tell: Callable[[WorkSeen, str], None],
    patience_s: float = PATIENCE_S,
) -> list[WorkSeen]:
    """Until every pull is over, was paused by a person, or has failed once; `tell` hears each change, and what a
    pull waits for that has not begun.

    Raises StartError when no gateway has run for `patience_s`: the work stays asked for.
    """
    last: dict[str, tuple[WorkSeen, str]] = {}
    somebody = _Somebody(stores, patience_s)
    while True:
        with stores.database.read() as connection:
            seen = read_work(connection, keys)
            waits = {one.key: _waits_for(connection, one) for one in seen}
        for one in seen:
            now = one, waits[one.key]
            if last.get(one.key) != now:
                tell(*now)
            last[one.key] = now
        if all(one.state in _ENDS for one in seen):
            return seen
        somebody.require()
        time.sleep(_POLL_S)


def _waits_for(connection: Connection, one: WorkSeen) -> str:
    """Why it was not begun yet: a window, a breaker, somebody paused the destination."""
    if one.state not in (WorkState.WAITING, WorkState.HELD):
        return ""
    number = ledger.find(connection, PULL, one.key)
    found = show_work(connection, number, time.time_ns() // 10**6) if number is not None else None
    return found.waits_for if found is not None else ""


class _Somebody:
    """Whether a gateway does the work: of this folder, or with PostgreSQL of another machine."""

    def __init__(self, stores: Stores, patience_s: float) -> None:
        self._stores = stores
        self._patience_s = patience_s
        self._seen_at = time.monotonic()
        self._beats: dict[str, int] | None = None

    def require(self) -> None:
        """Raises StartError when none was seen for so long."""
        if has_gateway(self._stores.folder) or self._hears_beats():
            self._seen_at = time.monotonic()
        elif time.monotonic() - self._seen_at > self._patience_s:
            raise StartError(
                f"没有网关在数据目录 {self._stores.folder.root} 上运行，不再等待。要求已记入账本，网关启动后自动调取："
                "`yingqiao serve`；不要了则 `yingqiao work list --kind pull` 查编号，再 `yingqiao work cancel`",
                unavailable=True,
            )

    def _hears_beats(self) -> bool:
        if self._stores.database.is_sqlite:
            return False
        with self._stores.database.read() as connection:
            now = executors.beats(connection)
        before, self._beats = self._beats, now
        return before is not None and any(before.get(name) != beat for name, beat in now.items())


def plain_found(found: Found) -> dict[str, object]:
    """A study found, for JSON."""
    study = found.study
    return {
        "node": found.node,
        "studyUid": study.study_uid,
        "patientId": study.patient_id,
        "patientName": study.patient_name,
        "accessionNumber": study.accession_number,
        "studyDate": study.study_date,
        "modalities": study.modalities,
        "description": study.description,
        "expected": found.expected,
        "present": found.present,
        "series": [
            {
                "seriesUid": one.series_uid,
                "modality": one.modality,
                "number": one.number,
                "description": one.description,
                "expected": one.expected,
                "present": one.present,
            }
            for one in found.series
        ],
    }
