"""Instances laid out in memory as the receiver hands them to the landing area."""

from __future__ import annotations

import hashlib
import mmap

from yingqiao.exchange.model import Laid
from yingqiao.store.landing import LandingArea


def lay(prefix: bytes, dataset: bytes) -> Laid:
    """On pages of its own, with room for the header before and for the padding behind."""
    start = LandingArea.headroom + len(prefix)
    end = start + len(dataset)
    memory = memoryview(mmap.mmap(-1, end + mmap.PAGESIZE))
    memory[LandingArea.headroom : end] = prefix + dataset
    memory[end:] = b"\xff" * (len(memory) - end)
    return Laid(memory, len(prefix), end, hashlib.sha256(dataset).digest())
