"""Who administers signing: added, shown, disabled, let in."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError

from yingqiao.signing import passwords
from yingqiao.signing.errors import SigningRefused
from yingqiao.store.database import Database
from yingqiao.store.schema import hospitals, staff
from yingqiao.store.signing.logins import Sessions, log_in

_NAME = re.compile(r"[\w.@-]{2,64}")


class Role(StrEnum):
    """Admin manages staff and the CA; operators hand in applications; approvers decide those of others."""

    ADMIN = "admin"
    OPERATOR = "operator"
    APPROVER = "approver"

    @property
    def words(self) -> str:
        return {"admin": "管理员", "operator": "经办人", "approver": "审批人"}[self.value]


@dataclass(frozen=True, slots=True)
class Account:
    """An account as lists show it. `hospital_code` None: all hospitals."""

    name: str
    role: Role
    hospital_code: str | None
    must_change: bool
    locked_until: int | None
    disabled: bool
    created_at: int


class Staff:
    """Safe from any thread. Methods raise SigningRefused and StoreUnavailable."""

    def __init__(self, database: Database, sessions: Sessions, now_ms: Callable[[], int]) -> None:
        self._database = database
        self._sessions = sessions
        self._now_ms = now_ms

    def add(self, name: str, role: Role, password: str, hospital_code: str | None = None) -> None:
        """With a first password, to be changed at the first login."""
        if not _NAME.fullmatch(name):
            raise SigningRefused("name", "账号名应为 2 至 64 个汉字、字母、数字或 . _ @ -")
        login = passwords.chosen(password, name)
        row = {
            "name": name,
            "role": str(role),
            "hospital_code": hospital_code,
            "password": login.hash,
            "must_change": True,
            "failures": 0,
            "disabled": False,
            "created_at": self._now_ms(),
        }
        try:
            with self._database.write() as connection:
                _check_hospital(connection, hospital_code)
                connection.execute(insert(staff).values(row))
        except IntegrityError as error:
            raise SigningRefused("name-taken", f"账号 {name} 已存在") from error

    def log_in(self, name: str, password: str) -> tuple[Account, str]:
        """The account and a new session's token."""
        now = self._now_ms()
        row = log_in(self._database, staff, staff.c.name == name, password, now)
        return self.get(row.name), self._sessions.open(f"staff:{row.name}", now)

    def set_password(self, name: str, password: str, *, by_themselves: bool) -> None:
        """A password set by another has to be changed at the next login. Ends all their sessions."""
        login = passwords.chosen(password, name)
        changed = {
            "password": login.hash,
            "must_change": not by_themselves,
            "failures": 0,
            "locked_until": None,
        }
        self._update(name, changed)
        self._sessions.close_all(f"staff:{name}")

    def set_disabled(self, name: str, *, disabled: bool) -> None:
        self._update(name, {"disabled": disabled})
        if disabled:
            self._sessions.close_all(f"staff:{name}")

    def get(self, name: str) -> Account:
        with self._database.read() as connection:
            row = connection.execute(select(*_SHOWN).where(staff.c.name == name)).first()
        if row is None:
            raise SigningRefused("no-account", f"没有账号 {name}")
        return Account(row.name, Role(row.role), *row[2:])

    def list(self) -> list[Account]:
        """All accounts by name."""
        with self._database.read() as connection:
            rows = connection.execute(select(*_SHOWN).order_by(staff.c.name)).all()
        return [Account(row.name, Role(row.role), *row[2:]) for row in rows]

    def _update(self, name: str, changed: dict[str, object]) -> None:
        with self._database.write() as connection:
            if not connection.execute(update(staff).where(staff.c.name == name).values(changed)).rowcount:
                raise SigningRefused("no-account", f"没有账号 {name}")


_SHOWN = (
    staff.c.name,
    staff.c.role,
    staff.c.hospital_code,
    staff.c.must_change,
    staff.c.locked_until,
    staff.c.disabled,
    staff.c.created_at,
)


def _check_hospital(connection: Connection, code: str | None) -> None:
    known = code is None or connection.scalar(select(hospitals.c.code).where(hospitals.c.code == code))
    if not known:
        raise SigningRefused("no-hospital", f"没有医疗机构 {code}")
