"""Seals whose keys are in a device on the desk (ADR 16): the key's name, and beside it what is public of the seal.

`NAME.esl` is the seal, `NAME.cer` its signer's certificate; `NAME` is the key in the device. The PIN is the device's own: it is
tried there, and the key is locked again after each act.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import structlog

from yingqiao.gm import armor, certificates, sm2, sm3
from yingqiao.gm.errors import GmError
from yingqiao.gm.ses import parse_seal
from yingqiao.seal_client.device import HeldSeal
from yingqiao.seal_client.errors import Refused
from yingqiao.seal_client.tries import WrongPin
from yingqiao.signing.private_keys import AWAY, LOCKED, NAME, PIN, DeviceError

_MOST = 64
_MAX_FILE = 1 << 20
_LEFT = re.compile(r"\d{1,3}")
_log = structlog.get_logger(__name__)


class PinnedDevice(Protocol):
    """What is asked of the device's program; `client.key_device.CommandDevice` is one. All raise DeviceError."""

    def unlock(self, name: str, pin: str) -> None: ...
    def sign(self, name: str, e: bytes) -> bytes: ...
    def lock(self, name: str) -> None: ...


@dataclass(frozen=True, slots=True)
class _DeviceKey:
    device: PinnedDevice
    name: str
    public: sm2.PublicKey

    def sign(self, message: bytes) -> bytes:
        """Raises Refused."""
        e = sm2.digest_for(self.public, message, sm2.DEFAULT_ID)
        try:
            return sm2.raw_to_der(self.device.sign(self.name, e))
        except GmError as error:
            raise _refused(error) from error


class DeviceSeals:
    """A `Device` of one program. An act has it to itself, from the PIN to the lock."""

    def __init__(self, folder: Path, device: PinnedDevice) -> None:
        self._folder, self._device = folder, device
        self._mutex = threading.Lock()

    def seals(self) -> list[HeldSeal]:
        """Those with files; the device is not asked. Raises Refused when there is no folder."""
        return [held for _, held in self._all()]

    @contextmanager
    def unlocked(self, seal_id: str, pin: str) -> Iterator[_DeviceKey]:
        """Raises WrongPin, Refused."""
        name, held = self._find(seal_id)
        public = sm2.PublicKey.from_point(certificates.parse(held.certificate).key.point)
        with self._mutex:
            try:
                self._device.unlock(name, pin)
            except DeviceError as error:
                if error.code != PIN:
                    raise _refused(error) from error
                left = _LEFT.search(error.detail)
                raise WrongPin(int(left[0]) if left else None) from None
            try:
                yield _DeviceKey(self._device, name, public)
            finally:
                with suppress(DeviceError):  # it ended: so did what was unlocked
                    self._device.lock(name)

    def _find(self, seal_id: str) -> tuple[str, HeldSeal]:
        for name, held in self._all():
            if held.id == seal_id:
                return name, held
        raise Refused(404, "no-seal", "没有这个印章，请刷新后重新选择")

    def _all(self) -> Iterator[tuple[str, HeldSeal]]:
        try:
            files = sorted(self._folder.glob("*.esl"))[:_MOST]
        except OSError as error:
            raise Refused(503, "no-wallets", f"打不开印章目录：{error.strerror or error}") from error
        for path in files:
            if (held := _read(path)) is not None:
                yield path.stem, held


def _read(path: Path) -> HeldSeal | None:
    try:
        if not NAME.fullmatch(path.stem):
            raise ValueError("no name of a key")
        esl, certificate = (_file(path.with_suffix(suffix)) for suffix in (".esl", ".cer"))
        seal = parse_seal(esl)
    except (OSError, ValueError, GmError) as error:
        _log.warning("sealclient.wallet_unusable", error=type(error).__name__)
        return None
    return HeldSeal(sm3.digest(b"device", esl, certificate).hex()[:32], seal, certificate)


def _file(path: Path) -> bytes:
    with path.open("rb") as stream:
        return armor.unwrap_one(stream.read(_MAX_FILE))


def _refused(error: GmError) -> Refused:
    status = {AWAY: 503, LOCKED: 423}.get(error.code, 502)
    return Refused(status, error.code, error.reason)
