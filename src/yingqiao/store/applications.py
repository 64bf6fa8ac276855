"""The applications that call the signing services, their secure codes sealed at rest.

`get` is asked in event loops: once started it answers from memory, which follows the database twice a second.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import structlog
from sqlalchemy import Row, insert, select, update
from sqlalchemy.exc import IntegrityError

from yingqiao.gm.keystore import KeystoreError, MasterKey
from yingqiao.signing.applications import (
    Application,
    ApplicationError,
    AppSettings,
    check_app_id,
    check_secret,
    new_secret,
)
from yingqiao.store.database import Database
from yingqiao.store.errors import StoreError
from yingqiao.store.followed import Followed
from yingqiao.store.schema import applications

_log = structlog.get_logger(__name__)
SEAL_CONTEXT = "application:"


class AppError(StoreError):
    """What was asked of the registry cannot be; the text is Chinese, for the operator."""


@dataclass(frozen=True, slots=True)
class AppShown:
    """An application as lists show it: nothing of its secret."""

    app_id: str
    name: str
    hospital_code: str
    disabled: bool
    settings: AppSettings
    old_secret_until: int | None
    """Unix ms until which the secret before is accepted; None: only the current one is."""
    created_at: int
    updated_at: int


class AppRegistry:
    """Every method is safe from any thread; those that read or write raise StoreUnavailable."""

    def __init__(
        self,
        database: Database,
        master_key: MasterKey,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 10**6,
    ) -> None:
        self._database, self._master_key, self._now_ms = database, master_key, now_ms
        self._entries: dict[str, tuple[Application, int]] = {}
        """With the time from which the first secret alone counts."""
        self._followed = Followed("applications", self._load)

    def start(self) -> None:
        """Load, and follow the database in a thread from now on."""
        self._followed.start()

    def close(self) -> None:
        self._followed.close()

    @property
    def as_of(self) -> float | None:
        """What was committed before this moment (Unix seconds) is known; None where nobody follows."""
        return self._followed.as_of

    def get(self, app_id: str) -> Application | None:
        """The application with the secrets accepted now; None when there is none."""
        self._followed.look()
        found = self._entries.get(app_id)
        if found is None:
            return None
        application, old_until = found
        if len(application.secrets) > 1 and self._now_ms() >= old_until:
            return replace(application, secrets=application.secrets[:1])
        return application

    def reload(self) -> None:
        """Read all of them again."""
        self._followed.again()

    def _load(self) -> None:
        with self._database.read() as connection:
            rows = connection.execute(select(applications)).all()
        entries = {}
        for row in rows:
            opened = self._opened(row)
            if opened is not None:
                entries[row.app_id] = opened, row.old_until
        self._entries = entries

    def list(self) -> list[AppShown]:
        """All of them by id."""
        with self._database.read() as connection:
            rows = connection.execute(select(applications).order_by(applications.c.app_id)).all()
        now = self._now_ms()
        return [
            AppShown(
                row.app_id,
                row.name,
                row.hospital_code,
                row.disabled,
                AppSettings.from_json(row.settings),
                row.old_until if row.old_sealed and row.old_until > now else None,
                row.created_at,
                row.updated_at,
            )
            for row in rows
        ]

    def add(
        self,
        app_id: str,
        secret: str | None,
        *,
        name: str = "",
        hospital_code: str = "",
        settings: AppSettings,
    ) -> str:
        """A new application; its secret, drawn here when None. Raises AppError."""
        drawn = new_secret() if secret is None else secret
        now = self._now_ms()
        with _in_words():
            check_app_id(app_id)
            row = {
                "app_id": app_id,
                "name": name,
                "hospital_code": hospital_code,
                "disabled": False,
                "settings": settings.checked().to_json(),
                "sealed": self._seal(app_id, drawn),
                "old_until": 0,
                "created_at": now,
                "updated_at": now,
            }
        try:
            with self._database.write() as connection:
                connection.execute(insert(applications).values(row))
        except IntegrityError as error:
            raise AppError(f"应用 {app_id} 已存在") from error
        self.reload()
        return drawn

    def rotate(self, app_id: str, secret: str | None, overlap_seconds: int) -> str:
        """A new secret (drawn here when None); the current one is accepted `overlap_seconds` more. Raises AppError."""
        drawn = new_secret() if secret is None else secret
        now = self._now_ms()
        with _in_words():
            sealed = self._seal(app_id, drawn)
        keep = overlap_seconds > 0
        self._update(
            app_id,
            old_sealed=applications.c.sealed if keep else None,
            old_until=now + overlap_seconds * 1000 if keep else 0,
            sealed=sealed,
        )
        return drawn

    def set_disabled(self, app_id: str, disabled: bool) -> None:
        """Refuse its requests, or take them again. Raises AppError."""
        self._update(app_id, disabled=disabled)

    def set_settings(self, app_id: str, settings: AppSettings) -> None:
        """Raises AppError."""
        with _in_words():
            text = settings.checked().to_json()
        self._update(app_id, settings=text)

    def _update(self, app_id: str, **values: Any) -> None:
        mine = applications.c.app_id == app_id
        with self._database.write() as connection:
            changed = connection.execute(
                update(applications).where(mine).values(**values, updated_at=self._now_ms())
            )
            if not changed.rowcount:
                raise AppError(f"没有应用 {app_id}")
        self.reload()

    def _seal(self, app_id: str, secret: str) -> bytes:
        return self._master_key.seal(check_secret(secret), SEAL_CONTEXT + app_id)

    def _opened(self, row: Row[Any]) -> Application | None:
        """None, and an error in the log, for one that cannot be read; others go on."""
        try:
            secrets = [
                self._master_key.unseal(sealed, SEAL_CONTEXT + row.app_id)
                for sealed in (row.sealed, row.old_sealed)
                if sealed
            ]
            settings = AppSettings.from_json(row.settings)
        except (KeystoreError, ApplicationError) as error:
            _log.error("apps.unreadable", app=row.app_id, error=str(error))
            return None
        return Application(row.app_id, row.name, row.hospital_code, row.disabled, tuple(secrets), settings)


class _in_words:  # noqa: N801 reads as what it does
    """Errors of values as errors of the registry."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, ApplicationError):
            raise AppError(str(error)) from error
