"""The server's halves of cooperative keys: made at activation, used under one lock a key, erased when given up.

Every answer is stored before it leaves: after a crash the same request gets the same answer, another one a new attempt
with new nonces (see gm/cooperative).
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
import structlog
from sqlalchemy import Connection, Row, delete, insert, select, update

from yingqiao.gm.cooperative import Attempt, KeyState, Outcome
from yingqiao.gm.errors import GmError
from yingqiao.gm.key_share import KeyAnswer, KeyOffer, Share, share_context
from yingqiao.gm.keystore import MasterKey
from yingqiao.gm.sm2 import PublicKey
from yingqiao.signing.errors import SigningRefused
from yingqiao.signing.private_keys import SOFTWARE, PrivateKeys
from yingqiao.store.database import Database
from yingqiao.store.schema import cooperative_attempts, shared_keys

_log = structlog.get_logger(__name__)
_TRIES = 20
_ATTEMPTS_KEPT_MS = 7 * 24 * 3600 * 1000
"""Longer than any job lives (four days at most); then it is refused by its own end."""
Also = Callable[[Connection, Outcome], None]


@dataclass(frozen=True, slots=True)
class SharedKey:
    """A key as lists show it."""

    id: str
    doctor_id: int
    device: str
    public: PublicKey
    state: KeyState
    created_at: int
    erased_at: int | None


class SharedKeys:
    """Safe from any thread and process. Methods raise SigningRefused and StoreUnavailable; DeviceError
    when D2 is in a device that does not answer: then nothing changed.
    """

    def __init__(
        self,
        database: Database,
        master_key: MasterKey,
        now_ms: Callable[[], int],
        keys: PrivateKeys = SOFTWARE,
    ) -> None:
        self._database = database
        self._master_key = master_key
        self._now_ms = now_ms
        self._keys = keys

    def make(
        self, connection: Connection, doctor_id: int, device: str, offer: KeyOffer, session: str
    ) -> tuple[str, KeyAnswer]:
        """A new key with a phone; its id and what to answer. Raises CooperativeError."""
        user = user_of(doctor_id)
        secret, share, answer = self._keys.make_share(offer, session=session, user=user)
        key_id = secrets.token_hex(12)
        row = {
            "id": key_id,
            "doctor_id": doctor_id,
            "device": device[:64],
            "public": share.public.point,
            "sealed": self._master_key.seal(secret, share_context(key_id, user, share.public.point)),
            "state": _packed(KeyState()),
            "version": 0,
            "created_at": self._now_ms(),
        }
        connection.execute(insert(shared_keys).values(row))
        return key_id, answer

    def get(self, key_id: str) -> SharedKey:
        with self._database.read() as connection:
            return self._get(connection, key_id)

    def run(
        self, key_id: str, step: Callable[[Share, KeyState], Outcome], also: Also | None = None
    ) -> Outcome:
        """One step of the protocol: its state is stored before the outcome is returned; two at once exclude each other.

        `also` writes what follows in the same transaction as the state; what it raises leaves the state as it was.
        """
        for _ in range(_TRIES):
            with self._database.read() as connection:
                row = self._row(connection, key_id)
            key = _shown(row)
            if row.sealed is None:
                raise SigningRefused("key-erased", "该证书的密钥已注销，请重新下载证书")
            share = self._keys.open_share(self._secret(row), key.public)
            outcome = step(share, key.state)
            if outcome.state == key.state or self._store(key_id, row.version, outcome, also):
                return outcome
        raise SigningRefused("busy", "该证书正在签名，请稍后再试")

    def used(self, key_id: str, job: str) -> int:
        """The highest attempt the job was ever answered at with this key; 0: none."""
        c = cooperative_attempts.c
        with self._database.read() as connection:
            found = connection.scalar(select(c.number).where(c.key_id == key_id, c.job == job))
        return found or 0

    def _secret(self, row: Row[Any]) -> bytes:
        context = share_context(row.id, user_of(row.doctor_id), bytes(row.public))
        return self._master_key.unseal(row.sealed, context)

    def erase(self, connection: Connection, key_id: str) -> None:
        """The share is destroyed: nobody signs with this key again. A device that is away keeps a D2 nobody can name."""
        row = connection.execute(select(shared_keys).where(shared_keys.c.id == key_id)).first()
        if row is not None and row.sealed is not None:
            try:
                self._keys.erase(self._secret(row))
            except GmError as error:
                _log.warning("device.not_erased", key=key_id, reason=error.code)
        values = {"sealed": None, "state": _packed(KeyState()), "erased_at": self._now_ms()}
        version = shared_keys.c.version + 1
        connection.execute(
            update(shared_keys).where(shared_keys.c.id == key_id).values(values | {"version": version})
        )

    def erase_others(self, connection: Connection, doctor_id: int, key_id: str) -> None:
        """A doctor signs with one key: the newest."""
        others = (shared_keys.c.doctor_id == doctor_id) & (shared_keys.c.id != key_id)
        held = select(shared_keys.c.id).where(others, shared_keys.c.sealed.is_not(None))
        for other in connection.scalars(held).all():
            self.erase(connection, other)

    def _store(self, key_id: str, version: int, outcome: Outcome, also: Also | None) -> bool:
        """False when another step came first."""
        unchanged = (shared_keys.c.id == key_id) & (shared_keys.c.version == version)
        with self._database.write() as connection:
            changed = {"state": _packed(outcome.state), "version": version + 1}
            if not connection.execute(update(shared_keys).where(unchanged).values(changed)).rowcount:
                return False
            if outcome.answer is not None and outcome.state.attempt is not None:
                self._count(connection, key_id, outcome.state.attempt)
            if also is not None:
                also(connection, outcome)
        return True

    def _count(self, connection: Connection, key_id: str, attempt: Attempt) -> None:
        c, now = cooperative_attempts.c, self._now_ms()
        mine = (c.key_id == key_id) & (c.job == attempt.job)
        connection.execute(delete(cooperative_attempts).where(mine | (c.at < now - _ATTEMPTS_KEPT_MS)))
        row = {"key_id": key_id, "job": attempt.job, "number": attempt.number, "at": now}
        connection.execute(insert(cooperative_attempts).values(row))

    @classmethod
    def _get(cls, connection: Connection, key_id: str) -> SharedKey:
        return _shown(cls._row(connection, key_id))

    @staticmethod
    def _row(connection: Connection, key_id: str) -> Row[Any]:
        row = connection.execute(select(shared_keys).where(shared_keys.c.id == key_id)).first()
        if row is None:
            raise SigningRefused("no-key", "没有这个密钥，请重新下载证书")
        return row


def _shown(row: Row[Any]) -> SharedKey:
    return SharedKey(
        row.id,
        row.doctor_id,
        row.device,
        PublicKey(row.public),
        _unpacked(row.state),
        row.created_at,
        row.erased_at,
    )


def user_of(doctor_id: int) -> str:
    """What proofs and seals of a doctor's key are bound to."""
    return f"doctor:{doctor_id}"


def _packed(state: KeyState) -> bytes:
    return msgspec.msgpack.encode((state.attempt, state.failures))


def _unpacked(raw: bytes) -> KeyState:
    attempt, failures = msgspec.msgpack.decode(raw, type=tuple[Attempt | None, int])
    return KeyState(attempt, failures)
