"""Token buckets, in-flight bounds, where a request came from."""

from __future__ import annotations

from yingqiao.web.limits import InFlight, TokenBuckets, peer_of


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_bucket_gives_its_burst_then_its_rate() -> None:
    clock = Clock()
    buckets = TokenBuckets(2.0, 3.0, clock)
    assert [buckets.take("a") for _ in range(3)] == [0.0, 0.0, 0.0]
    assert buckets.take("a") == 0.5
    assert buckets.take("b") == 0.0
    clock.now = 0.5
    assert buckets.take("a") == 0.0
    assert buckets.take("a") > 0


def test_refused_takes_do_not_postpone_the_next_token() -> None:
    clock = Clock()
    buckets = TokenBuckets(1.0, 1.0, clock)
    assert buckets.take("a") == 0.0
    for step in range(1, 10):
        clock.now = step / 10
        assert buckets.take("a") > 0
    clock.now = 1.01
    assert buckets.take("a") == 0.0


def test_rate_zero_lets_everything_through_and_keys_are_bounded() -> None:
    free = TokenBuckets(0.0)
    assert not any(free.take("a") for _ in range(1000))
    buckets = TokenBuckets(1.0)
    for number in range(12_000):
        buckets.take(str(number))
    assert len(buckets._buckets) == 10_000


def test_in_flight_counts_requests_and_bytes() -> None:
    flight = InFlight(2, 100)
    assert flight.enter(60)
    assert flight.grow(60)
    assert not flight.enter(50)
    assert flight.enter(40)
    assert not flight.enter(0)
    assert not flight.grow(50)
    flight.leave(50)
    flight.leave(60)
    assert (flight.requests, flight.bytes) == (0, 0)


def test_only_a_trusted_proxy_may_say_where_a_request_came_from() -> None:
    forwarded = {b"x-forwarded-for": b"6.6.6.6, 10.0.0.9"}
    assert peer_of("1.2.3.4", forwarded, ()) == "1.2.3.4"
    assert peer_of("1.2.3.4", forwarded, ("1.2.3.4",)) == "10.0.0.9"
    assert peer_of("1.2.3.4", {}, ("1.2.3.4",)) == "1.2.3.4"
    assert peer_of("", {}, ()) == ""
