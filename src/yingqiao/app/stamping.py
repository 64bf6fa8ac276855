"""Seals stamped by the gateway's own time stamping authority: in the journal before they are given out (ADR 14)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import structlog

from yingqiao.app.stores import Stores
from yingqiao.gm import sm3
from yingqiao.gm.errors import GmError
from yingqiao.gm.timestamp import TimestampError
from yingqiao.settings import CossSettings
from yingqiao.signing.clock import ClockError, TrustedClock
from yingqiao.signing.errors import SigningRefused
from yingqiao.signing.tsa import Tsa
from yingqiao.store import tokens
from yingqiao.store.tokens import Authority, Issued, TsaError

SEALS = "yingqiao:seals"
"""In the journal of time stamps: those of seals, in the place of an application."""
NO_TIME = "no-time"
_log = structlog.get_logger(__name__)


def tsa_of(found: Authority, settings: CossSettings) -> Tsa:
    """An authority at work. Raises TsaError."""
    accuracy = timedelta(milliseconds=settings.tsa_accuracy_ms)
    try:
        return Tsa(found.key, settings.tsa_policy, accuracy or None)
    except GmError as error:
        raise TsaError(f"时间戳证书或策略不可用：{error.reason}") from error


def stamp_seal(value: bytes, tsa: Tsa, number: int, serial: int, clock: TrustedClock) -> tuple[bytes, Issued]:
    """A token over a seal's signature value, and what the journal must have first. Raises SigningRefused, DeviceError."""
    try:
        now = clock.now_ms()
        token, imprint = tsa.stamp(value, serial, datetime.fromtimestamp(now / 1000, UTC), attach=True)
    except (ClockError, TimestampError) as error:
        _log.error("tsa.refused", reason=str(error))
        raise SigningRefused(NO_TIME, f"暂停签发时间戳：{error}") from error
    return token, Issued(serial, number, SEALS, now, imprint, sm3.digest(token))


class OwnStamps:
    """The data folder's authority used by a command, beside a gateway that may be running."""

    def __init__(self, stores: Stores, authority: Authority, settings: CossSettings) -> None:
        """Raises TsaError, StoreUnavailable."""
        self._stores, self._number = stores, authority.id
        self._tsa = tsa_of(authority, settings)
        self._clock = TrustedClock(tokens.latest_gen_time(stores.database), settings.clock_jump_seconds)

    def __call__(self, value: bytes) -> bytes:
        """Raises SigningRefused, DeviceError, StoreUnavailable."""
        [serial] = tokens.take_serials(self._stores.database, 1)
        token, issued = stamp_seal(value, self._tsa, self._number, serial, self._clock)
        tokens.keep(self._stores.database, issued)
        return token


def own_stamps(stores: Stores, settings: CossSettings) -> OwnStamps | None:
    """None where no authority was ever made. Raises TsaError, StoreUnavailable."""
    found = tokens.authority(stores.database, stores.master_key, stores.keys)
    return None if found is None else OwnStamps(stores, found, settings)
