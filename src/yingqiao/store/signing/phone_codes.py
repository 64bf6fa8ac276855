"""手机号下证: a verification code to the doctor's mobile, for an activation code (annex 7, rows 8 and 9).

Who asks learns nothing of whether a number belongs to a doctor.
"""

from __future__ import annotations

from collections.abc import Callable

import structlog
from sqlalchemy import Connection, delete, insert, select

from yingqiao.signing.certificates.identity import mobile_problem
from yingqiao.signing.errors import SigningRefused
from yingqiao.signing.phone_codes import CodeSender, PhoneCode, may_send, new_code, sent, tried
from yingqiao.store.database import Database
from yingqiao.store.schema import phone_codes
from yingqiao.store.signing.activations import Activations
from yingqiao.store.signing.doctors import Doctors
from yingqiao.store.signing.personal import PersonalData

_log = structlog.get_logger(__name__)


class PhoneCodes:
    """Safe from any thread. Methods raise SigningRefused, StoreUnavailable."""

    def __init__(
        self,
        database: Database,
        personal: PersonalData,
        doctors: Doctors,
        activations: Activations,
        sender: CodeSender,
        now_ms: Callable[[], int],
    ) -> None:
        self._database = database
        self._personal = personal
        self._doctors = doctors
        self._activations = activations
        self._sender = sender
        self._now_ms = now_ms

    def send(self, mobile: str) -> None:
        """A code to a doctor's number; to another number nothing, without a word of it."""
        if problem := mobile_problem(mobile):
            raise SigningRefused("field", f"手机号{problem}")
        doctor = self._doctors.by_mobile(mobile)
        if doctor is None or doctor.disabled:
            return
        code, now = new_code(), self._now_ms()
        with self._database.write() as connection:
            kept = _kept(connection, doctor.id)
            if not may_send(kept, now):
                _log.warning("phone.codes_exhausted", doctor=doctor.id)
                return
            _keep(connection, doctor.id, sent(kept, self._digest(doctor.id, code), now))
        try:
            self._sender.send(mobile, code)
        except OSError as error:
            _log.error("phone.code_not_sent", reason=type(error).__name__)

    def redeem(self, mobile: str, code: str) -> str:
        """An activation code for the right verification code."""
        doctor = self._doctors.by_mobile(mobile)
        right = False
        if doctor is not None and not doctor.disabled:
            with self._database.write() as connection:
                digest = self._digest(doctor.id, code.strip())
                right, after = tried(_kept(connection, doctor.id), digest, self._now_ms())
                _keep(connection, doctor.id, after)
        if doctor is None or not right:
            raise SigningRefused("verification-code", "验证码不对或已失效，请重新获取")
        return self._activations.give(doctor.id)[0]

    def _digest(self, doctor_id: int, code: str) -> bytes:
        return self._personal.digest("phone code", f"{doctor_id}:{code}")


def _kept(connection: Connection, doctor_id: int) -> PhoneCode:
    where = phone_codes.c.doctor_id == doctor_id
    row = connection.execute(select(phone_codes).where(where).with_for_update()).first()
    if row is None:
        return PhoneCode()
    return PhoneCode(row.digest, row.expires_at, row.tries, row.day, row.sent)


def _keep(connection: Connection, doctor_id: int, code: PhoneCode) -> None:
    connection.execute(delete(phone_codes).where(phone_codes.c.doctor_id == doctor_id))
    values = {name: getattr(code, name) for name in PhoneCode.__slots__}
    connection.execute(insert(phone_codes).values(values | {"doctor_id": doctor_id}))
