"""Logging in: passwords of staff and doctors tried, sessions opened, found and ended."""

from __future__ import annotations

import hashlib
import secrets
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Table, delete, insert, select, update

from yingqiao.signing import passwords
from yingqiao.signing.errors import SigningRefused
from yingqiao.signing.passwords import Login
from yingqiao.store.database import Database
from yingqiao.store.schema import login_sessions

SESSION_MS = 8 * 3600 * 1000


def log_in(database: Database, table: Table, where: ColumnElement[bool], password: str, now: int) -> Row[Any]:
    """The row of who may come in; a wrong password is counted.

    The password is tried outside any transaction: that takes tens of milliseconds on purpose. Raises SigningRefused,
    StoreUnavailable.
    """
    with database.read() as connection:
        row = connection.execute(select(table).where(where)).first()
    if row is not None:
        passwords.refuse_locked(_login(row), now)
    if not passwords.matches(_login(row) if row is not None else None, password):
        _count_failure(database, table, where, now)
        raise SigningRefused("wrong-password", "用户名或口令不对")
    if row is None or row.disabled:
        raise SigningRefused("disabled", "该账号已停用，请联系管理员")
    if row.failures or row.locked_until:
        with database.write() as connection:
            connection.execute(update(table).where(where).values(failures=0, locked_until=None))
    return row


def _count_failure(database: Database, table: Table, where: ColumnElement[bool], now: int) -> None:
    """Read again within the transaction: many guesses at once count as many."""
    with database.write() as connection:
        row = connection.execute(select(table).where(where).with_for_update()).first()
        if row is not None:
            after = passwords.after_failure(_login(row), now)
            changed = {"failures": after.failures, "locked_until": after.locked_until}
            connection.execute(update(table).where(where).values(changed))


def _login(row: Row[Any]) -> Login:
    return Login(row.password, row.must_change, row.failures, row.locked_until)


class Sessions:
    """Who is logged in, by the token of a cookie; only the token's digest is kept. Safe from any thread."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def open(self, who: str, now: int) -> str:
        """A new session's token; old sessions that have ended are forgotten. Raises StoreUnavailable."""
        with self._database.write() as connection:
            return self.open_in(connection, who, now)

    def open_in(self, connection: Connection, who: str, now: int) -> str:
        """As `open`, in the caller's transaction."""
        token = secrets.token_urlsafe(32)
        row = {"digest": token_digest(token), "who": who, "created_at": now, "expires_at": now + SESSION_MS}
        connection.execute(delete(login_sessions).where(login_sessions.c.expires_at <= now))
        connection.execute(insert(login_sessions).values(row))
        return token

    def who(self, token: str, now: int) -> str | None:
        """Whose session it is; None when it has ended or never was. Raises StoreUnavailable."""
        alive = (login_sessions.c.digest == token_digest(token)) & (login_sessions.c.expires_at > now)
        with self._database.read() as connection:
            return connection.scalar(select(login_sessions.c.who).where(alive))

    def close(self, token: str) -> None:
        with self._database.write() as connection:
            connection.execute(delete(login_sessions).where(login_sessions.c.digest == token_digest(token)))

    def close_all(self, who: str) -> None:
        """After a new password, or when somebody is shut out."""
        with self._database.write() as connection:
            connection.execute(delete(login_sessions).where(login_sessions.c.who == who))


def token_digest(token: str) -> bytes:
    """What is kept of a session's token."""
    return hashlib.sha256(token.encode()).digest()
