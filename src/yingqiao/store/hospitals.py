"""The hospitals a gateway serves: their keys (sealed at rest), profiles and states, as one registry.

`get` is on the hot path: it reads a table in memory, which follows the database twice a second.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import Connection, Row, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from yingqiao.exchange.fetch import AllowedHost
from yingqiao.exchange.images_list import Reach, nothing_registered
from yingqiao.exchange.profile import Profile, ProfileError
from yingqiao.exchange.receive import HospitalEntry
from yingqiao.gm.keystore import KeystoreError, MasterKey
from yingqiao.gm.sm4 import Sm4Error, check_value, parse_key
from yingqiao.store.database import Database
from yingqiao.store.errors import HospitalError
from yingqiao.store.fetch_hosts import allowed, reach_of
from yingqiao.store.followed import Followed
from yingqiao.store.schema import fetch_hosts, hospital_keys, hospitals

_log = structlog.get_logger(__name__)

_HOST_COLUMNS = [column for column in fetch_hosts.c if column.name not in ("sealed", "created_at")]
MAX_CODE = 64


@dataclass(frozen=True, slots=True)
class KeyShown:
    """What may be seen of a key."""

    check_value: str
    created_at: int
    retires_at: int | None
    """Unix ms; None while current; in the past: no longer accepted."""


@dataclass(frozen=True, slots=True)
class HospitalShown:
    """A hospital as lists show it; keys newest first."""

    code: str
    name: str
    disabled: bool
    profile: str
    created_at: int
    keys: tuple[KeyShown, ...]


class HospitalRegistry:
    """Satisfies exchange.receive.Hospitals. Every method is safe from any thread."""

    def __init__(
        self,
        database: Database,
        master_key: MasterKey,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 10**6,
    ) -> None:
        self._database = database
        self._master_key = master_key
        self._now_ms = now_ms
        self._entries: dict[str, HospitalEntry] = {}
        self._opened: dict[bytes, bytes] = {}
        self._profiles: dict[str, Profile] = {}
        self._hosts: list[tuple[Any, ...]] = []
        self._reaches: dict[str, Reach] = {}
        self._followed = Followed("hospitals", self._load)

    def start(self) -> None:
        """Load, and follow the database in a thread from now on. Raises StoreUnavailable."""
        self._followed.start()

    def close(self) -> None:
        self._followed.close()

    def get(self, code: str) -> HospitalEntry | None:
        """The hospital, None when there is none.

        Once started it answers from memory: it is asked in event loops, and never reads the database there. Not
        started (commands), it raises StoreUnavailable when it must look and cannot.
        """
        self._followed.look()
        return self._entries.get(code)

    @property
    def as_of(self) -> float | None:
        """What was committed before this moment (Unix seconds) is known; None where nobody follows."""
        return self._followed.as_of

    def entries(self) -> tuple[HospitalEntry, ...]:
        """All hospitals in the order of their codes; as fresh as `get`. Raises StoreUnavailable."""
        self._followed.look()
        entries = self._entries
        return tuple(entries[code] for code in sorted(entries))

    def reload(self) -> None:
        """Read all hospitals again. Raises StoreUnavailable."""
        self._followed.again()

    def list(self) -> list[HospitalShown]:
        """All hospitals by code. Raises StoreUnavailable."""
        with self._database.read() as connection:
            shown: dict[str, list[KeyShown]] = {}
            for row in connection.execute(select(hospital_keys).order_by(hospital_keys.c.id.desc())):
                key = KeyShown(row.check_value, row.created_at, row.retires_at)
                shown.setdefault(row.hospital_code, []).append(key)
            return [
                HospitalShown(
                    r.code, r.name, r.disabled, r.profile, r.created_at, tuple(shown.get(r.code, ()))
                )
                for r in connection.execute(select(hospitals).order_by(hospitals.c.code))
            ]

    def add(self, code: str, name: str, sm4_key_hex: str, profile: Profile | None = None) -> KeyShown:
        """A new hospital with its first key. Raises HospitalError (exists, or a value is wrong),
        StoreUnavailable."""
        key = _parsed(sm4_key_hex)
        _check_code(code)
        now = self._now_ms()
        row = {"code": code, "name": name, "disabled": False, "profile": (profile or Profile()).to_json()}
        try:
            with self._database.write() as connection:
                connection.execute(insert(hospitals).values(**row, created_at=now))
                shown = self._add_key(connection, code, key, now)
        except IntegrityError as error:
            raise HospitalError(f"医疗机构 {code} 已存在") from error
        self.reload()
        return shown

    def rotate_key(self, code: str, new_key_hex: str | None, overlap_seconds: int) -> tuple[str, KeyShown]:
        """A new current key (drawn here when None); the others are accepted for `overlap_seconds` more.

        Returns the key in hex, to be handed to the hospital once, and what may be seen of it afterwards.
        Raises HospitalError, StoreUnavailable.
        """
        key = _parsed(new_key_hex) if new_key_hex is not None else secrets.token_bytes(16)
        now = self._now_ms()
        until = now + max(0, overlap_seconds) * 1000
        mine = hospital_keys.c.hospital_code == code
        with self._database.write() as connection:
            self._require(connection, code)
            rows = connection.execute(select(hospital_keys).where(mine, hospital_keys.c.retires_at.is_(None)))
            if any(self._open(row) == key for row in rows.all()):
                raise HospitalError("新密钥与现用密钥相同")
            outlasting = or_(hospital_keys.c.retires_at.is_(None), hospital_keys.c.retires_at > until)
            connection.execute(update(hospital_keys).where(mine, outlasting).values(retires_at=until))
            shown = self._add_key(connection, code, key, now)
        self.reload()
        return key.hex().upper(), shown

    def set_disabled(self, code: str, disabled: bool) -> None:
        """Refuse, or accept again, what the hospital sends. Raises HospitalError, StoreUnavailable."""
        self._update(code, disabled=disabled)

    def disable(self, code: str) -> None:
        self.set_disabled(code, True)

    def enable(self, code: str) -> None:
        self.set_disabled(code, False)

    def set_profile(self, code: str, profile: Profile) -> None:
        """How strictly the hospital's records are judged from now on. Raises HospitalError,
        StoreUnavailable."""
        self._update(code, profile=profile.to_json())

    def _update(self, code: str, **values: str | bool) -> None:
        with self._database.write() as connection:
            self._require(connection, code)
            connection.execute(update(hospitals).where(hospitals.c.code == code).values(**values))
        self.reload()

    @staticmethod
    def _require(connection: Connection, code: str) -> None:
        if connection.execute(select(hospitals.c.code).where(hospitals.c.code == code)).first() is None:
            raise HospitalError(f"没有医疗机构 {code}")

    def _add_key(self, connection: Connection, code: str, key: bytes, now: int) -> KeyShown:
        shown = KeyShown(check_value(key), now, None)
        connection.execute(
            insert(hospital_keys).values(
                hospital_code=code,
                sealed=self._master_key.seal(key, code),
                check_value=shown.check_value,
                created_at=now,
            )
        )
        return shown

    def _load(self) -> None:
        now = self._now_ms()
        alive = or_(hospital_keys.c.retires_at.is_(None), hospital_keys.c.retires_at > now)
        with self._database.read() as connection:
            rows = connection.execute(select(hospitals)).all()
            key_rows = connection.execute(
                select(hospital_keys).where(alive).order_by(hospital_keys.c.id.desc())
            ).all()
            host_rows = connection.execute(select(*_HOST_COLUMNS).order_by(fetch_hosts.c.id)).all()
        self._follow_hosts(host_rows)
        keys: dict[str, list[bytes]] = {}
        for row in key_rows:
            opened = self._open(row)
            if opened is not None:
                keys.setdefault(row.hospital_code, []).append(opened)
        self._entries = {row.code: self._entry(row, tuple(keys.get(row.code, ()))) for row in rows}

    def _entry(self, row: Row[Any], keys: tuple[bytes, ...]) -> HospitalEntry:
        reach = self._reaches.get(row.code, nothing_registered)
        return HospitalEntry(
            row.code, row.name, row.disabled, keys, self._profile(row.code, row.profile), reach
        )

    def _follow_hosts(self, rows: Sequence[Row[Any]]) -> None:
        """Where each hospital's addresses may lead; made anew only when something changed."""
        seen = [tuple(row) for row in rows]
        if seen != self._hosts:
            by_code: dict[str, list[AllowedHost]] = {}
            for row in rows:
                by_code.setdefault(row.hospital_code, []).append(allowed(row))
            self._reaches = {code: reach_of(hosts) for code, hosts in by_code.items()}
            self._hosts = seen

    def _profile(self, code: str, text: str) -> Profile:
        """The profile, one object a text: what is compiled for it stays found."""
        if text not in self._profiles:
            try:
                self._profiles[text] = Profile.from_json(text)
            except ProfileError as error:  # by another edition of the program; one hospital must not stop all
                _log.error("hospitals.profile_unreadable", hospital=code, error=str(error))
                before = self._entries.get(code)
                return before.profile if before else Profile()
        return self._profiles[text]

    def _open(self, row: Row[Any]) -> bytes | None:
        """The key, opened once; None (and an error in the log) when it is sealed under another master key."""
        if row.sealed not in self._opened:
            try:
                self._opened[row.sealed] = self._master_key.unseal(row.sealed, row.hospital_code)
            except KeystoreError as error:
                _log.error("hospitals.key_unreadable", hospital=row.hospital_code, error=str(error))
                return None
        return self._opened[row.sealed]


def _parsed(sm4_key_hex: str) -> bytes:
    try:
        return parse_key(sm4_key_hex)
    except Sm4Error as error:
        raise HospitalError("SM4 密钥应为 32 位十六进制数") from error


def _check_code(code: str) -> None:
    if (
        not code
        or len(code) > MAX_CODE
        or not code.isprintable()
        or any(c.isspace() or c in ",/" for c in code)
    ):
        raise HospitalError(f"医疗机构代码应为 1–{MAX_CODE} 个可见字符，不含空格、逗号和斜线")
