"""The server's halves of cooperative keys: made at activation, used under one lock a key, erased when given up.

Every answer is stored before it leaves: after a crash the same request gets the same answer, another one a new attempt
with new nonces (see gm/cooperative).
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec
import structlog
from sqlalchemy import Connection, Row, bindparam, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from yingqiao.gm.cooperative import Attempt, KeyState, Outcome
from yingqiao.gm.errors import GmError
from yingqiao.gm.key_share import KeyAnswer, KeyOffer, Share, share_context
from yingqiao.gm.keystore import MasterKey
from yingqiao.gm.sm2 import PublicKey
from yingqiao.signing.errors import SigningRefused
from yingqiao.signing.private_keys import SOFTWARE, PrivateKeys
from yingqiao.store.database import Database
from yingqiao.store.joined import Part
from yingqiao.store.schema import cooperative_attempts, shared_keys

_log = structlog.get_logger(__name__)
Also = Callable[[Connection, Outcome], None]


@dataclass(frozen=True, slots=True)
class SharedKey:
    """A key as it was read. `sealed`, D2 or where it is, is None once erased."""

    id: str
    doctor_id: int
    device: str
    public: PublicKey
    sealed: bytes | None = field(repr=False)
    state: KeyState
    version: int
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
            return self.get_in(connection, key_id)

    @staticmethod
    def get_in(connection: Connection, key_id: str) -> SharedKey:
        """As `get`, in the caller's transaction."""
        row = connection.execute(_FIND, {"key": key_id}).first()
        if row is None:
            raise SigningRefused("no-key", "没有这个密钥，请重新下载证书")
        return key_of(row)

    def open(self, key: SharedKey) -> Share:
        """The server's half, for one step of the protocol."""
        return self._keys.open_share(self._secret(key), key.public)

    def keep(self, key: SharedKey, outcome: Outcome, also: Also | None = None) -> bool:
        """The state after a step on `key` as it was read, stored before the outcome may leave; False when another step came
        first: then all is to be read and done anew.

        `also` writes what follows in the same transaction; what it raises leaves the state as it was.
        """
        if outcome.state == key.state:
            return True
        changed = {"state": _packed(outcome.state), "version": key.version + 1}
        with self._database.write() as connection:
            given = {"key": key.id, "read_version": key.version, **changed}
            if not connection.execute(_STEP, given).rowcount:
                return False
            if outcome.answer is not None and outcome.state.attempt is not None:
                self._count(connection, key.id, outcome.state.attempt)
            if also is not None:
                also(connection, outcome)
        return True

    @staticmethod
    def used(connection: Connection, key_id: str, job: str) -> int:
        """The highest attempt the job was ever answered at with this key; 0: none. Read it no earlier than the key: what
        came between is then told by the key's version.
        """
        return connection.scalar(_USED, {"key": key_id, "job": job}) or 0

    def _secret(self, key: SharedKey) -> bytes:
        if key.sealed is None:
            raise SigningRefused("key-erased", "该证书的密钥已注销，请重新下载证书")
        context = share_context(key.id, user_of(key.doctor_id), key.public.point)
        return self._master_key.unseal(key.sealed, context)

    def erase(self, connection: Connection, key_id: str) -> None:
        """The share is destroyed: nobody signs with this key again. A device that is away keeps a D2 nobody can name."""
        key = self.get_in(connection, key_id)
        if key.sealed is not None:
            try:
                self._keys.erase(self._secret(key))
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

    def _count(self, connection: Connection, key_id: str, attempt: Attempt) -> None:
        row = {"key_id": key_id, "job": attempt.job, "number": attempt.number, "at": self._now_ms()}
        connection.execute(_COUNTS[connection.dialect.name], row)


def key_of(row: Row[Any] | Part) -> SharedKey:
    """Of a row of `shared_keys`."""
    return SharedKey(
        row.id,
        row.doctor_id,
        row.device,
        PublicKey(bytes(row.public)),
        row.sealed,
        _unpacked(row.state),
        row.version,
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


def _counting(dialect: str) -> Any:
    insert_ = (sqlite if dialect == "sqlite" else postgresql).insert(cooperative_attempts)
    new = {"number": insert_.excluded.number, "at": insert_.excluded.at}
    return insert_.on_conflict_do_update(index_elements=["key_id", "job"], set_=new)


_FIND = select(shared_keys).where(shared_keys.c.id == bindparam("key"))
_STEP = update(shared_keys).where(
    shared_keys.c.id == bindparam("key"), shared_keys.c.version == bindparam("read_version")
)
_USED = select(cooperative_attempts.c.number).where(
    cooperative_attempts.c.key_id == bindparam("key"), cooperative_attempts.c.job == bindparam("job")
)
_COUNTS = {dialect: _counting(dialect) for dialect in ("sqlite", "postgresql")}
