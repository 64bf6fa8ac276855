"""Where a hospital's addresses may lead: registered hosts, their credentials sealed at rest (T94).

Nothing else is ever fetched. Registering a host opens again what was refused for want of it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import structlog
from sqlalchemy import Connection, Row, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from yingqiao.exchange.fetch import (
    PORTS,
    AllowedHost,
    Credentials,
    FetchError,
    FileState,
    HostOptions,
    OptionsError,
    choose,
    parse_address,
)
from yingqiao.exchange.images_list import Reach, nothing_registered
from yingqiao.exchange.work import LineLimits
from yingqiao.gm.keystore import KeystoreError, MasterKey
from yingqiao.store.database import Database
from yingqiao.store.errors import HospitalError
from yingqiao.store.image_lists import mark_due
from yingqiao.store.ledger_rows import DOCUMENT_DUE
from yingqiao.store.schema import fetch_hosts, image_files, image_lists, report_documents, work_destinations
from yingqiao.store.work import destinations

_log = structlog.get_logger(__name__)
_CONTEXT = "fetch-host:"
_STEP = 5000


@dataclass(frozen=True, slots=True)
class HostShown:
    """A registered host as lists show it; of its credentials only whether there are any."""

    id: int
    hospital_code: str
    address: str
    scheme: str
    host: str
    port: int
    root: str
    private: bool
    path_encoding: str
    options: dict[str, Any]
    credentials: bool
    destination: str
    max_parallel: int
    bytes_per_second: int
    windows: str
    created_at: int


@dataclass(frozen=True, slots=True)
class Registered:
    id: int
    reopened: int
    """Addresses refused earlier for want of this host, to be fetched now."""


class FetchHosts:
    """The registry. Every method is safe from any thread and raises StoreUnavailable."""

    def __init__(self, database: Database, master_key: MasterKey) -> None:
        self._database = database
        self._master_key = master_key

    def add(self, hospital_code: str, host: AllowedHost, limits: LineLimits | None = None) -> Registered:
        """Let addresses of the hospital lead to `host`. Raises HospitalError."""
        now = time.time_ns() // 10**6
        name = destination_of(hospital_code, host.scheme, host.host, host.port)
        row = {
            "hospital_code": hospital_code,
            "scheme": host.scheme,
            "host": host.host,
            "port": host.port,
            "root": host.root,
            "private": host.private,
            "path_encoding": host.path_encoding,
            "options": msgspec.json.encode(host.options).decode(),
            "sealed": self._seal(hospital_code, host.credentials),
            "destination": name,
            "created_at": now,
        }
        try:
            with self._database.write() as connection:
                destinations.ensure(connection, name, hospital_code, limits or LineLimits())
                statement = insert(fetch_hosts).values(row).returning(fetch_hosts.c.id)
                number: int = connection.execute(statement).scalar_one()
        except IntegrityError as error:
            raise HospitalError(f"没有医疗机构 {hospital_code}，或 {host.display} 已登记") from error
        return Registered(number, self.reopen(hospital_code))

    def list(self, hospital_code: str | None = None) -> list[HostShown]:
        """Registered hosts by hospital and address."""
        d = work_destinations.c
        wanted = select(fetch_hosts, d.max_parallel, d.bytes_per_second, d.windows).join(work_destinations)
        if hospital_code is not None:
            wanted = wanted.where(fetch_hosts.c.hospital_code == hospital_code)
        with self._database.read() as connection:
            shown = [_shown(row) for row in connection.execute(wanted)]
        return sorted(shown, key=lambda host: (host.hospital_code, host.address))

    def remove(self, host_id: int) -> bool:
        """True when there was one. Its destination stays, with its history."""
        with self._database.write() as connection:
            return connection.execute(delete(fetch_hosts).where(fetch_hosts.c.id == host_id)).rowcount > 0

    def of(self, hospital_code: str, host_id: int | None = None) -> tuple[AllowedHost, ...]:
        """The hosts of a hospital with their credentials opened, or the one of them with this id."""
        wanted = select(fetch_hosts).where(fetch_hosts.c.hospital_code == hospital_code)
        if host_id is not None:
            wanted = wanted.where(fetch_hosts.c.id == host_id)
        with self._database.read() as connection:
            return tuple(self._opened(row) for row in connection.execute(wanted.order_by(fetch_hosts.c.id)))

    def everybodys(self) -> tuple[AllowedHost, ...]:
        """Those of all hospitals, for a request that names none; where two registered the same, the first's."""
        with self._database.read() as connection:
            rows = connection.execute(select(fetch_hosts).order_by(fetch_hosts.c.id)).all()
        return tuple(self._opened(row) for row in rows)

    def ensure_line(self, connection: Connection, line: str, hospital_code: str, host: AllowedHost) -> None:
        """The destination `line` is there; a new one (a host of a registered network) with the limits of `host`."""
        d = work_destinations.c
        if connection.scalar(select(d.name).where(d.name == line)) is not None:
            return
        found = connection.execute(
            select(d.max_parallel, d.bytes_per_second, d.windows)
            .join(fetch_hosts, fetch_hosts.c.destination == d.name)
            .where(fetch_hosts.c.id == host.id)
        ).first()
        limits = LineLimits(*found) if found else LineLimits()
        destinations.ensure(connection, line, hospital_code, limits)

    def keep_host_key(self, host_id: int, fingerprint: str) -> None:
        """Trust from now on the SSH key that was seen first (trust on first use)."""
        with self._database.write() as connection:
            mine = fetch_hosts.c.id == host_id
            text = connection.scalar(select(fetch_hosts.c.options).where(mine))
            if text is None:
                return
            options = HostOptions.from_json(text)
            if not options.host_keys:
                kept = msgspec.structs.replace(options, host_keys=(fingerprint,))
                kept_text = msgspec.json.encode(kept).decode()
                connection.execute(update(fetch_hosts).where(mine).values(options=kept_text))

    def reopen(self, hospital_code: str) -> int:
        """Addresses of the hospital that were refused and lead to a registered host now: pending again."""
        reach = self._reach(hospital_code)
        files = _reopen_files(self._database, hospital_code, reach)
        return files + _reopen_documents(self._database, hospital_code, reach)

    def reopen_documents(self, hospital_code: str) -> int:
        """The same for PDFs of reports only."""
        return _reopen_documents(self._database, hospital_code, self._reach(hospital_code))

    def reopen_list(self, hospital_code: str, list_id: int) -> int:
        """The same for one list: intake may have judged it by hosts registered up to a second before."""
        return _reopen_files(self._database, hospital_code, self._reach(hospital_code), list_id)

    def _reach(self, hospital_code: str) -> Reach:
        with self._database.read() as connection:
            rows = connection.execute(
                select(fetch_hosts).where(fetch_hosts.c.hospital_code == hospital_code)
            ).all()
        return reach_of([allowed(row) for row in rows])

    def _seal(self, hospital_code: str, credentials: Credentials) -> bytes | None:
        if not credentials:
            return None
        return self._master_key.seal(msgspec.json.encode(credentials), _CONTEXT + hospital_code)

    def _opened(self, row: Row[Any]) -> AllowedHost:
        if row.sealed is None:
            return allowed(row)
        try:
            opened = Credentials.from_json(self._master_key.unseal(row.sealed, _CONTEXT + row.hospital_code))
        except (KeystoreError, OptionsError) as error:
            _log.error("hosts.credentials_unreadable", host=row.id, error=str(error))
            return allowed(row)
        return replace(allowed(row), credentials=opened)


def allowed(row: Row[Any]) -> AllowedHost:
    """A row without its credentials: enough to decide where addresses may lead."""
    try:
        options = HostOptions.from_json(row.options)
    except OptionsError as error:  # by another edition of the program; one host must not stop all
        _log.error("hosts.options_unreadable", host=row.id, error=str(error))
        options = HostOptions()
    return AllowedHost(
        scheme=row.scheme,
        host=row.host,
        port=row.port,
        root=row.root,
        private=row.private,
        path_encoding=row.path_encoding,
        options=options,
        id=row.id,
    )


def reach_of(hosts: Sequence[AllowedHost]) -> Reach:
    """Which addresses lead to one of `hosts`."""
    if not hosts:
        return nothing_registered

    def reach(text: str) -> str:
        try:
            choose(parse_address(text), hosts)
        except FetchError as error:
            return error.reason
        return ""

    return reach


def destination_of(hospital_code: str, scheme: str, host: str, port: int) -> str:
    """The name of a destination of work: one line of fairness, with its limits, windows and breaker."""
    shown = f"[{host}]" if ":" in host and "/" not in host else host
    return f"{hospital_code}/{scheme}://{shown}:{port or PORTS.get(scheme, 0)}"


def _shown(row: Row[Any]) -> HostShown:
    host = allowed(row)
    return HostShown(
        id=row.id,
        hospital_code=row.hospital_code,
        address=host.display,
        scheme=row.scheme,
        host=row.host,
        port=row.port or PORTS.get(row.scheme, 0),
        root=row.root,
        private=row.private,
        path_encoding=row.path_encoding,
        options=msgspec.to_builtins(host.options),
        credentials=row.sealed is not None,
        destination=row.destination,
        max_parallel=row.max_parallel,
        bytes_per_second=row.bytes_per_second,
        windows=row.windows,
        created_at=row.created_at,
    )


def _reopen_files(database: Database, hospital_code: str, reach: Reach, list_id: int | None = None) -> int:
    """A few thousand rows a transaction: nobody else waits long."""
    refused = (
        select(image_files.c.id, image_files.c.list_id, image_files.c.url)
        .join(image_lists)
        .where(image_lists.c.hospital_code == hospital_code, image_files.c.state == str(FileState.REFUSED))
        .order_by(image_files.c.id)
        .limit(_STEP)
    )
    if list_id is not None:
        refused = refused.where(image_files.c.list_id == list_id)
    last, count = 0, 0
    while True:
        with database.read() as connection:
            rows = connection.execute(refused.where(image_files.c.id > last)).all()
        if not rows:
            return count
        last = rows[-1].id
        now_allowed = [row for row in rows if not reach(row.url)]
        if now_allowed:
            with database.write() as connection:
                _open_again(connection, [row.id for row in now_allowed], {row.list_id for row in now_allowed})
        count += len(now_allowed)


def _open_again(connection: Connection, file_ids: Sequence[int], list_ids: set[int]) -> None:
    now = time.time_ns() // 10**6
    values = {"state": str(FileState.PENDING), "reason": "", "error_class": "", "updated_at": now}
    connection.execute(update(image_files).where(image_files.c.id.in_(file_ids)).values(values))
    connection.execute(mark_due(list_ids))


def _reopen_documents(database: Database, hospital_code: str, reach: Reach) -> int:
    refused = select(report_documents.c.id, report_documents.c.url).where(
        report_documents.c.hospital_code == hospital_code, report_documents.c.state == str(FileState.REFUSED)
    )
    with database.write() as connection:
        ids = [row.id for row in connection.execute(refused) if not reach(row.url)]
        mine = report_documents.c.id.in_(ids)
        connection.execute(
            update(report_documents).where(mine).values(state=DOCUMENT_DUE, reason="", error_class="")
        )
    return len(ids)
