"""A wallet file on a workstation: opened with its PIN, every try counted in the file before it is made."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from yingqiao.gm import seal_wallet, sm2
from yingqiao.gm.seal_wallet import MAX_WALLET, Wallet, WalletError


@dataclass(frozen=True, slots=True)
class WalletFile:
    """Safe for threads and processes: tries are counted one after the other."""

    path: Path

    def look(self) -> Wallet:
        """Without the PIN. Raises WalletError, OSError."""
        with self.path.open("rb") as stream:
            return seal_wallet.read_wallet(stream.read(MAX_WALLET + 1))

    def open(self, pin: str) -> sm2.PrivateKey:
        """The key. Raises WalletError (`wrong-pin`, `wallet-locked`), OSError when the try cannot be counted."""
        with self._alone():
            tried = seal_wallet.count_try(self.look())
            self._write(tried)
            private = seal_wallet.open_wallet(tried, pin)
            self._write(seal_wallet.succeeded(tried))
        if seal_wallet.public_point(tried) != private.public().point:
            raise WalletError("私钥与证书不是一对")
        return private

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with self.path.with_name(self.path.name + ".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _write(self, wallet: Wallet) -> None:
        """Whole before, whole after, also through a power cut."""
        fresh = self.path.with_name(self.path.name + ".new")
        with fresh.open("wb") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(seal_wallet.to_bytes(wallet))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self.path)
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
