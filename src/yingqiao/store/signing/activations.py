"""Activation codes: given to a doctor who logged in, redeemed once by a phone."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection, delete, insert, select, update

from yingqiao.signing.certificates.activation import Activation, code_digest, new_activation, new_code, use
from yingqiao.signing.errors import SigningRefused
from yingqiao.store.database import Database
from yingqiao.store.schema import activations


class Activations:
    """Safe from any thread."""

    def __init__(self, database: Database, now_ms: Callable[[], int]) -> None:
        self._database = database
        self._now_ms = now_ms

    def give(self, doctor_id: int) -> tuple[str, int]:
        """A new code and until when it is good (Unix ms); the doctor's earlier codes end. Raises StoreUnavailable."""
        code = new_code()
        made = new_activation(code, self._now_ms())
        unused = (activations.c.doctor_id == doctor_id) & activations.c.used_at.is_(None)
        with self._database.write() as connection:
            connection.execute(delete(activations).where(unused))
            row = {"digest": made.digest, "doctor_id": doctor_id, "expires_at": made.expires_at}
            connection.execute(insert(activations).values(row))
        return code, made.expires_at

    def look(self, code: str) -> int:
        """Whose code it is, without redeeming it. Raises SigningRefused."""
        with self._database.read() as connection:
            return self._usable(connection, code_digest(code))[0]

    def redeem(self, connection: Connection, code: str) -> int:
        """Whose code it was; good once, in the caller's transaction. Raises SigningRefused."""
        return self.redeem_digest(connection, code_digest(code))

    def redeem_digest(self, connection: Connection, digest: bytes) -> int:
        """As `redeem`, by what is kept of the code."""
        doctor_id, used = self._usable(connection, digest)
        unused = (activations.c.digest == used.digest) & activations.c.used_at.is_(None)
        if not connection.execute(update(activations).where(unused).values(used_at=used.used_at)).rowcount:
            raise SigningRefused("activation-unknown", "激活码不对或已使用，请在自助服务页面重新获取")
        return doctor_id

    def _usable(self, connection: Connection, digest: bytes) -> tuple[int, Activation]:
        row = connection.execute(select(activations).where(activations.c.digest == digest)).first()
        kept = Activation(row.digest, row.expires_at, row.used_at) if row is not None else None
        used = use(kept, self._now_ms())
        return (row.doctor_id if row is not None else 0), used
