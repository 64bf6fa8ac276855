"""The HTTP half of a gateway, in one process: intake, health, metrics, the reading API and their servers."""

from __future__ import annotations

import asyncio
import functools
import gc
import os
import signal
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import uvloop
from starlette.routing import BaseRoute

from yingqiao.app.bounded import SERVED_AT_ONCE
from yingqiao.app.keys import api_token
from yingqiao.app.pulse import free_bytes
from yingqiao.app.sealed import SealedFiles
from yingqiao.app.sealing import SealingDesk
from yingqiao.app.signing import SigningSide
from yingqiao.app.signing_office import open_office
from yingqiao.app.stores import Stores
from yingqiao.app.work import mender
from yingqiao.exchange.model import Submission
from yingqiao.exchange.query import State
from yingqiao.exchange.receive import Policy, Receiver
from yingqiao.exchange.reconcile import INTERFACE, StatementReceiver
from yingqiao.logging import RequestLog
from yingqiao.settings import Settings
from yingqiao.spec import load_edition
from yingqiao.store.errors import StoreUnavailable
from yingqiao.store.ledger import Ledger
from yingqiao.store.signing.office import Office
from yingqiao.store.unknown import UnknownBounds, UnknownSenders
from yingqiao.tasks.mending import Mender
from yingqiao.web import list_status, reconciliation
from yingqiao.web.answers import App, Handler
from yingqiao.web.api import routes as api_routes
from yingqiao.web.api.seal_desk import seal_desk_routes
from yingqiao.web.dsvs import Dsvs, DsvsParts
from yingqiao.web.health import Check, Health, Part
from yingqiao.web.intake import Ask, Intake, Parts
from yingqiao.web.metrics import Metrics
from yingqiao.web.office import DoorRule, office_routes
from yingqiao.web.reconciliation import Reconciliation
from yingqiao.web.sef import Sef
from yingqiao.web.server import GatewayServer, make_server, serve_until
from yingqiao.web.service import Services
from yingqiao.web.site import Guard, Site, admin_app, intake_app, intake_direct, public_app, whole_app
from yingqiao.web.visit import Line


@dataclass(frozen=True, slots=True)
class Listening:
    """Bound sockets of one process."""

    main: socket.socket
    admin: socket.socket | None = None


@dataclass(slots=True)
class Gauges:
    """What the HTTP half adds to the state of the gateway."""

    servers: list[GatewayServer] = field(default_factory=list)
    intake: Intake | None = None

    def read(self) -> dict[str, float]:
        return {
            "http_connections": float(sum(server.connections for server in self.servers)),
            "http_in_flight": float(self.intake.in_flight.requests) if self.intake else 0.0,
        }


class _Nowhere:
    """Keeps nothing: what benchmarks measure the rest of the server with (`store = off`)."""

    async def record(self, _: Submission) -> int:
        return 0

    async def record_list(self, _: Submission) -> tuple[int, frozenset[bytes]]:
        return 0, frozenset()

    def submit(self, _: Submission) -> asyncio.Future[int]:
        done = asyncio.get_running_loop().create_future()
        done.set_result(0)
        return done

    def put(self, _: bytes, __: str) -> str:
        return ""


def run_http(
    settings: Settings,
    stores: Stores,
    listening: Listening,
    metrics: Metrics,
    checks: Mapping[str, Check],
    gauges: Gauges,
    ready: Callable[[], None],
    on_stop: Callable[[Callable[[], None]], None],
) -> None:
    """Serve until SIGTERM, SIGINT or the function given to `on_stop` is called; finish what was accepted.

    `ready` is called when the sockets are served.
    """
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(settings, stores, listening, metrics, checks, gauges, ready, on_stop))


async def _serve(
    settings: Settings,
    stores: Stores,
    listening: Listening,
    metrics: Metrics,
    checks: Mapping[str, Check],
    gauges: Gauges,
    ready: Callable[[], None],
    on_stop: Callable[[Callable[[], None]], None],
) -> None:
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)

    def stop() -> None:
        loop.call_soon_threadsafe(stopping.set)

    on_stop(stop)
    ledger = Ledger(stores.database, fetchable=stores.bell.ring)
    ledger.start()
    log = RequestLog()
    log.start()
    office = open_office(settings, stores)
    sealed = SealedFiles(stores, stores.bounded.serving, office.seals.stops)
    arriving = SealedFiles(stores, stores.bounded.arriving, office.seals.stops)
    intake = _intake(settings, stores, ledger, metrics, log, arriving)
    signing = SigningSide(settings, stores)
    signing.start()
    desk = SealingDesk(office.seals, stores.bounded.sealing, signing.stamp)
    site = _site(
        settings,
        stores,
        office,
        [*seal_desk_routes(office, desk)],
        sealed,
        metrics,
        dict(checks) | {"ledger": lambda: _ledger_part(ledger)},
    )
    services = Services(
        signing.services(site.edition),
        settings.http,
        intake.in_flight,
        metrics,
        _line_writer(settings, log),
        lambda: intake.is_full,
    )
    questions = {list_status.PATH: (list_status.NAME, list_status.asking(stores.database))}
    statements = _reconciliation(settings, stores, ledger)
    dsvs = Dsvs(
        DsvsParts(
            stores.trust.current,
            settings.http,
            settings.coss,
            metrics,
            signing.request_signature(site.edition),
            _line_writer(settings, log),
        )
    )
    seals = Sef(site.edition, sealed, SERVED_AT_ONCE)
    verifying = Services(
        [seals.service()], settings.http, seals.in_flight(), metrics, _line_writer(settings, log)
    )
    more = (
        services.apps()
        | verifying.apps()
        | dsvs.apps()
        | {
            site.edition.interfaces[INTERFACE].path: intake.app(
                INTERFACE, statements.tell, reconciliation.failure
            )
        }
    )
    direct = services.direct() | verifying.direct() | dsvs.direct()
    servers = _servers(settings, listening, intake, site, questions, more, direct)
    gauges.servers, gauges.intake = [server for server, _ in servers], intake
    watching = asyncio.create_task(_watch_disk(settings, stores, intake))
    _calm_collector()
    try:
        await serve_until(stopping, servers, ready)
    finally:
        watching.cancel()
        await services.drain()
        await verifying.drain()
        signing.close()
        await ledger.close()
        statements.close()
        intake.close()
        dsvs.close()
        seals.close()
        log.close()


def _calm_collector() -> None:
    """What is here by now stays: full collections need not walk it again, each tens of milliseconds."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


async def _watch_disk(settings: Settings, stores: Stores, intake: Intake) -> None:
    while True:
        intake.is_full = free_bytes(stores.folder.root) < settings.reserve_bytes
        await asyncio.sleep(1)


def _intake(
    settings: Settings,
    stores: Stores,
    ledger: Ledger,
    metrics: Metrics,
    log: RequestLog,
    sealed: SealedFiles,
) -> Intake:
    edition = load_edition(settings.exchange.edition)
    kept = settings.store == "on"
    parts = Parts(
        receiver=Receiver(
            edition,
            stores.hospitals,
            Policy(keep_unknown=settings.exchange.keep_unknown),
            stores.trust.current,
            sealed.judge_at_once,
        ),
        recorder=ledger if kept else _Nowhere(),
        documents=stores.objects if kept else _Nowhere(),
        messages=edition.messages,
        metrics=metrics,
        write_line=_line_writer(settings, log),
        strangers=_strangers(settings, stores) if kept else None,
    )
    return Intake(parts, settings.http)


def _reconciliation(settings: Settings, stores: Stores, ledger: Ledger) -> Reconciliation:
    edition = load_edition(settings.exchange.edition)
    receiver = StatementReceiver(
        edition.id, edition.messages, stores.hospitals, keep_unknown=settings.exchange.keep_unknown
    )
    as_object = settings.reconcile.answer == "object"
    return Reconciliation(
        receiver, stores.database, ledger, _strangers(settings, stores), as_object=as_object
    )


def _line_writer(settings: Settings, log: RequestLog) -> Callable[[Line], None] | None:
    return log.write if settings.log.requests else None


def _strangers(settings: Settings, stores: Stores) -> UnknownSenders:
    exchange = settings.exchange
    return UnknownSenders(stores.database, UnknownBounds(exchange.unknown_count, exchange.unknown_bytes))


def _site(
    settings: Settings,
    stores: Stores,
    office: Office,
    more_api: Sequence[BaseRoute],
    sealed: SealedFiles,
    metrics: Metrics,
    checks: Mapping[str, Check],
) -> Site:
    return Site(
        edition=load_edition(settings.exchange.edition),
        health=Health(checks),
        metrics=metrics,
        guard=Guard(api_token(settings, stores.folder), settings.api.loopback_without_token),
        api_routes=[
            *api_routes(
                stores.database,
                stores.objects,
                landing=stores.folder.landing,
                stable_after=settings.completeness.stable_ms,
                trust=stores.trust.current,
                mend=_mending(settings, stores),
                judge_file=sealed.judge_asked,
            ),
            *more_api,
        ],
        metrics_token=settings.api.metrics_token,
        office=_office(settings, stores, office),
    )


def _mending(settings: Settings, stores: Stores) -> Callable[[int], State]:
    """Made when it is first asked for: hardly any process of the HTTP half ever mends."""

    @functools.cache
    def made() -> Mender:
        return mender(settings, stores)

    return lambda number: made().mend(number)


def _office(settings: Settings, stores: Stores, office: Office) -> list[BaseRoute]:
    http = settings.http
    rule = DoorRule(settings.signing.logins_per_minute, http.trusted_proxies, bool(http.tls_certificate))
    return office_routes(office, rule, stores.bounded.pictures)


def _servers(
    settings: Settings,
    listening: Listening,
    intake: Intake,
    site: Site,
    questions: Mapping[str, tuple[str, Ask]],
    more: Mapping[str, App],
    more_direct: Mapping[bytes, Handler],
) -> list[tuple[GatewayServer, list[socket.socket]]]:
    direct = intake_direct(intake, site.edition) | dict(more_direct)
    if listening.admin is None:
        app = intake_app(intake, site.edition, whole_app(site), questions, more)
        return [(make_server(app, settings.http, direct), [listening.main])]
    public = intake_app(intake, site.edition, public_app(site), questions, more)
    main = make_server(public, settings.http, direct)
    return [(main, [listening.main]), (make_server(admin_app(site), settings.http), [listening.admin])]


def _ledger_part(ledger: Ledger) -> Part:
    return Part(ledger.available, "" if ledger.available else "上次写入失败，正在重连")


def store_checks(stores: Stores) -> dict[str, Check]:
    """The parts every process can ask itself: database and object folder."""

    def database() -> Part:
        try:
            with stores.database.read() as connection:
                connection.exec_driver_sql("SELECT 1")
        except StoreUnavailable as error:
            return Part(ok=False, detail=type(error).__name__)
        return Part(ok=True)

    def objects() -> Part:
        return Part(os.access(stores.folder.objects, os.W_OK | os.X_OK), str(stores.folder.objects))

    return {"database": database, "objects": objects}
