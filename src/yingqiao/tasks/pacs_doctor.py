"""The C-MOVE doctor at work: each link to a PACS tried in order, judged by `exchange.doctor`.

It runs in a process of its own as well as in the gateway: whether the probe came is seen in the index and
in the landing area.
"""

from __future__ import annotations

import socket
import ssl
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

from yingqiao.dicom.keeper import Store
from yingqiao.dicom.query_retrieve.attributes import Level
from yingqiao.dicom.query_retrieve.client import Model, Peer, Requestor
from yingqiao.dicom.query_retrieve.errors import FailedStatus, NodeError, Rejected, Unreachable
from yingqiao.dicom.query_retrieve.identifier import Answer, Keys
from yingqiao.dicom.query_retrieve.node import Limits, Node
from yingqiao.dicom.query_retrieve.progress import Progress
from yingqiao.dicom.query_retrieve.studies import find_instances, find_series, offered, study_of
from yingqiao.exchange import doctor, pull
from yingqiao.exchange.clock import BEIJING
from yingqiao.exchange.doctor import Diagnosis, Finding, Mark, Moved, Parties, Step, Trouble
from yingqiao.exchange.pull import PacsSeries, PacsStudy, Query, QueryKind
from yingqiao.exchange.work import WorkError
from yingqiao.store.landing import LandingArea
from yingqiao.store.pacs import PacsNode
from yingqiao.tasks.arrival_watch import ArrivalWatch
from yingqiao.tasks.pacs_client import OurSide, finding_of, parties, requestor

LIMITS = Limits(connect=5.0, association=10.0, response=60.0, operation=300.0)
LOOK_BACK_DAYS = 30
_ENOUGH = 20
"""Studies looked at for one to probe with."""
_ARRIVAL_S = 15.0
_NOT_TRIED = "前面的环节不通"
_CHARSET_ODDITIES = ("charset-lied", "charset-missing", "charset-unknown", "charset-mixed", "charset-broken")


@dataclass(frozen=True, slots=True)
class Probe:
    """One instance to ask for, or a whole small series where instances cannot be named."""

    level: Level
    keys: Keys
    sop_uid: str
    sop_classes: tuple[str, ...] = ()


@dataclass
class _Course:
    """What is known so far."""

    both: Parties
    findings: list[Finding] = field(default_factory=list)
    tell: Callable[[Finding], None] = lambda _: None

    def add(self, finding: Finding, seconds: float = 0.0) -> Finding:
        timed = replace(finding, seconds=round(finding.seconds or seconds, 3))
        self.findings.append(timed)
        self.tell(timed)
        return timed

    @contextmanager
    def trying(self, step: Step) -> Iterator[list[Finding]]:
        """The step's finding is what the block puts into the list, or the NodeError it ends with."""
        began, put = time.monotonic(), []  # type: float, list[Finding]
        try:
            yield put
        except NodeError as error:
            put[:] = [finding_of(step, error, self.both)]
        self.add(put[-1], time.monotonic() - began)

    @property
    def is_well(self) -> bool:
        return self.findings[-1].mark is Mark.PASSED

    def passed(self, step: Step, words: str) -> Finding:
        return doctor.found(step, None, self.both, 0.0, words)

    def failed(self, step: Step, trouble: Trouble, **facts: object) -> Finding:
        return doctor.found(step, trouble, self.both, 0.0, **facts)  # type: ignore[arg-type]


class Doctor:
    """Tests one node."""

    def __init__(
        self,
        node: PacsNode,
        our_side: OurSide,
        listens_on: str,
        watch: ArrivalWatch,
        limits: Limits = LIMITS,
        own_tls: ssl.SSLContext | None = None,
    ) -> None:
        """`listens_on`: the host our receiver listens on; `own_tls`: how to speak to it when it wants TLS."""
        self._node = node
        self._our_side = our_side
        self._listens_on = listens_on
        self._watch = watch
        self._limits = limits
        self._own_tls = own_tls

    def examine(
        self, asked: Query | None = None, tell: Callable[[Finding], None] = lambda _: None
    ) -> Diagnosis:
        """Tries every link; `asked` says which study to probe with; `tell` hears each finding as it is made."""
        course = _Course(parties(self._node, self._our_side), tell=tell)
        if self._reaches(course):
            self._ask(course, asked)
        tried = {finding.step for finding in course.findings}
        if Step.BACK not in tried:
            self._back(course)
        for step in Step:
            if step not in tried and step is not Step.BACK:
                course.add(doctor.skipped(step, _NOT_TRIED))
        order = list(Step)
        return Diagnosis(course.both, tuple(sorted(course.findings, key=lambda f: order.index(f.step))))

    def _reaches(self, course: _Course) -> bool:
        """Name, then TCP."""
        address = self._node.address
        began = time.monotonic()
        try:
            found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            course.add(course.failed(Step.NAME, Trouble.NAME_UNKNOWN), time.monotonic() - began)
            return False
        named = "、".join(dict.fromkeys(str(entry[4][0]) for entry in found))
        course.add(course.passed(Step.NAME, named), time.monotonic() - began)
        return self._connects(course)

    def _connects(self, course: _Course) -> bool:
        address = self._node.address
        began = time.monotonic()
        try:
            with socket.create_connection((address.host, address.port), self._limits.connect) as connection:
                ours = str(connection.getsockname()[0])
        except ConnectionRefusedError:
            finding = course.failed(Step.CONNECT, Trouble.REFUSED)
        except TimeoutError:
            finding = course.failed(Step.CONNECT, Trouble.FILTERED)
        except OSError as error:
            finding = course.failed(Step.CONNECT, Trouble.NO_ROUTE, detail=error.strerror or str(error))
        else:
            finding = course.passed(Step.CONNECT, f"{address.host}:{address.port}，本机地址 {ours}")
        course.add(finding, time.monotonic() - began)
        return course.is_well

    def _ask(self, course: _Course, asked: Query | None) -> None:
        """Everything that goes over an association."""
        try:
            pacs = requestor(self._node, self._our_side, self._limits)
        except WorkError as error:
            course.add(course.failed(Step.TLS, Trouble.TLS_OWN_FILES, detail=error.reason))
            return
        with pacs:
            peer = self._associates(course, pacs)
            if peer is None:
                return
            with course.trying(Step.ECHO) as put:
                put.append(course.passed(Step.ECHO, f"{pacs.echo() * 1000:.0f} 毫秒"))
            self._back(course)
            study = self._finds(course, pacs, asked)
            probe = self._choose(pacs, study) if study is not None else None
            self._moves(course, pacs, peer, probe)
            self._gets(course, pacs, peer, probe)

    def _associates(self, course: _Course, pacs: Requestor) -> Peer | None:
        began = time.monotonic()
        try:
            peer = pacs.associate()
        except NodeError as error:
            tls = isinstance(error, Unreachable) and error.cause == "tls"
            if self._node.options.tls and not tls:
                course.add(course.passed(Step.TLS, "已加密"))
            elif not tls:
                course.add(doctor.skipped(Step.TLS, "节点未用 TLS"))
            step = Step.TLS if tls else Step.ASSOCIATION
            course.add(finding_of(step, error, course.both), time.monotonic() - began)
            return None
        tls_words = course.passed(Step.TLS, "已加密") if self._node.options.tls else None
        course.add(tls_words or doctor.skipped(Step.TLS, "节点未用 TLS"))
        course.add(course.passed(Step.ASSOCIATION, _offer(peer)), time.monotonic() - began)
        return peer

    def _back(self, course: _Course) -> None:
        """Our own receiver, at the address the PACS would use."""
        ours = course.both.ours
        if not ours.port:
            course.add(course.failed(Step.BACK, Trouble.OWN_OFF))
            return
        address = ours.addresses[0] if ours.addresses else "127.0.0.1"
        node = Node(address, ours.port, ours.ae_title, self._node.address.ae_title)
        began = time.monotonic()
        try:
            with Requestor(node, self._limits, self._own_tls) as own:
                own.echo()
            finding = course.passed(Step.BACK, f"告诉 PACS 厂商：{ours.words()}")
        except NodeError as error:
            finding = self._own_trouble(course, error, address)
        course.add(finding, time.monotonic() - began)

    def _own_trouble(self, course: _Course, error: NodeError, address: str) -> Finding:
        if isinstance(error, Rejected) and (error.source, error.reason) == (1, 3):
            said = f"可达（来源名单只认 PACS 的地址）；告诉 PACS 厂商：{course.both.ours.words()}"
            return course.passed(Step.BACK, said)
        if isinstance(error, Rejected) and (error.source, error.reason) == (1, 7):
            return course.failed(Step.BACK, Trouble.OWN_AET)
        if self._listens_on in ("127.0.0.1", "::1", "localhost") and address != self._listens_on:
            return course.failed(Step.BACK, Trouble.OWN_LOOPBACK)
        return course.failed(Step.BACK, Trouble.OWN_DOWN, detail=error.words)

    def _finds(self, course: _Course, pacs: Requestor, asked: Query | None) -> PacsStudy | None:
        """A study to probe with: the one asked for, else one of the last days."""
        chosen: list[PacsStudy] = []
        with course.trying(Step.FIND) as put:
            if asked is None:
                answers = _recent(pacs)
                chosen += [study_of(answer) for answer in answers]
                put.append(self._found_words(course, answers))
            else:
                answers = list(offered(pacs, asked))
                studies = [study_of(answer) for answer in answers]
                chosen += [study for study in studies if pull.meets(asked, study)]
                put.append(self._asked_words(course, asked, answers, len(chosen)))
        return _smallest(chosen)

    def _found_words(self, course: _Course, answers: list[Answer]) -> Finding:
        if not answers:
            return course.passed(Step.FIND, f"查询成功；近 {LOOK_BACK_DAYS} 天没有检查")
        return _charset(course, answers) or course.passed(Step.FIND, f"查询成功，看到 {len(answers)} 个检查")

    def _asked_words(self, course: _Course, asked: Query, answers: list[Answer], meeting: int) -> Finding:
        if not meeting:
            said = f"{pull.QUERY_NAMES[asked.kind]} {asked.value}"
            if answers:
                return course.failed(Step.FIND, Trouble.IGNORES_KEYS, count=len(answers))
            return course.failed(Step.FIND, Trouble.EMPTY, asked=said)
        if meeting < len(answers):
            return course.failed(Step.FIND, Trouble.IGNORES_KEYS, count=len(answers))
        return _charset(course, answers) or course.passed(Step.FIND, f"查询成功，找到 {meeting} 个检查")

    def _choose(self, pacs: Requestor, study: PacsStudy) -> Probe | None:
        """One small instance of the study, one that is not here yet if there is one. None: there is none, or
        the node cannot tell."""
        try:
            listed = sorted(find_series(pacs, study.study_uid), key=_size)
            series = next((one for one in listed if one.instance_count != 0), None)
            if series is None:
                return None
            keys: Keys = {"StudyInstanceUID": study.study_uid, "SeriesInstanceUID": series.series_uid}
            try:
                listed_uids = dict(_by_uid(find_instances(pacs, study.study_uid, series.series_uid)))
            except FailedStatus:
                listed_uids = {}
        except NodeError:
            return None
        if not listed_uids:
            return Probe(Level.SERIES, keys, "")
        here = self._watch.known(listed_uids)
        uid = next((one for one in listed_uids if one not in here), next(iter(listed_uids)))
        classes = tuple(filter(None, (listed_uids[uid],)))
        return Probe(Level.IMAGE, {**keys, "SOPInstanceUID": uid}, uid, classes)

    def _moves(self, course: _Course, pacs: Requestor, peer: Peer, probe: Probe | None) -> None:
        if not peer.offers(Model.STUDY_ROOT.move):
            course.add(course.failed(Step.MOVE, Trouble.NOT_OFFERED))
        elif not course.both.ours.port:
            course.add(doctor.skipped(Step.MOVE, "本机没有开启 DICOM 接收"))
        else:
            self._probe(course, Step.MOVE, self._move, pacs, probe)

    def _move(self, course: _Course, pacs: Requestor, probe: Probe) -> Finding:
        self._watch.start()
        said: list[Progress] = []
        status, comment = 0, ""
        try:
            said.extend(pacs.move(course.both.ours.ae_title, probe.level, probe.keys))
        except FailedStatus as failure:
            status, comment = failure.status, failure.comment
        last = said[-1] if said else Progress(status)
        counts = (last.completed or 0, last.failed or 0, last.warning or 0)
        promised = counts[0] + counts[2] > 0
        arrived = self._watch.arrived(probe, _ARRIVAL_S if promised or not status else 0.5)
        moved = Moved(status, *counts, arrived, comment)
        trouble = doctor.move_trouble(moved)
        if trouble is None:
            return course.passed(Step.MOVE, "一幅影像已调到本机")
        detail = doctor.status_words(status, comment)
        return course.failed(Step.MOVE, trouble, detail=detail, sent=moved.sent)

    def _gets(self, course: _Course, pacs: Requestor, peer: Peer, probe: Probe | None) -> None:
        if not peer.offers(Model.STUDY_ROOT.get):
            course.add(doctor.skipped(Step.GET, "PACS 不提供 C-GET（有 C-MOVE 即可）"))
        else:
            self._probe(course, Step.GET, self._get, pacs, probe)

    @staticmethod
    def _probe(
        course: _Course,
        step: Step,
        bring: Callable[[_Course, Requestor, Probe], Finding],
        pacs: Requestor,
        probe: Probe | None,
    ) -> None:
        if probe is None:
            course.add(course.failed(step, Trouble.NOTHING_TO_PROBE))
            return
        with course.trying(step) as put:
            put.append(bring(course, pacs, probe))

    def _get(self, course: _Course, pacs: Requestor, probe: Probe) -> Finding:
        with _nowhere() as store:
            last = list(pacs.get(probe.level, probe.keys, store, sop_classes=probe.sop_classes))[-1]
        if (last.completed or 0) + (last.warning or 0):
            return course.passed(Step.GET, "一幅影像已取到本机（试取，未保存）")
        return course.failed(Step.GET, Trouble.NOTHING_SENT)


def _by_uid(instances: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """SOP instance UID, SOP class UID."""
    return ((uid, sop_class) for sop_class, uid in instances)


@contextmanager
def _nowhere() -> Iterator[Store]:
    """A landing area for a probe, gone afterwards: what a test brings is not kept."""
    with tempfile.TemporaryDirectory(prefix="yingqiao-probe-") as folder:
        landing = LandingArea(Path(folder), reserve_bytes=0)
        try:
            yield Store(landing, lambda _: None)
        finally:
            landing.close()


def _offer(peer: Peer) -> str:
    services = (
        ("C-FIND", Model.STUDY_ROOT.find),
        ("C-MOVE", Model.STUDY_ROOT.move),
        ("C-GET", Model.STUDY_ROOT.get),
    )
    names = "、".join(name for name, uid in services if peer.offers(uid)) or "（无查询调取服务）"
    return f"PACS 提供 {names}；程序 {peer.implementation_version or '未说明'}"


def _recent(pacs: Requestor) -> list[Answer]:
    """Some studies of the last days, the newest days first. Raises NodeError."""
    today = datetime.now(BEIJING).date()
    for first, last in ((0, 0), (1, 7), (8, LOOK_BACK_DAYS)):
        days = f"{today - timedelta(days=last):%Y%m%d}-{today - timedelta(days=first):%Y%m%d}"
        found = []
        for answer in offered(pacs, Query(QueryKind.PATIENT_DAY, "", days)):
            found.append(answer)
            if len(found) == _ENOUGH:
                break
        if found:
            return found
    return []


def _charset(course: _Course, answers: list[Answer]) -> Finding | None:
    odd = dict.fromkeys(o for answer in answers for o in answer.oddities if o in _CHARSET_ODDITIES)
    return course.failed(Step.FIND, Trouble.CHARSET, detail="、".join(odd)) if odd else None


def _smallest(studies: list[PacsStudy]) -> PacsStudy | None:
    usable = [s for s in studies if s.study_uid and s.instance_count != 0]
    return min(usable, key=lambda s: s.instance_count or 10**9, default=None)


def _size(series: PacsSeries) -> int:
    return series.instance_count or 10**9
