"""Background work of a gateway: the engine with its handlers, one mapping from kind to handler.

To add a kind of work: write a function `(task: Task) -> None` (see `store.work.task.Handler`) in a module of
`yingqiao.tasks`, and put it under the kind's name into `handlers` below; what it needs comes from `Surroundings`.
Whoever finds that the work is necessary asks for it with `store.work.ledger.add`, in its own transaction.
What is done every so often is put into `timers`: (seconds, name, function).
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import structlog

from yingqiao.app.folder import StartError, database_of, read_or_make_secret
from yingqiao.app.phone import phone_desk
from yingqiao.app.sealed import SealedFiles
from yingqiao.app.signing_office import open_office
from yingqiao.app.stores import Stores
from yingqiao.exchange.receive import Receiver
from yingqiao.exchange.retry import Backoff, BreakerRule, RetryRule
from yingqiao.exchange.work import ErrorClass
from yingqiao.settings import Settings, WorkSettings
from yingqiao.spec import load_edition
from yingqiao.store.database import Database
from yingqiao.store.image_lists import FETCH
from yingqiao.store.indexer import Indexer
from yingqiao.store.landing import LandingArea
from yingqiao.store.pulls import PULL
from yingqiao.store.reconciliation import MEND
from yingqiao.store.sign_jobs import CALLBACK
from yingqiao.store.signing import retention
from yingqiao.store.work.gauges import WorkGauges
from yingqiao.store.work.retention import forget_done
from yingqiao.tasks import commitments, revocation, seals, signatures, trust_lists
from yingqiao.tasks.balancing import Balancing
from yingqiao.tasks.callbacks import EXPIRE_EVERY_S, Callbacks
from yingqiao.tasks.commitments import CommitmentLedger, Reporter
from yingqiao.tasks.comparing import COMPARE, Comparing
from yingqiao.tasks.fetching import DOCUMENT, Fetching
from yingqiao.tasks.mending import Mender
from yingqiao.tasks.pulling import puller
from yingqiao.tasks.revocation import ListPublisher
from yingqiao.tasks.seals import SealWatch
from yingqiao.tasks.signatures import SignatureWatch
from yingqiao.tasks.trust_lists import ListFetcher
from yingqiao.web.health import Part

if TYPE_CHECKING:
    from yingqiao.store.work.engine import EngineRule
    from yingqiao.store.work.task import Handler


_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What handlers work with."""

    settings: Settings
    stores: Stores
    landing: LandingArea
    indexer: Indexer
    fetching: Fetching
    sealed: SealedFiles


_RETENTION_S = 3600.0
_AUTOMATIC_S = 1.0
Timer = tuple[float, str, Callable[[], None]]


def handlers(around: Surroundings) -> Mapping[str, Handler]:
    """Kind -> handler."""
    return {
        PULL: puller(around.settings, around.stores.database, around.landing, around.indexer),
        FETCH: around.fetching.fetch,
        DOCUMENT: around.fetching.document,
        commitments.KIND: _commitments(around),
        COMPARE: comparing(around.settings, around.stores).work,
        MEND: _balancing(around).mend_day,
        CALLBACK: _callbacks(around).tell,
        trust_lists.KIND: ListFetcher(around.stores.trust),
    }


def commitment_ledger(around: Surroundings, wake: Callable[[], None] = lambda: None) -> CommitmentLedger:
    """The storage commitment requests of this gateway."""
    return CommitmentLedger(around.stores.database, around.landing.root, around.indexer, wake)


def _commitments(around: Surroundings) -> Handler:
    """Raises StartError for an address that cannot be read."""
    ledger = commitment_ledger(around)
    try:
        reporter = Reporter(around.stores.database, ledger, around.settings.dicom.commitment_peers)
    except ValueError as error:
        raise StartError(str(error)) from error
    return lambda task: reporter.tell(int(task.key), task.check)


def timers(around: Surroundings) -> Sequence[Timer]:
    """(seconds, name, function) of what is done every so often."""
    balancing = _balancing(around)
    return (
        (600.0, "close-days", balancing.close_days),
        (30.0, "missing-exams", balancing.look_again),
        (30.0, "nightly-comparisons", balancing.ask_nightly),
        (EXPIRE_EVERY_S, "sign-jobs-expire", _callbacks(around).expire),
        _automatic(around),
        *_trusting(around),
        *_retention(around),
    )


def _automatic(around: Surroundings) -> Timer:
    """Jobs of doctors who have automatic signing on (annex 7, row 19)."""
    automatic = phone_desk(around.settings, around.stores).automatic

    def sign() -> None:
        automatic.turn()

    return _AUTOMATIC_S, "automatic-signing", sign


def _trusting(around: Surroundings) -> Sequence[Timer]:
    """Revocation lists asked for, report signatures and seals judged."""
    stores = around.stores
    sealed = SealWatch(stores.database, stores.hospitals, stores.objects, around.sealed.judge_report)
    watch = SignatureWatch(stores.database, stores.hospitals, stores.trust.current)

    def ask_for_lists() -> None:
        trust_lists.ask_for_lists(stores.database, stores.trust)

    def judge_signatures() -> None:
        watch.turn()

    def judge_seals() -> None:
        sealed.turn()

    return (
        (trust_lists.LOOK_S, trust_lists.NAME, ask_for_lists),
        (signatures.EVERY_S, signatures.NAME, judge_signatures),
        (seals.EVERY_S, seals.NAME, judge_seals),
    )


def _retention(around: Surroundings) -> Sequence[Timer]:
    settings, database = around.settings, around.stores.database
    job_days, token_days = settings.coss.job_days, settings.coss.token_days
    asked = (
        (settings.work.done_days, "retention", _forget),
        (job_days, "sign-jobs-reduce", _reduce_jobs),
        (token_days, "timestamps-forget", _forget_tokens),
    )
    timers = [(_RETENTION_S, name, partial(forget, database, days)) for days, name, forget in asked if days]
    return [*timers, (_RETENTION_S, "attempts-forget", partial(_forget_attempts, database))]


def _forget_attempts(database: Database) -> None:
    retention.forget_attempts(database, time.time_ns() // 10**6)


def _forget(database: Database, days: int) -> None:
    gone = forget_done(database, time.time_ns() // 10**6 - days * 86_400_000)
    if gone:
        _log.info("work.forgotten", rows=gone, days=days)


def _reduce_jobs(database: Database, days: int) -> None:
    reduced, deleted = retention.reduce_jobs(database, time.time_ns() // 10**6 - days * 86_400_000)
    if reduced or deleted:
        _log.info("coss.jobs_reduced", reduced=reduced, deleted=deleted, days=days)


def _forget_tokens(database: Database, days: int) -> None:
    gone = retention.forget_tokens(database, time.time_ns() // 10**6 - days * 86_400_000)
    if gone:
        _log.info("tsa.journal_summed_up", rows=gone, days=days)


def list_publisher(settings: Settings, stores: Stores) -> ListPublisher:
    """Publishes the built-in CAs' revocation lists."""
    every_ms = round(settings.signing.crl_hours * 3_600_000)
    return ListPublisher(open_office(settings, stores).authority.lists, every_ms)


def comparing(settings: Settings, stores: Stores) -> Comparing:
    """Compares hospitals' query services with the ledger, for the engine and for commands."""
    edition = load_edition(settings.exchange.edition)
    return Comparing(edition, stores.database, stores.hospitals, mender(settings, stores))


def mender(settings: Settings, stores: Stores) -> Mender:
    """Takes hospitals' own records in."""
    receiver = Receiver(load_edition(settings.exchange.edition), stores.hospitals)
    return Mender(receiver, stores.database, stores.objects)


def _balancing(around: Surroundings) -> Balancing:
    return Balancing(around.stores.database, around.settings.reconcile)


def _callbacks(around: Surroundings) -> Callbacks:
    return Callbacks(around.stores.database, around.stores.apps)


class BackgroundWork:
    """The engine, started and stopped with the gateway, and how it stands."""

    def __init__(self, around: Surroundings) -> None:
        from yingqiao.store.work.durable import system_url  # DBOS takes a second to import
        from yingqiao.store.work.engine import WorkEngine

        stores, settings = around.stores, around.settings
        self._engine = WorkEngine(
            stores.database,
            system_url(database_of(settings, stores.folder), stores.folder.root),
            handlers(around),
            _rule(settings.work),
            executor=_name(stores),
        )
        for seconds, name, function in timers(around):
            self._engine.every(seconds, name, function)
        self._lists = list_publisher(settings, stores)
        self._engine.every(revocation.LOOK_S, revocation.NAME, self._publish_list)
        self._gauges = WorkGauges(stores.database)

    def start(self) -> None:
        self._engine.start()

    def wake(self) -> None:
        """Work was asked for: begin it at once."""
        self._engine.wake()

    def stop(self) -> None:
        """Handlers are told to stop; what they did not finish waits for the next start."""
        self._engine.close()

    def part(self) -> Part:
        if not self._engine.launched:
            return Part(self._engine.available, "正在启动")
        return Part(
            self._engine.available,
            f"进行中 {self._engine.in_hand}" if self._engine.available else "数据库不可用，稍后继续",
        )

    def gauges(self) -> dict[str, float]:
        return {"work_in_hand": float(self._engine.in_hand)} | self._gauges.read() | self._lists.gauges()

    def _publish_list(self) -> None:
        self._lists.turn()


def _name(stores: Stores) -> str:
    """This data folder's name among the processes that do work: the same after every restart."""
    if stores.database.is_sqlite:
        return "gateway"
    name, _ = read_or_make_secret(stores.folder.root / "executor.id", f"gateway-{secrets.token_hex(6)}")
    return name


def _rule(work: WorkSettings) -> EngineRule:
    from yingqiao.store.work.engine import EngineRule  # as above

    backoffs = {
        ErrorClass.PASSING: Backoff(work.passing_first_seconds, work.passing_most_seconds),
        ErrorClass.THEIRS: Backoff(work.theirs_first_seconds, work.theirs_most_seconds),
        ErrorClass.OURS: Backoff(work.ours_first_seconds, work.ours_most_seconds),
    }
    rest = Backoff(work.breaker_first_seconds, work.breaker_most_seconds)
    return EngineRule(
        places=work.parallel,
        per_hospital=work.per_hospital,
        retry=RetryRule(backoffs, BreakerRule(work.breaker_failures, rest)),
        poll_s=work.poll_seconds,
        lease_s=work.lease_seconds,
        stop_s=work.stop_seconds,
        keep_s=work.keep_seconds,
    )
