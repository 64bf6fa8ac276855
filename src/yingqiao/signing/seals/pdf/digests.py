"""SM3 of what signatures cover: one pass over the file, on another thread while its structure is read.

All spans begin at the start of the file. So the running value is kept at the end of every revision, which needs no
signature to be known yet, and each signature goes on from the nearest mark before its gap.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from threading import Thread
from types import TracebackType
from typing import Any, Self

from yingqiao.gm import sm3
from yingqiao.signing.seals.pdf.envelope import Envelope


class Digests:
    """Entered, it hashes; left, it has ended. `marks` are places in the file worth keeping the running value at."""

    def __init__(self, data: bytes, marks: Iterable[int]) -> None:
        self._view = memoryview(data)
        self._places = [0, *sorted({one for one in marks if 0 < one <= len(data)})]
        self._running: list[Any] = [sm3.new()]
        self._thread = Thread(target=self._run, name="digests", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.join()

    def _run(self) -> None:
        running = self._running[0].copy()
        for start, stop in zip(self._places, self._places[1:], strict=False):
            running.update(self._view[start:stop])  # without the interpreter's lock
            self._running.append(running.copy())

    def of(self, envelopes: Sequence[Envelope]) -> list[Mapping[str, bytes]]:
        """Of each signature, by name of the algorithm; none of one whose envelope is wrong."""
        self._thread.join()
        found: list[Mapping[str, bytes]] = [{} for _ in envelopes]
        running, at = self._running[0].copy(), 0
        for index in sorted(range(len(envelopes)), key=lambda one: envelopes[one].spans):
            spans = envelopes[index].spans
            if not spans:
                continue
            gap = spans[0][1]
            mark = bisect_right(self._places, gap) - 1
            if self._places[mark] > at:
                running, at = self._running[mark].copy(), self._places[mark]
            running.update(self._view[at:gap])
            at, own = gap, running.copy()
            own.update(self._view[spans[1][0] : spans[1][1]])
            found[index] = {"sm3": own.digest()}
        return found
