"""Mending a difference: the hospital's record is taken in like one it pushed, or its images are pulled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from yingqiao.exchange.query import Difference, Kind, State
from yingqiao.exchange.receive import Receiver, Taken
from yingqiao.store import differences as kept
from yingqiao.store.database import Database
from yingqiao.store.errors import HospitalError, RecordRejected
from yingqiao.store.ledger import Ledger
from yingqiao.store.objects import LocalObjects
from yingqiao.store.pull_requests import Wanted, ask
from yingqiao.store.query_services import get_service
from yingqiao.store.reconciliation import now_ms

_INTERFACES = {
    Kind.EXAM_MISSING: "exam-sync",
    Kind.EXAM_CHANGED: "exam-sync",
    Kind.REPORT_MISSING: "report-sync",
    Kind.REPORT_CHANGED: "report-sync",
}
ORIGIN = "query:"
"""What the sender of a submission begins with when the gateway fetched it itself."""


class Mender:
    """Takes hospitals' records into the ledger by the same receiver as what is pushed."""

    def __init__(
        self,
        receiver: Receiver,
        database: Database,
        objects: LocalObjects,
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        self._receiver = receiver
        self._database = database
        self._objects = objects
        self._ledger = Ledger(database)
        self._wake = wake

    def mend_found(self, hospital_code: str, found: Difference) -> bool:
        """One that was just found and noted. Whether it is mended, or its images are on their way."""
        with self._database.read() as connection:
            wanted = kept.DifferenceFilter(hospital_code, str(found.kind), key=found.key)
            listed = kept.open_ids(connection, wanted, 1)
        return bool(listed) and self.mend(listed[0]) in (State.MENDED, State.ASKED)

    def mend(self, number: int) -> State:
        """Mend a noted difference; where it stands now. Raises HospitalError when there is none, StoreUnavailable."""
        with self._database.read() as connection:
            found = kept.raw_difference(connection, number)
        if found is None:
            raise HospitalError(f"没有编号为 {number} 的差异")
        hospital_code, kind, key, study_uid, record = found
        if kind in _INTERFACES:
            return self._adopt(number, hospital_code, _INTERFACES[kind], record)
        return self._fetch_series(number, hospital_code, key, study_uid, record)

    def _adopt(self, number: int, hospital_code: str, interface: str, record: bytes) -> State:
        taken = self._receiver.adopt(
            interface, hospital_code, record, origin=self._origin(hospital_code), received_at=now_ms()
        )
        made = self._keep(taken)
        accepted = taken.answer.code == 1
        state = State.MENDED if accepted else State.FAILED
        self._note(number, state, "" if accepted else taken.answer.message, made)
        return state

    def _keep(self, taken: Taken) -> int | None:
        made: int | None = None
        for submission in taken.submissions:
            for document in submission.documents:
                self._objects.put(document.content, document.digest)
            try:
                made = self._ledger.record_now(submission)
            except RecordRejected:
                continue
        return made

    def _fetch_series(
        self, number: int, hospital_code: str, key: str, study_uid: str, record: bytes
    ) -> State:
        """By its addresses where they may be fetched, else from the hospital's PACS."""
        if _has_files(record):
            taken = self._receiver.adopt(
                "images-list", hospital_code, record, origin=self._origin(hospital_code), received_at=now_ms()
            )
            if taken.answer.code == 1:
                made = self._keep(taken)
                self._note(number, State.ASKED, "正在按地址下载影像", made)
                self._wake()
                return State.ASKED
        try:
            with self._database.write() as connection:
                keys = ask(connection, hospital_code, Wanted(study=study_uid, series=(key,)))
        except HospitalError as error:
            self._note(number, State.FAILED, str(error), None)
            return State.FAILED
        self._note(number, State.ASKED, f"已请求从 PACS 调取：{'、'.join(keys)}", None)
        self._wake()
        return State.ASKED

    def _note(self, number: int, state: State, reason: str, submission: int | None) -> None:
        with self._database.write() as connection:
            kept.set_state(connection, number, state, reason, submission, now_ms())

    def _origin(self, hospital_code: str) -> str:
        with self._database.read() as connection:
            service = get_service(connection, hospital_code)
        return f"{ORIGIN}{service.url if service else ''}"[:200]


def _has_files(record: bytes) -> bool:
    value: Any = orjson.loads(record)
    files = value.get("FILEPATH") if isinstance(value, dict) else None
    return bool(files)


__all__ = ["ORIGIN", "Mender"]
