"""Replacing the master key while gateways run: the file of keys first, then every secret, then the old key's removal.

Each step leaves a state that works, and is found again by looking: a rotation that was cut off is gone on with.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import structlog

from yingqiao.app.folder import DataFolder, StartError, write_secret
from yingqiao.app.keyring import OLD, KeyRing
from yingqiao.app.keys import KeyPlace
from yingqiao.app.stores import Stores
from yingqiao.gm.keystore import MasterKey, new_master_key
from yingqiao.store import resealing
from yingqiao.store.resealing import Step, Tell

SETTLE_S = 60.0
"""How long after the last change of the file an old key stays: what was being sealed under it is written by then."""
_LOCK = "keys.lock"
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Rotated:
    """`key_id` seals now; `resumed`: it did already when this began."""

    key_id: str
    resumed: bool
    steps: Sequence[Step]

    @property
    def unreadable(self) -> list[str]:
        return [why for step in self.steps for why in step.unreadable]


@dataclass(frozen=True, slots=True)
class Kept:
    """An old key that stays, and why."""

    key_id: str
    why: str


@contextmanager
def one_at_a_time(folder: DataFolder) -> Iterator[None]:
    """No two commands change the keys of a data folder at once. Raises StartError."""
    descriptor = os.open(folder.root / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise StartError("另一个更换主密钥的命令正在运行", unavailable=True) from error
    try:
        yield
    finally:
        os.close(descriptor)


def prepare(place: KeyPlace) -> KeyRing:
    """A key for the next rotation stands in the file: gateways that have it can open what is sealed under it.

    The same again when there is one. Raises StartError.
    """
    ring = place.ring()
    if ring.next is None:
        ring = ring.prepared(new_master_key())
        _write(place, ring)
    return ring


def rotate(stores: Stores, place: KeyPlace, tell: Tell) -> Rotated:
    """Everything under a new key: the one prepared, or one made now; or, cut off before, the one that seals already.

    Keys that are not in a file are changed where they are: then what is left under older ones is sealed anew.
    Raises StartError, StoreUnavailable.
    """
    ring = place.ring()
    resumed = place.path is None or (ring.next is None and _is_unfinished(stores, ring))
    if not resumed:
        ring = ring.turned(ring.next.raw if ring.next is not None else new_master_key())
        _write(place, ring)
        _log.info("key.turned", key=ring.keys[0].id)
    steps = resealing.reseal(stores.database, _master(ring), tell)
    return Rotated(ring.keys[0].id, resumed, steps)


def rehearse(stores: Stores, place: KeyPlace, tell: Tell) -> list[Step]:
    """Opens every secret and changes nothing. Raises StartError, StoreUnavailable."""
    return resealing.reseal(stores.database, _master(place.ring()), tell, dry_run=True)


def retire(
    stores: Stores, place: KeyPlace, now: Callable[[], float] = time.time
) -> tuple[list[str], list[Kept]]:
    """Old keys under which nothing is sealed any more leave the file: their ids, and those that stay.

    Raises StartError, StoreUnavailable.
    """
    ring = place.ring()
    old = [key.id for key in ring.keys if key.word == OLD]
    waiting = _settling(place, now())
    used = {key for one in resealing.held(stores.database) for key in one.by_key}
    gone = [] if waiting else [key for key in old if key not in used]
    kept = [Kept(key, waiting or "仍有内容由它封存") for key in old if key not in gone]
    if gone:
        _write(place, ring.without(set(gone)))
        _log.info("key.retired", keys=gone)
    return gone, kept


def _settling(place: KeyPlace, now: float) -> str:
    if place.path is None:
        raise StartError(f"主密钥来自 {place.words}，请在那里删去旧的一把")
    left = SETTLE_S - (now - place.path.stat().st_mtime)
    return f"主密钥文件刚刚改过，{left:.0f} 秒后再试" if left > 0 else ""


def _is_unfinished(stores: Stores, ring: KeyRing) -> bool:
    """Whether something is under another key of the ring. What is under a key that is nowhere does not count."""
    others = {key.id for key in ring.keys[1:]}
    return any(others & one.by_key.keys() for one in resealing.held(stores.database))


def _master(ring: KeyRing) -> MasterKey:
    first, *others = ring.raw
    return MasterKey(first, others)


def _write(place: KeyPlace, ring: KeyRing) -> None:
    if place.path is None:
        raise StartError(
            f"主密钥来自 {place.words}：用 yingqiao keys new 生成新的一把，在那里写在最前面，旧的留在其后"
        )
    try:
        write_secret(place.path, ring.text())
    except OSError as error:
        raise StartError(f"不能写主密钥文件 {place.path}：{error.strerror}") from error
