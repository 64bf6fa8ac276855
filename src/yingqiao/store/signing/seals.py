"""The handwritten seal (annex 7, row 18): shown, and changed from the phone, at once or after review."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from sqlalchemy import select

from yingqiao.signing.enrolment.case import CaseState
from yingqiao.signing.phone import look_at_picture
from yingqiao.store.database import Database
from yingqiao.store.objects import Objects
from yingqiao.store.schema import cases
from yingqiao.store.signing.cases import Cases
from yingqiao.store.signing.doctors import Doctor, Doctors
from yingqiao.store.signing.shared_keys import user_of


@dataclass(frozen=True, slots=True, repr=False)
class Seal:
    """Pictures as submitted: the approved one and the one that waits for review."""

    picture: bytes | None
    waiting: bytes | None


class Seals:
    """Safe from any thread. Methods raise SigningRefused, StoreUnavailable."""

    def __init__(
        self, database: Database, objects: Objects, doctors: Doctors, cases_: Cases, *, review: bool
    ) -> None:
        self._database = database
        self._objects = objects
        self._doctors = doctors
        self._cases = cases_
        self._review = review

    def get(self, doctor: Doctor) -> Seal:
        waiting = self._waiting(doctor)
        entries = self._cases.get(waiting).entries if waiting is not None else {}
        return Seal(self._picture(doctor.sample), self._picture(entries.get("picture1")))

    def set(self, doctor: Doctor, picture: bytes) -> bool:
        """Whether it holds at once; else it is an application (annex 4) in place of the doctor's waiting one."""
        look_at_picture(picture)
        digest = self._objects.put(picture)
        if not self._review:
            with self._database.write() as connection:
                self._doctors.set_sample(connection, doctor.id, digest)
            return True
        by = user_of(doctor.id)
        waiting = self._waiting(doctor)
        if waiting is not None:
            self._cases.withdraw(waiting, by)
        entries = {
            "name": doctor.name,
            "idNumber": doctor.id_number,
            "department": doctor.department,
            "picture1": digest,
            "picture2": digest,
        }
        self._cases.submit("sample", doctor.hospital_code, entries, by)
        return False

    def _waiting(self, doctor: Doctor) -> int | None:
        c = cases.c
        mine = (c.state == str(CaseState.SUBMITTED)) & (c.submitted_by == user_of(doctor.id))
        query = select(c.id).where(mine, c.form == "sample").order_by(c.id.desc()).limit(1)
        with self._database.read() as connection:
            found: int | None = connection.scalar(query)
        return found

    def _picture(self, digest: str | None) -> bytes | None:
        if digest:
            with contextlib.suppress(FileNotFoundError, ValueError), self._objects.open(digest) as stream:
                return stream.read()
        return None
