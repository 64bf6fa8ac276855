"""Every use of a seal on this desk, a line each, durable before the result is handed over. No patient data, no PIN."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import msgspec


class Use(msgspec.Struct, frozen=True, kw_only=True):
    """One act of sealing."""

    time: str
    """ISO 8601, UTC."""
    seal: str
    """The seal's esID."""
    certificate: str
    """SM3 of the signer's certificate, hex."""
    base: str
    """SM3 of the PDF before, hex."""
    sealed: str
    """SM3 of the PDF after, hex."""
    pages: tuple[int, ...]
    paging: bool
    token: str
    """业务 id of the PACS."""
    parallel: bool = False
    stamped: bool = False
    """Every seal of the act has a time stamp."""


class Journal:
    """`uses.jsonl` in the state folder, for its owner only."""

    def __init__(self, folder: Path) -> None:
        """Raises OSError."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._path = folder / "uses.jsonl"
        self._mutex = threading.Lock()

    def write(self, use: Use) -> None:
        """Raises OSError: what cannot be journaled must not be handed over."""
        with self._mutex:
            fd = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                line = msgspec.json.encode(use) + b"\n"
                if os.write(fd, line) != len(line):
                    raise OSError("short write")
                os.fsync(fd)
            finally:
                os.close(fd)
