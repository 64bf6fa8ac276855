"""What an input may cost, whatever it is: processor time and memory."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager

MIB = 1024 * 1024


@contextmanager
def bounded(seconds: float, mib: float) -> Iterator[None]:
    """Fails when what is inside takes more of either than it may. Tracing makes it slower by half: bounds are wide."""
    tracemalloc.start()
    begun = time.process_time()
    try:
        yield
        spent = time.process_time() - begun
        peak = tracemalloc.get_traced_memory()[1] / MIB
    finally:
        tracemalloc.stop()
    assert spent < seconds, f"{spent:.1f} s of processor time"
    assert peak < mib, f"{peak:.0f} MiB at most at once"


def told(code: str, reason: str) -> None:
    """A refusal has a code for programs and Chinese words for people."""
    assert code
    assert any("\u4e00" <= character <= "\u9fff" for character in reason), reason
