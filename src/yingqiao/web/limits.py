"""What a client may take: requests at once, bytes at once, requests a second. Used by one event loop only."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping

_KEPT_BUCKETS = 10_000


class TokenBuckets:
    """A token bucket per key. `rate` tokens a second, bursts of `burst`; rate 0 lets everything through.

    The least recently used keys are forgotten beyond 10,000: a forgotten key starts with a full bucket.
    """

    def __init__(
        self, rate: float, burst: float | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate = rate
        self._burst = max(1.0, rate * 2 if burst is None else burst)
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str) -> float:
        """Seconds to wait before the next token of `key`: 0.0 means a token was taken."""
        if self._rate <= 0:
            return 0.0
        now = self._clock()
        tokens, since = self._buckets.pop(key, (self._burst, now))
        tokens = min(self._burst, tokens + (now - since) * self._rate)
        wait = 0.0 if tokens >= 1 else (1 - tokens) / self._rate
        self._buckets[key] = (tokens if wait else tokens - 1, now)
        if len(self._buckets) > _KEPT_BUCKETS:
            self._buckets.popitem(last=False)
        return wait


class InFlight:
    """Requests being worked on and the bytes of their bodies, both bounded."""

    def __init__(self, max_requests: int, max_bytes: int) -> None:
        self._max_requests = max_requests
        self._max_bytes = max_bytes
        self.requests = 0
        self.bytes = 0

    def enter(self, expected_bytes: int) -> bool:
        """Whether one more request, of this many bytes, fits now. Counts the request when it does."""
        if self.requests >= self._max_requests or self.bytes + expected_bytes > self._max_bytes:
            return False
        self.requests += 1
        return True

    def grow(self, size: int) -> bool:
        """Count `size` more bytes of a body; False when they do not fit (they are counted all the same)."""
        self.bytes += size
        return self.bytes <= self._max_bytes

    def leave(self, size: int) -> None:
        self.requests -= 1
        self.bytes -= size


def peer_of(client: str, headers: Mapping[bytes, bytes], trusted_proxies: Collection[str]) -> str:
    """The address a request came from; behind a trusted proxy the last entry of X-Forwarded-For."""
    if client not in trusted_proxies:
        return client
    forwarded = headers.get(b"x-forwarded-for", b"").decode("latin-1").rpartition(",")[2].strip()
    return forwarded or client
