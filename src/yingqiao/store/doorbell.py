"""A bell between the processes of one data folder: whoever wrote something that is to be done at once rings.

A named pipe: who waits at it sleeps, who rings never waits, and a ring while nobody waits yet is kept. Nobody may
rely on it: who waits looks by himself every so often (another machine's rings are not heard here).
"""

from __future__ import annotations

import os
import select
from contextlib import suppress
from pathlib import Path


class Doorbell:
    """At `path`. One process waits, any number ring, from any thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd = -1

    def ring(self) -> None:
        """Wake who waits. Never fails: nobody may be there."""
        with suppress(OSError):
            fd = os.open(self._path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                os.write(fd, b"!")
            finally:
                os.close(fd)

    def open(self) -> None:
        """Begin to hear rings. Raises OSError."""
        if not self._path.is_fifo():
            self._path.unlink(missing_ok=True)
            os.mkfifo(self._path, 0o600)
        self._fd = os.open(self._path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)

    def wait(self, seconds: float) -> bool:
        """Whether it rang within so long; however often, it counts once. After `open`, in one thread."""
        poll = select.poll()
        poll.register(self._fd, select.POLLIN)
        heard = bool(poll.poll(seconds * 1000))
        if heard:
            os.read(self._fd, 4096)
        return heard

    def close(self) -> None:
        """Nobody may be in `wait`."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
