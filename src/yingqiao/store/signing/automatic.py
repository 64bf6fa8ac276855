"""Automatic signing (annex 7, row 19): until a moment the doctor sets, jobs addressed to the doctor are signed without
the phone, by a key and certificate of their own that the server has whole. The phone's share is never asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import structlog
from sqlalchemy import delete, insert, select

from yingqiao.gm import certificates, sm2
from yingqiao.gm.issuing import Profile
from yingqiao.gm.sm2_keys import PublicKey
from yingqiao.signing.errors import SigningRefused
from yingqiao.signing.jobs import Job, JobError
from yingqiao.signing.phone import digest_of
from yingqiao.signing.private_keys import DeviceError, HeldKey
from yingqiao.store import sign_jobs
from yingqiao.store.database import Database
from yingqiao.store.schema import automatic_signing
from yingqiao.store.signing.authority import CertificateAuthority, Issued
from yingqiao.store.signing.doctors import Doctor, Doctors
from yingqiao.store.signing.visits import Visitor, signer_of

DEFAULT_MS = 24 * 3600 * 1000
_MINUTE_MS = 60_000
_HOUR_MS = 60 * _MINUTE_MS
_CLOCKS_DIFFER_MS = 5 * _MINUTE_MS
"""The longest as a phone's clock has it is the longest."""
_AT_ONCE = 50
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class AutomaticRule:
    """Who switches it on, and how long a deadline may be away. `max_minutes` 0: not offered.

    `by_office`: services of versions up to 2.0, where an administrator switches it on for a doctor, and the doctor sets a
    deadline one to twenty-four hours away. Above 2.0 the doctor does both.
    """

    max_minutes: int
    by_office: bool = False

    @property
    def soonest_ms(self) -> int:
        return _HOUR_MS if self.by_office else 0

    @property
    def longest(self) -> int:
        """Minutes."""
        return min(self.max_minutes, 24 * 60) if self.by_office else self.max_minutes


@dataclass(frozen=True, slots=True)
class AutomaticState:
    """`until` is Unix ms; None while it is off, or on by the office without a deadline: then nothing is signed."""

    enabled: bool
    until: int | None
    max_minutes: int


class Automatic:
    """Safe from any thread. Methods raise SigningRefused, StoreUnavailable; KeystoreError under another master key.

    A row is a doctor's deadline; by the office it stands while it is on, with 0 for none yet.
    """

    def __init__(
        self,
        database: Database,
        authority: CertificateAuthority,
        doctors: Doctors,
        rule: AutomaticRule,
        now_ms: Callable[[], int],
    ) -> None:
        self._database = database
        self._authority = authority
        self._doctors = doctors
        self._rule = rule
        self._now_ms = now_ms

    def get(self, visitor: Visitor) -> AutomaticState:
        until = self._deadline(visitor.doctor.id)
        ahead = until is not None and until > self._now_ms()
        on = until is not None if self._rule.by_office else ahead
        return AutomaticState(on, until if ahead else None, self._rule.longest)

    def set(self, visitor: Visitor, *, enabled: bool, until: int | None) -> AutomaticState:
        """On until a moment (24 hours from now when none is given), or off; by the office only the moment is the doctor's."""
        if self._rule.by_office and not (enabled and self.get(visitor).enabled):
            raise SigningRefused("automatic-managed", "自动签名由管理员在服务端开启和关闭")
        if enabled:
            self._begin(visitor.doctor, self._checked(until))
        else:
            self._end(visitor.doctor.id)
        return self.get(visitor)

    def switch(self, doctor_id: int, *, enabled: bool) -> None:
        """By the office: on, the doctor's deadline to come, or off. Where doctors do it themselves, off only."""
        if not enabled:
            self._end(doctor_id)
            return
        if not self._rule.by_office:
            raise SigningRefused("automatic-own", "自动签名由医师在手机上开启（phone.auto_sign_by = doctor）")
        self._refuse_unless_offered()
        doctor = self._doctors.get(doctor_id)
        if self._deadline(doctor_id) is None:
            self._begin(doctor, 0)

    def _deadline(self, doctor_id: int) -> int | None:
        c = automatic_signing.c
        with self._database.read() as connection:
            return connection.scalar(select(c.until).where(c.doctor_id == doctor_id))

    def _begin(self, doctor: Doctor, until: int) -> None:
        now, mine = self._now_ms(), automatic_signing.c.doctor_id == doctor.id
        usable = self._usable(doctor.id)
        with self._database.write() as connection:
            number = usable.id if usable else self._authority.issue_automatic(connection, doctor)
            on = mine & (automatic_signing.c.until > now)
            since = connection.scalar(select(automatic_signing.c.enabled_at).where(on)) or now
            connection.execute(delete(automatic_signing).where(mine))
            row = {"doctor_id": doctor.id, "enabled_at": since, "until": until, "certificate_id": number}
            connection.execute(insert(automatic_signing).values(row))
        _log.info("phone.automatic_on", doctor=doctor.id, until=until)

    def _end(self, doctor_id: int) -> None:
        with self._database.write() as connection:
            connection.execute(delete(automatic_signing).where(automatic_signing.c.doctor_id == doctor_id))
        _log.info("phone.automatic_off", doctor=doctor_id)

    def turn(self) -> int:
        """Sign what waits for doctors who have it on; how many. Call it every second or so, in one process of all."""
        c = automatic_signing.c
        with self._database.read() as connection:
            rows = connection.execute(select(automatic_signing).where(c.until > self._now_ms())).all()
        count = 0
        for row in rows:
            try:
                count += self._sign_for(row.doctor_id, row.certificate_id, row.enabled_at)
            except DeviceError as error:  # the jobs stay open: the next turn tries them again
                _log.error("phone.automatic_failed", doctor=row.doctor_id, reason=error.code)
            except SigningRefused as refused:  # the others' jobs do not wait for this one
                _log.error("phone.automatic_failed", doctor=row.doctor_id, reason=refused.code)
        return count

    def _refuse_unless_offered(self) -> None:
        if not self._rule.max_minutes:
            raise SigningRefused("automatic-off", "本服务没有开放自动签名")

    def _checked(self, until: int | None) -> int:
        self._refuse_unless_offered()
        now, rule = self._now_ms(), self._rule
        most = now + rule.longest * _MINUTE_MS
        if until is None:
            return min(now + DEFAULT_MS, most)
        soonest = now + rule.soonest_ms
        if not max(now + 1, soonest - _CLOCKS_DIFFER_MS) <= until <= most + _CLOCKS_DIFFER_MS:
            raise SigningRefused("until", f"截止时间应{_span_words(rule)}")
        return min(max(until, soonest), most)

    def _usable(self, doctor_id: int) -> Issued | None:
        """The certificate kept from before, or the one that waits for import."""
        newest = self._authority.of_doctor(doctor_id, Profile.AUTOMATIC)[:1]
        return next((one for one in newest if one.state is None or one.state.is_usable), None)

    def _sign_for(self, doctor_id: int, certificate_id: int, since: int) -> int:
        """Jobs pushed since. None while the doctor may not sign, or the certificate is not there: they wait for the phone."""
        doctor, issued = self._doctors.get(doctor_id), self._authority.get(certificate_id)
        own = self._authority.of_doctor(doctor_id, Profile.SIGNING)[:1]
        states = [one.state for one in (issued, *own)]
        if doctor.disabled or not own or any(state is None or not state.is_usable for state in states):
            return 0
        waiting = [job for job in self._waiting(doctor) if job.created_at >= since]
        if not waiting:
            return 0
        private = self._authority.automatic_key(certificate_id)
        return sum(self._sign(job, doctor, issued, private) for job in waiting)

    def _waiting(self, doctor: Doctor) -> list[Job]:
        found = sign_jobs.jobs_of(self._database, signer_of(doctor), self._now_ms(), limit=_AT_ONCE)
        return [job for job in found if job.hospital_code in ("", doctor.hospital_code)]

    def _sign(self, job: Job, doctor: Doctor, issued: Issued, private: HeldKey) -> int:
        public, raw = PublicKey(private.point), issued.certificate or b""
        if certificates.parse(raw).key.point != public.point:
            raise SigningRefused("key", "自动签名的证书与密钥不符")
        e = digest_of(job, public)
        signature = private.sign_digest(e)
        if not sm2.verify_digest(public, e, signature):
            raise SigningRefused("signature", "自动签名的结果验证不通过")
        signer, now = signer_of(doctor), self._now_ms()
        try:
            sign_jobs.finish(self._database, job.job_id, signature, raw, signer=signer, at=now)
        except JobError:
            return 0  # signed, refused or over meanwhile
        _log.info("phone.signed_automatically", job=job.job_id, certificate=issued.id)
        return 1


def _span_words(rule: AutomaticRule) -> str:
    first = "晚于现在" if not rule.by_office else "在 1 小时之后"
    days, minutes = divmod(rule.longest, 1440)
    return f"{first}，且不超过 " + (f"{days} 天" if not minutes else f"{rule.longest} 分钟")
