"""The doctors who sign: what is known of each, and their self-service login (四(二)4, 用户自助激活证书)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, insert, select, update
from sqlalchemy.exc import IntegrityError

from yingqiao.signing import passwords
from yingqiao.signing.certificates.identity import clean_id_number, first_password
from yingqiao.signing.errors import SigningRefused
from yingqiao.store.database import Database
from yingqiao.store.joined import Part
from yingqiao.store.schema import doctors, hospitals
from yingqiao.store.signing.logins import Sessions, log_in
from yingqiao.store.signing.personal import PersonalData

SEAL_CONTEXT = "doctor"


@dataclass(frozen=True, slots=True, repr=False)
class Doctor:
    """A doctor with everything known; never logged whole."""

    id: int
    hospital_code: str
    hospital_name: str
    name: str
    department: str
    title: str
    user_id: str | None
    id_number: str
    mobile: str
    sample: str | None
    must_change: bool
    disabled: bool
    created_at: int


class Doctors:
    """Safe from any thread. Methods raise SigningRefused, StoreUnavailable; KeystoreError under another master key."""

    def __init__(
        self, database: Database, personal: PersonalData, sessions: Sessions, now_ms: Callable[[], int]
    ) -> None:
        self._database = database
        self._personal = personal
        self._sessions = sessions
        self._now_ms = now_ms

    def enrol(self, connection: Connection, hospital_code: str, entries: Mapping[str, str]) -> int:
        """From an approved application (annex 3): a new doctor with the first password, or the known one with what
        changed. The id.
        """
        identity = self._personal.digest("identity", entries["idNumber"])
        row = self._row(hospital_code, identity, entries)
        known = (doctors.c.hospital_code == hospital_code) & (doctors.c.identity_digest == identity)
        found = connection.scalar(select(doctors.c.id).where(known))
        try:
            if found is not None:
                connection.execute(update(doctors).where(doctors.c.id == found).values(row))
                return int(found)
            login = passwords.new_login(first_password(entries["idNumber"]), must_change=True)
            new = {"password": login.hash, "must_change": True, "failures": 0, "created_at": self._now_ms()}
            inserted = connection.execute(insert(doctors).values(row | new)).inserted_primary_key
            return int(inserted[0]) if inserted else 0
        except IntegrityError as error:
            raise SigningRefused("doctor-taken", "该手机号或工号已属于另一位医师") from error

    def _row(self, hospital_code: str, identity: bytes, entries: Mapping[str, str]) -> dict[str, Any]:
        secret = {"idNumber": entries["idNumber"], "mobile": entries["mobile"]}
        return {
            "hospital_code": hospital_code,
            "name": entries["name"],
            "department": entries["department"],
            "title": entries.get("title", ""),
            "user_id": entries.get("userId") or None,
            "identity_digest": identity,
            "mobile_digest": self._personal.digest("mobile", entries["mobile"]),
            "sealed": self._personal.seal(secret, SEAL_CONTEXT),
            "disabled": False,
        }

    def log_in(self, mobile: str, password: str) -> tuple[Doctor, str]:
        """The doctor and a new session's token; the first password may come with a small x."""
        now = self._now_ms()
        where = doctors.c.mobile_digest == self._personal.digest("mobile", mobile)
        row = log_in(self._database, doctors, where, password, now)
        return self.get(row.id), self._sessions.open(f"doctor:{row.id}", now)

    def set_password(self, doctor_id: int, password: str) -> None:
        """The doctor's own choice. Ends all their sessions."""
        doctor = self.get(doctor_id)
        login = passwords.chosen(
            password, doctor.mobile, doctor.name, doctor.id_number, first_password(doctor.id_number)
        )
        self._update(
            doctor_id, {"password": login.hash, "must_change": False, "failures": 0, "locked_until": None}
        )
        self._sessions.close_all(f"doctor:{doctor_id}")

    def reset_password(self, doctor_id: int) -> None:
        """Back to the last six of the identity number, to be changed at the next login."""
        login = passwords.new_login(first_password(self.get(doctor_id).id_number))
        self._update(
            doctor_id, {"password": login.hash, "must_change": True, "failures": 0, "locked_until": None}
        )
        self._sessions.close_all(f"doctor:{doctor_id}")

    def set_disabled(self, doctor_id: int, *, disabled: bool) -> None:
        self._update(doctor_id, {"disabled": disabled})
        if disabled:
            self._sessions.close_all(f"doctor:{doctor_id}")

    def set_sample(self, connection: Connection, doctor_id: int, digest: str) -> None:
        """The approved picture of the handwritten signature (annex 4)."""
        connection.execute(update(doctors).where(doctors.c.id == doctor_id).values(sample=digest))

    def get(self, doctor_id: int) -> Doctor:
        found = self._find(doctors.c.id == doctor_id)
        if found is None:
            raise SigningRefused("no-doctor", "没有这位医师")
        return found

    def by_identity(self, hospital_code: str, id_number: str) -> Doctor | None:
        identity = self._personal.digest("identity", clean_id_number(id_number))
        return self._find(
            (doctors.c.hospital_code == hospital_code) & (doctors.c.identity_digest == identity)
        )

    def by_mobile(self, mobile: str) -> Doctor | None:
        return self._find(doctors.c.mobile_digest == self._personal.digest("mobile", mobile))

    def by_user_id(self, hospital_code: str, user_id: str) -> Doctor | None:
        return self._find((doctors.c.hospital_code == hospital_code) & (doctors.c.user_id == user_id))

    def list(self, hospital_code: str | None = None, *, limit: int = 10_000) -> list[Doctor]:
        """By hospital and name."""
        query = _DOCTORS.order_by(doctors.c.hospital_code, doctors.c.name, doctors.c.id).limit(limit)
        if hospital_code is not None:
            query = query.where(doctors.c.hospital_code == hospital_code)
        with self._database.read() as connection:
            return [self.read(row) for row in connection.execute(query)]

    def _find(self, where: ColumnElement[bool]) -> Doctor | None:
        with self._database.read() as connection:
            row = connection.execute(_DOCTORS.where(where)).first()
        return self.read(row) if row is not None else None

    def read(self, row: Row[Any] | Part) -> Doctor:
        """Of a row of `doctors` with its `hospital_name`."""
        secret = self._personal.open(row.sealed, SEAL_CONTEXT)
        return Doctor(
            id=row.id,
            hospital_code=row.hospital_code,
            hospital_name=row.hospital_name,
            name=row.name,
            department=row.department,
            title=row.title,
            user_id=row.user_id,
            id_number=secret["idNumber"],
            mobile=secret["mobile"],
            sample=row.sample,
            must_change=row.must_change,
            disabled=row.disabled,
            created_at=row.created_at,
        )

    def _update(self, doctor_id: int, changed: Mapping[str, Any]) -> None:
        with self._database.write() as connection:
            if not connection.execute(
                update(doctors).where(doctors.c.id == doctor_id).values(changed)
            ).rowcount:
                raise SigningRefused("no-doctor", "没有这位医师")


_DOCTORS = select(doctors, hospitals.c.name.label("hospital_name")).join(
    hospitals, hospitals.c.code == doctors.c.hospital_code
)
