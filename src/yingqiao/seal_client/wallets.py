"""The software key store: a folder of seal wallets (*.seal.json), each opened by its PIN for one act."""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from yingqiao.gm import seal_wallet, sm2, sm3
from yingqiao.gm.errors import GmError
from yingqiao.gm.seal_wallet import Wallet
from yingqiao.gm.ses import parse_seal
from yingqiao.seal_client.device import HeldSeal
from yingqiao.seal_client.errors import Refused
from yingqiao.seal_client.tries import WrongPin

SUFFIX = ".seal.json"
_MOST = 64
"""Wallets looked at in the folder."""
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _SoftwareKey:
    private: sm2.PrivateKey = field(repr=False)

    def sign(self, message: bytes) -> bytes:
        return sm2.sign(self.private, message)


class WalletFolder:
    """A `Device` of files. The count of wrong PINs is written into the file before each try, as the wallet wants it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._mutex = threading.Lock()

    def seals(self) -> list[HeldSeal]:
        """What can be read; what cannot is logged and left out. Raises Refused when there is no folder."""
        return [held for _, _, held in self._all()]

    @contextmanager
    def unlocked(self, seal_id: str, pin: str) -> Iterator[_SoftwareKey]:
        """Raises WrongPin, Refused."""
        with self._mutex:
            key = self._open(seal_id, pin)
        yield key

    def _open(self, seal_id: str, pin: str) -> _SoftwareKey:
        path, wallet = self._find(seal_id)
        try:
            counted = seal_wallet.count_try(wallet)
            _replace(path, seal_wallet.to_bytes(counted))
            private = seal_wallet.open_wallet(counted, pin)
            _replace(path, seal_wallet.to_bytes(seal_wallet.succeeded(counted)))
        except GmError as error:
            if error.code == "wrong-pin":
                raise WrongPin from None
            status = 423 if error.code == "wallet-locked" else 422
            raise Refused(status, error.code, error.reason) from None
        except OSError as error:
            raise Refused(500, "wallet", f"印章钱包不能写入：{error.strerror or error}") from error
        return _SoftwareKey(private)

    def _find(self, seal_id: str) -> tuple[Path, Wallet]:
        for path, wallet, held in self._all():
            if secrets.compare_digest(held.id.encode(), seal_id.encode("utf-8", "replace")):
                return path, wallet
        raise Refused(404, "no-seal", "没有这个印章，请刷新后重新选择")

    def _all(self) -> Iterator[tuple[Path, Wallet, HeldSeal]]:
        try:
            files = sorted(path for path in self._folder.iterdir() if path.name.endswith(SUFFIX))[:_MOST]
        except OSError as error:
            reason = f"打不开印章钱包目录：{error.strerror or error}"
            raise Refused(503, "no-wallets", reason) from error
        for path in files:
            found = _read(path)
            if found is not None:
                yield path, *found


def _read(path: Path) -> tuple[Wallet, HeldSeal] | None:
    try:
        with path.open("rb") as stream:
            raw = stream.read(seal_wallet.MAX_WALLET + 1)
        wallet = seal_wallet.read_wallet(raw)
        seal = parse_seal(wallet.esl)
    except (OSError, GmError) as error:
        _log.warning("sealclient.wallet_unusable", error=type(error).__name__)
        return None
    return wallet, HeldSeal(sm3.digest(wallet.esl, wallet.certificate).hex()[:32], seal, wallet.certificate)


def _replace(path: Path, data: bytes) -> None:
    """Durable before it returns. Raises OSError."""
    beside = path.with_name(f".{secrets.token_hex(8)}.part")
    fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(fd, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(fd)
        beside.replace(path)
    except BaseException:
        with suppress(OSError):
            beside.unlink()
        raise
    _flush_folder(path.parent)


def _flush_folder(path: Path) -> None:
    if os.name == "nt":  # a folder is nothing that can be opened there
        return
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
