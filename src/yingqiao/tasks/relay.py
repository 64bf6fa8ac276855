"""Makes work of what intake accepted: lists with files to fetch, reports whose PDF is elsewhere.

Intake only writes that something is due, in the submission's transaction; here, within a moment, it becomes
rows of the work ledger, and the mark is taken away in the same transaction. A kill between changes nothing.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence

import structlog
from sqlalchemy import Connection

from yingqiao.exchange.fetch import AllowedHost, FetchError, choose, parse_address
from yingqiao.exchange.work import NewWork, Priority, WorkError
from yingqiao.store import image_lists
from yingqiao.store.database import Database
from yingqiao.store.doorbell import Doorbell
from yingqiao.store.errors import StoreUnavailable
from yingqiao.store.fetch_hosts import FetchHosts
from yingqiao.store.image_lists import DueList
from yingqiao.store.report_documents import (
    WantedDocument,
    await_document,
    due_documents,
    refuse_document,
)
from yingqiao.store.work import ledger
from yingqiao.store.work.actions import Action, Order, act
from yingqiao.tasks.fetching import CHUNK, DOCUMENT, line_of, payload, tell_expected

POLL_S = 1.0
"""How often it looks when nobody rings: another machine may have written something."""
RETRY_S = 2.0
BATCH = 100
_log = structlog.get_logger(__name__)


class Relay:
    """A thread of the main process. `wake` tells the engine that there is work."""

    def __init__(
        self, database: Database, hosts: FetchHosts, bell: Doorbell, wake: Callable[[], None]
    ) -> None:
        self._database = database
        self._hosts = hosts
        self._bell = bell
        self._wake = wake
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="relay", daemon=True)

    def start(self) -> None:
        """Raises OSError when no bell can be made."""
        self._bell.open()
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._bell.ring()
        self._thread.join()
        self._bell.close()

    def turn(self) -> int:
        """Make work of what is due now; how many lists and documents. Raises StoreUnavailable."""
        with self._database.read() as connection:
            lists = image_lists.due_lists(connection, BATCH)
            documents = due_documents(connection, BATCH)
        for due in lists:
            self._relay_list(due)
        for wanted in documents:
            self._relay_document(wanted)
        if lists or documents:
            self._wake()
        return len(lists) + len(documents)

    def _run(self) -> None:
        pause = 0.0
        while not self._stop.is_set():
            self._bell.wait(pause)
            try:
                pause = 0.0 if self.turn() >= BATCH else POLL_S
            except StoreUnavailable as error:
                _log.warning("relay.store_unavailable", error=type(error).__name__)
                pause = RETRY_S
            except Exception as error:  # noqa: BLE001 one odd row must not end the thread; told, and looked at again
                _log.error("relay.failed", error=type(error).__name__)
                pause = RETRY_S

    def _relay_list(self, due: DueList) -> None:
        if self._hosts.reopen_list(due.hospital_code, due.id):
            return  # it changed: next turn
        hosts = self._hosts.of(due.hospital_code)
        lines, refused, chosen = self._lines(due, hosts)
        with self._database.write() as connection:
            if refused:
                image_lists.mark_failed(connection, refused)
            if not image_lists.clear_due(connection, due):
                return  # it grew meanwhile: next turn
            urgent = image_lists.is_emergency(connection, due)
            for line, host in chosen.items():
                self._hosts.ensure_line(connection, line, due.hospital_code, host)
            self._ask(
                connection,
                [
                    NewWork(
                        kind=image_lists.FETCH,
                        key=image_lists.work_key(due.id, line),
                        hospital_code=due.hospital_code,
                        destination=line,
                        priority=Priority.EMERGENCY if urgent else Priority.NORMAL,
                        payload=payload(list=due.id, line=line),
                        total=count,
                    )
                    for line, count in lines.items()
                ],
            )
            tell_expected(connection, due.id)

    @staticmethod
    def _ask(connection: Connection, asked: Sequence[NewWork]) -> None:
        """Ask for work that is news: what was to be tried again some time later is tried now."""
        ledger.add(connection, asked)
        found = [ledger.find(connection, one.kind, one.key) for one in asked]
        act(connection, Order(Action.RETRY), [number for number in found if number is not None])

    def _lines(
        self, due: DueList, hosts: tuple[AllowedHost, ...]
    ) -> tuple[Counter[str], list[tuple[int, WorkError]], dict[str, AllowedHost]]:
        """Open files by the line they stand in; those that may not be fetched; each line's host."""
        lines: Counter[str] = Counter()
        refused: list[tuple[int, WorkError]] = []
        chosen: dict[str, AllowedHost] = {}
        after = 0
        while True:
            with self._database.read() as connection:
                files = image_lists.files_of(connection, due.id, after, CHUNK)
            if not files:
                return lines, refused, chosen
            after = files[-1].id
            for file in files:
                try:
                    address = parse_address(file.url)
                    host = choose(address, hosts)
                except FetchError as error:
                    refused.append((file.id, error))
                    continue
                line = line_of(due.hospital_code, address, host)
                lines[line] += 1
                chosen.setdefault(line, host)

    def _relay_document(self, wanted: WantedDocument) -> None:
        hosts = self._hosts.of(wanted.hospital_code)
        try:
            address = parse_address(wanted.url)
            host = choose(address, hosts)
        except FetchError as error:
            with self._database.write() as connection:
                refuse_document(connection, wanted.id, error)
            self._hosts.reopen_documents(wanted.hospital_code)  # a host may have been registered meanwhile
            return
        line = line_of(wanted.hospital_code, address, host)
        with self._database.write() as connection:
            self._hosts.ensure_line(connection, line, wanted.hospital_code, host)
            self._ask(
                connection,
                [
                    NewWork(
                        kind=DOCUMENT,
                        key=f"report:{wanted.submission_id}",
                        hospital_code=wanted.hospital_code,
                        destination=line,
                        payload=payload(document=wanted.id),
                    )
                ],
            )
            await_document(connection, wanted.id)
