"""The fetcher against a real HTTP server that misbehaves (四 interface mode; T94)."""

import os
import time
from pathlib import Path

import pytest

from tests.helpers.fetching import Kept, fetch
from tests.peers.hostile_http import Hostile, hostile
from yingqiao.exchange.fetch import AllowedHost, FileState, HostOptions
from yingqiao.exchange.work import ErrorClass

DATA = os.urandom(1_500_000)


@pytest.fixture
def server():
    with hostile() as running:
        running.files = {"a.dcm": DATA, "small.dcm": DATA[:5000], "empty.dcm": b""}
        yield running


def registered(server: Hostile, **changes: object) -> AllowedHost:
    return AllowedHost("http", "127.0.0.1", server.port, private=True, **changes)  # type: ignore[arg-type]


def test_files_come_whole_over_few_connections(server, tmp_path):
    urls = {str(n): server.url(f"{n}/a.dcm") for n in range(40)} | {"empty": server.url("x/empty.dcm")}
    kept = fetch(tmp_path, [registered(server)], urls, connections_per_host=4)
    assert not kept.errors
    assert all(kept.bodies[str(n)] == DATA for n in range(40))
    assert kept.bodies["empty"] == b""
    assert kept.bodies["0"] == DATA
    assert server.connections <= 4
    assert all("accept-encoding" not in headers for _, headers in server.asked)


@pytest.mark.parametrize("small_bytes", [8 << 20, 100_000], ids=["in memory", "spooled"])
@pytest.mark.parametrize(
    ("way", "resumed"),
    [("cut", True), ("cut-no-ranges", False), ("cut-wrong-range", False), ("cut-other-version", False)],
)
def test_a_cut_connection_ends_in_the_right_bytes(server, tmp_path, way, resumed, small_bytes):
    kept = fetch(tmp_path, [registered(server)], {"f": server.url(f"{way}/a.dcm")}, small_bytes=small_bytes)
    assert not kept.errors, kept.error("f")
    assert kept.bodies["f"] == DATA
    assert kept.files["f"].resumed is resumed
    assert kept.files["f"].requests > 1
    if resumed:
        assert [r.get("range") for r in server.requests(f"{way}/a.dcm")][1] == "bytes=400000-"
        assert server.requests(f"{way}/a.dcm")[1]["if-range"] == '"one"'
    assert list((tmp_path / "parts").iterdir()) == [] if small_bytes < len(DATA) else True


def test_an_interrupted_run_is_taken_up_by_the_next(server, tmp_path):
    class StopError(Exception):
        pass

    def stop_after(count):
        if sum(stop_after.counts) + count > 500_000:
            raise StopError
        stop_after.counts.append(count)

    from tests.helpers.fetching import settings
    from yingqiao.client.fetch import Fetcher, FetchRequest
    from yingqiao.exchange.fetch import parse_address

    stop_after.counts = []
    url = server.url("cut/a.dcm")
    with Fetcher(settings(tmp_path, small_bytes=100_000)) as fetcher, pytest.raises(StopError):
        fetcher.run(
            [FetchRequest("f", parse_address(url), [registered(server)], "H1")], Kept(), throttle=stop_after
        )
    before = len(server.requests("cut/a.dcm"))
    assert sorted(p.suffix for p in (tmp_path / "parts").iterdir()) == [".json", ".part"]
    kept = fetch(tmp_path, [registered(server)], {"f": url}, small_bytes=100_000)
    assert kept.bodies["f"] == DATA
    assert kept.files["f"].resumed
    assert server.requests("cut/a.dcm")[before]["range"].startswith("bytes=")
    assert list((tmp_path / "parts").iterdir()) == []


def test_lengths_that_lie(server, tmp_path):
    urls = {way: server.url(f"{way}/a.dcm") for way in ("less-than-said", "more-than-said", "until-close")}
    kept = fetch(tmp_path, [registered(server)], urls)
    assert kept.error("less-than-said")[0] is ErrorClass.PASSING
    assert kept.bodies["until-close"] == DATA
    assert kept.bodies["more-than-said"] == DATA[:-100]  # what it holds must prove itself: see the contents


def test_endless_slow_and_silent_answers_are_bounded(server, tmp_path):
    hosts = [registered(server, options=HostOptions(gzip=True))]
    started = time.monotonic()

    def asked(*ways: str, **limits: float) -> Kept:
        urls = {way: server.url(f"{way}/f") for way in ways}
        return fetch(tmp_path, hosts, urls, max_bytes=20_000_000, tries=1, **limits)

    kept = asked("endless", "junk", "bomb")  # a size ends these, however slow the machine
    kept.errors |= asked("endless-head", "drip", "silent", connect_seconds=2, idle_seconds=1).errors
    assert time.monotonic() - started < 100
    assert kept.error("endless")[:2] == (ErrorClass.POISON, FileState.UNUSABLE)
    assert kept.error("bomb")[:2] == (ErrorClass.POISON, FileState.UNUSABLE)
    for way in ("endless-head", "drip", "silent"):
        assert kept.error(way)[0] is ErrorClass.PASSING, way
    assert kept.error("junk")[0] is ErrorClass.THEIRS
    assert list((tmp_path / "parts").glob("*")) == []


def test_statuses_are_classed(server, tmp_path):
    expected = {
        "401": (ErrorClass.THEIRS, FileState.DENIED),
        "403": (ErrorClass.THEIRS, FileState.DENIED),
        "404": (ErrorClass.THEIRS, FileState.GONE),
        "410": (ErrorClass.THEIRS, FileState.GONE),
        "400": (ErrorClass.THEIRS, FileState.FAILING),
        "204": (ErrorClass.THEIRS, FileState.FAILING),
        "500": (ErrorClass.PASSING, FileState.FAILING),
        "502": (ErrorClass.PASSING, FileState.FAILING),
        "408": (ErrorClass.PASSING, FileState.FAILING),
    }
    kept = fetch(tmp_path, [registered(server)], {s: server.url(f"status/{s}") for s in expected})
    assert {s: kept.error(s)[:2] for s in expected} == expected


@pytest.mark.parametrize(("path", "least", "most"), [("status/429/7", 7, 7), ("dated-retry/x", 700, 900)])
def test_a_host_that_asks_for_patience_is_left_alone(server, tmp_path, path, least, most):
    urls = {"first": server.url(path)} | {str(n): server.url(f"{n}/a.dcm") for n in range(30)}
    kept = fetch(tmp_path, [registered(server)], urls, connections_per_host=1)
    assert {error.retry_after is not None for error in kept.errors.values()} == {True}
    assert least <= kept.errors["first"].retry_after <= most
    assert len(server.asked) == 1
    assert len(kept.errors) == 31


def test_compressed_only_when_asked_for(server, tmp_path):
    plain = fetch(tmp_path, [registered(server)], {"f": server.url("packed/a.dcm")})
    assert plain.bodies["f"][:2] == b"\x1f\x8b"
    asked = fetch(
        tmp_path, [registered(server, options=HostOptions(gzip=True))], {"f": server.url("packed/a.dcm")}
    )
    assert asked.bodies["f"] == DATA


def test_a_compressed_answer_cut_short_is_not_continued_but_started_again(server, tmp_path):
    host = registered(server, options=HostOptions(gzip=True))
    kept = fetch(tmp_path, [host], {"f": server.url("packed-cut/a.dcm")})
    assert kept.bodies["f"] == DATA
    assert not any("range" in headers for _, headers in server.asked)


def test_a_hosts_bandwidth_is_shared_by_its_connections(server, tmp_path):
    options = HostOptions(bytes_per_second=1_000_000, max_connections=2)
    server.files["a.dcm"] = DATA[:500_000]
    started = time.monotonic()
    kept = fetch(
        tmp_path, [registered(server, options=options)], {str(n): server.url(f"{n}/a.dcm") for n in range(3)}
    )
    assert len(kept.bodies) == 3
    assert time.monotonic() - started > 0.8
    assert server.connections <= 2


def test_memory_is_bounded_by_spooling(server, tmp_path):
    urls = {str(n): server.url(f"{n}/a.dcm") for n in range(8)}
    kept = fetch(tmp_path, [registered(server)], urls, memory_bytes=2_000_000)
    assert {kept.bodies[n] == DATA for n in urls} == {True}
    assert any(file.path for file in kept.files.values())
    assert any(file.path is None for file in kept.files.values())
    assert list((tmp_path / "parts").iterdir()) == []


def test_one_file_in_two_runs_at_once_is_fetched_by_one(server, tmp_path):
    from tests.helpers.fetching import settings
    from yingqiao.client.fetch.spool import Part, part_name

    url = server.url("x/a.dcm")
    (tmp_path / "parts").mkdir()
    held = Part(settings(tmp_path).folder, part_name("H1", url))
    kept = fetch(tmp_path, [registered(server)], {"f": url}, small_bytes=1000)
    assert kept.error("f")[0] is ErrorClass.PASSING
    held.discard()
    assert fetch(tmp_path, [registered(server)], {"f": url}, small_bytes=1000).bodies["f"] == DATA


def test_our_full_disk_is_ours(server, tmp_path):
    (tmp_path / "parts").symlink_to("/dev/full")
    kept = fetch(tmp_path, [registered(server)], {"f": server.url("x/a.dcm")}, small_bytes=1000)
    assert kept.error("f")[0] is ErrorClass.OURS


def test_a_dead_host_does_not_hold_up_a_healthy_one(server, tmp_path):
    dead = AllowedHost("http", "127.0.0.1", 1, private=True)
    urls = {f"dead{n}": f"http://127.0.0.1:1/{n}" for n in range(300)}
    urls |= {str(n): server.url(f"{n}/small.dcm") for n in range(20)}
    kept = fetch(tmp_path, [registered(server), dead], urls)
    assert len(kept.bodies) == 20
    assert len(kept.errors) == 300
    assert {error.error_class for error in kept.errors.values()} == {ErrorClass.PASSING}


def test_the_caller_may_end_a_run_within_a_second(server, tmp_path):
    from tests.helpers.fetching import settings
    from yingqiao.client.fetch import Fetcher, FetchRequest
    from yingqiao.exchange.fetch import parse_address

    started = time.monotonic()

    class CancelledError(Exception):
        pass

    def check():
        if time.monotonic() - started > 0.5:
            raise CancelledError

    request = FetchRequest("f", parse_address(server.url("silent/x")), [registered(server)])
    with Fetcher(settings(tmp_path, idle_seconds=600)) as fetcher:
        with pytest.raises(CancelledError):
            fetcher.run([request], Kept(), check=check)
        assert time.monotonic() - started < 50
        kept = Kept()
        fetcher.run([FetchRequest("g", parse_address(server.url("x/a.dcm")), [registered(server)])], kept)
        assert kept.bodies["g"] == DATA


def test_what_a_sink_raises_comes_out_and_the_file_can_be_fetched_again(server, tmp_path):
    class Broken(Kept):
        def finished(self, request, file):
            raise OSError("landing area full")

    with pytest.raises(OSError, match="landing area full"):
        fetch(tmp_path, [registered(server)], {"f": server.url("x/a.dcm")}, sink=Broken(), small_bytes=1000)
    assert (
        fetch(tmp_path, [registered(server)], {"f": server.url("x/a.dcm")}, small_bytes=1000).bodies["f"]
        == DATA
    )
    assert Path(tmp_path / "parts").stat().st_mode & 0o777 == 0o700
