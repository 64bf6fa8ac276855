"""What names a person: sealed at rest, found by a keyed digest, never logged."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping

import orjson
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

from yingqiao.gm import sm3
from yingqiao.gm.keystore import MasterKey
from yingqiao.store.database import Database
from yingqiao.store.schema import service_secrets

_INDEX_KEY = "personal-index"
OWN_CONTEXT = "service secret "


class PersonalData:
    """Seals and finds. Every method is safe from any thread.

    The key of the digests is read at the first one, as a gateway starts without its database. The very first makes it, which
    is a write of its own: who needs a digest inside a transaction calls `ready` before (a RuntimeError otherwise).
    """

    def __init__(self, database: Database, master_key: MasterKey) -> None:
        self._database = database
        self._master_key = master_key
        self._key = b""

    def digest(self, what: str, text: str) -> bytes:
        """32 bytes by which `text` is found again, and not guessed without our key. Raises StoreUnavailable;
        KeystoreError under another master key.
        """
        self.ready()
        return sm3.mac(self._key, f"{what}\0{text}".encode())

    def ready(self) -> None:
        """The key is read, or made: before a transaction in which `digest` is needed. Raises as that."""
        if not self._key:
            self._key = service_secret(self._database, self._master_key, _INDEX_KEY)

    def seal(self, values: Mapping[str, str], context: str) -> bytes:
        return self._master_key.seal(orjson.dumps(dict(values)), context)

    def open(self, sealed: bytes, context: str) -> dict[str, str]:
        """Raises KeystoreError when the master key is another."""
        opened: dict[str, str] = orjson.loads(self._master_key.unseal(sealed, context))
        return opened


def service_secret(database: Database, master_key: MasterKey, name: str) -> bytes:
    """The 32 random bytes of this name, made when there are none yet. Raises StoreUnavailable, KeystoreError."""
    context = OWN_CONTEXT + name
    query = select(service_secrets.c.sealed).where(service_secrets.c.name == name)
    with database.read() as connection:
        sealed = connection.scalar(query)
    if sealed is None:
        made = master_key.seal(secrets.token_bytes(32), context)
        try:
            with database.write() as connection:
                row = {"name": name, "sealed": made, "created_at": time.time_ns() // 10**6}
                connection.execute(insert(service_secrets).values(row))
            sealed = made
        except IntegrityError:  # another process was first
            with database.read() as connection:
                sealed = connection.scalar(query) or b""
    return master_key.unseal(sealed, context)
