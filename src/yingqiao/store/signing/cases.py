"""Applications: handed in, decided by another, and what follows from an approval, in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from yingqiao.signing.enrolment import case as course
from yingqiao.signing.enrolment.annexes import DOCTOR, FORMS, SAMPLE
from yingqiao.signing.enrolment.case import Case, CaseState
from yingqiao.signing.enrolment.form import Form, Problem, check, clean
from yingqiao.signing.errors import SigningRefused
from yingqiao.store.database import Database
from yingqiao.store.schema import cases, hospitals
from yingqiao.store.signing.doctors import Doctors
from yingqiao.store.signing.personal import PersonalData

_SEALED = "case"
_NAMES = ("name", "hospitalName", "unitName")
"""Entries that name the applicant."""


class FormRefused(SigningRefused):
    """Entries of a form are wrong; every problem at once."""

    def __init__(self, problems: list[Problem]) -> None:
        words = "；".join(f"{problem.label}：{problem.reason}" for problem in problems)
        super().__init__("form", words)
        self.problems = problems


@dataclass(frozen=True, slots=True, repr=False)
class KeptCase:
    """An application with its entries; never logged whole."""

    id: int
    form: Form
    hospital_code: str
    hospital_name: str
    applicant: str
    case: Case
    entries: Mapping[str, str]
    doctor_id: int | None


class Cases:
    """Safe from any thread. Methods raise SigningRefused and StoreUnavailable."""

    def __init__(
        self, database: Database, personal: PersonalData, doctors: Doctors, now_ms: Callable[[], int]
    ) -> None:
        self._database = database
        self._personal = personal
        self._doctors = doctors
        self._now_ms = now_ms

    def submit(self, form_id: str, hospital_code: str, given: Mapping[str, object], by: str) -> int:
        """Hands in an application; its number. Raises FormRefused."""
        form = _form(form_id)
        entries = clean(form, given)
        problems = check(form, entries)
        if problems:
            raise FormRefused(problems)
        case = course.submit(by, self._now_ms())
        with self._database.write() as connection:
            known = connection.scalar(select(hospitals.c.code).where(hospitals.c.code == hospital_code))
            if known is None:
                raise SigningRefused("no-hospital", f"没有医疗机构 {hospital_code}")
            row = {
                "form": form.id,
                "hospital_code": hospital_code,
                "applicant": next((entries[name] for name in _NAMES if entries.get(name)), ""),
                "sealed": self._personal.seal(entries, _SEALED),
                **_columns(case),
            }
            inserted = connection.execute(insert(cases).values(row)).inserted_primary_key
        return int(inserted[0]) if inserted else 0

    def approve(self, case_id: int, by: str) -> KeptCase:
        """An approved annex 3 enrols the doctor; an approved annex 4 becomes the doctor's handwritten signature."""
        return self._decide(case_id, lambda case: course.approve(case, by, self._now_ms()))

    def reject(self, case_id: int, by: str, reason: str) -> KeptCase:
        return self._decide(case_id, lambda case: course.reject(case, by, reason, self._now_ms()))

    def withdraw(self, case_id: int, by: str) -> KeptCase:
        return self._decide(case_id, lambda case: course.withdraw(case, by, self._now_ms()))

    def get(self, case_id: int) -> KeptCase:
        with self._database.read() as connection:
            return self._get(connection, case_id)

    def list(
        self,
        *,
        state: CaseState | None = None,
        hospital_code: str | None = None,
        form: str | None = None,
        limit: int = 10_000,
    ) -> list[KeptCase]:
        """Newest first."""
        query = _CASES.order_by(cases.c.id.desc()).limit(limit)
        wanted = {
            cases.c.state: state and str(state),
            cases.c.hospital_code: hospital_code,
            cases.c.form: form,
        }
        for column, value in wanted.items():
            if value is not None:
                query = query.where(column == value)
        with self._database.read() as connection:
            return [self._case(row) for row in connection.execute(query)]

    def _decide(self, case_id: int, decide: Callable[[Case], Case]) -> KeptCase:
        self._personal.ready()  # in the transaction it could not be made
        with self._database.write() as connection:
            kept = self._get(connection, case_id)
            after = decide(kept.case)
            doctor_id = self._follow(connection, kept) if after.state is CaseState.APPROVED else None
            still = (cases.c.id == case_id) & (cases.c.state == str(kept.case.state))
            changed = _columns(after) | {"doctor_id": doctor_id}
            if not connection.execute(update(cases).where(still).values(changed)).rowcount:
                raise SigningRefused("decided", "该申请刚被另一人处理")
            return self._get(connection, case_id)

    def _follow(self, connection: Connection, kept: KeptCase) -> int | None:
        """What follows from an approval: the doctor it concerns."""
        if kept.form is DOCTOR:
            return self._doctors.enrol(connection, kept.hospital_code, kept.entries)
        if kept.form is SAMPLE:
            doctor = self._doctors.by_identity(kept.hospital_code, kept.entries["idNumber"])
            if doctor is None:
                raise SigningRefused("no-doctor", "该身份证号的医师尚未登记：请先通过附件 3 的申请")
            self._doctors.set_sample(connection, doctor.id, kept.entries["picture1"])
            return doctor.id
        return None

    def _get(self, connection: Connection, case_id: int) -> KeptCase:
        row = connection.execute(_CASES.where(cases.c.id == case_id)).first()
        if row is None:
            raise SigningRefused("no-case", f"没有申请 {case_id}")
        return self._case(row)

    def _case(self, row: Row[Any]) -> KeptCase:
        case = Case(
            CaseState(row.state),
            row.submitted_by,
            row.submitted_at,
            row.decided_by,
            row.decided_at,
            row.reason,
        )
        return KeptCase(
            id=row.id,
            form=_form(row.form),
            hospital_code=row.hospital_code,
            hospital_name=row.hospital_name,
            applicant=row.applicant,
            case=case,
            entries=self._personal.open(row.sealed, _SEALED),
            doctor_id=row.doctor_id,
        )


_CASES = select(cases, hospitals.c.name.label("hospital_name")).join(
    hospitals, hospitals.c.code == cases.c.hospital_code
)


def _form(form_id: str) -> Form:
    form = FORMS.get(form_id)
    if form is None:
        raise SigningRefused("no-form", f"没有表单 {form_id[:32]}")
    return form


def _columns(case: Case) -> dict[str, Any]:
    return {
        "state": str(case.state),
        "submitted_by": case.submitted_by,
        "submitted_at": case.submitted_at,
        "decided_by": case.decided_by,
        "decided_at": case.decided_at,
        "reason": case.reason,
    }
