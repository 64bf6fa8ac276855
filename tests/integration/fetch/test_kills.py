"""A fetcher killed at any moment loses nothing and mixes nothing: what it left is continued or started again."""

import functools
import hashlib
import os
import random
import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest

from tests.peers.hostile_http import hostile, wanted
from yingqiao.client.fetch import sweep

DATA = random.Random(7).randbytes(6_000_000)
_PROGRAM = """
    import hashlib, sys
    from pathlib import Path
    from yingqiao.client.fetch import Fetcher, FetchRequest, FetchSettings
    from yingqiao.exchange.fetch import AllowedHost, parse_address

    folder, port = Path(sys.argv[1]), int(sys.argv[2])

    class Keep:
        def finished(self, request, file):
            with file.view() as view:
                assert hashlib.sha256(view).digest() == file.digest()
            told = folder / f"{request.id}.new"  # what is told is told whole, whenever the kill comes
            told.write_text(file.digest().hex() + (" resumed" if file.resumed else ""))
            told.replace(folder / request.id)
            file.discard()

        def failed(self, request, error):
            raise SystemExit(error.reason)

    host = AllowedHost("http", "127.0.0.1", port, private=True)
    requests = [
        FetchRequest(str(n), parse_address(f"http://127.0.0.1:{port}/slow/{n}.dcm"), (host,), "H1")
        for n in range(4)
        if not (folder / str(n)).exists()
    ]
    with Fetcher(FetchSettings(folder / "parts", small_bytes=100_000, tries=3)) as fetcher:
        fetcher.run(requests, Keep())
"""


def _slowly(server, connection, path, headers, *, killed_once):
    """Honest, in pieces, so that a kill finds it at work; the first program gets no more than a half of anything."""
    data = DATA[int(path[-5]) :]
    start = wanted(headers)
    head = f'Content-Length: {len(data) - start}\r\nETag: "one"\r\n'
    status = "206 Partial Content" if start else "200 OK"
    head += f"Content-Range: bytes {start}-{len(data) - 1}/{len(data)}\r\n" if start else ""
    connection.sendall(f"HTTP/1.1 {status}\r\n{head}\r\n".encode())
    for at in range(start, len(data), 200_000):
        if at >= len(data) // 2:
            killed_once.wait(120)
        connection.sendall(data[at : at + 200_000])
        time.sleep(0.01)


def begun(parts):
    """Whether something is there that the next run can continue."""
    return any(part.with_suffix(".json").exists() and part.stat().st_size for part in parts.glob("*.part"))


@pytest.mark.parametrize("kills", [6, pytest.param(100, marks=pytest.mark.long)])
def test_killed_again_and_again_every_file_arrives_right(tmp_path, kills):
    chance = random.Random(kills)
    with hostile() as server:
        killed_once = threading.Event()
        server.ways["slow"] = functools.partial(_slowly, killed_once=killed_once)
        command = [sys.executable, "-c", textwrap.dedent(_PROGRAM), str(tmp_path), str(server.port)]
        for turn in range(kills):
            before = len(server.asked)
            process = subprocess.Popen(command)
            while len(server.asked) == before and process.poll() is None:
                time.sleep(0.01)
            while turn == 0 and process.poll() is None and not begun(tmp_path / "parts"):
                time.sleep(0.01)
            time.sleep(chance.uniform(0.0, 0.2))
            process.send_signal(signal.SIGKILL)
            process.wait()
            killed_once.set()
        subprocess.run(command, check=True, timeout=280)
        asked = len(server.asked)
    for n in range(4):
        digest, *_ = (tmp_path / str(n)).read_text().split()
        assert digest == hashlib.sha256(DATA[n:]).hexdigest()
    sweep(tmp_path / "parts", 0)  # of a kill between keeping and discarding
    assert list((tmp_path / "parts").iterdir()) == []
    assert asked >= 4
    assert any("range" in headers for _, headers in server.asked)


def test_an_unreadable_folder_is_our_error(tmp_path):
    from tests.helpers.fetching import fetch
    from yingqiao.exchange.fetch import AllowedHost
    from yingqiao.exchange.work import ErrorClass

    (tmp_path / "parts").write_bytes(b"a file where the folder should be")
    with hostile() as server:
        server.files = {"a.dcm": os.urandom(5000)}
        host = AllowedHost("http", "127.0.0.1", server.port, private=True)
        kept = fetch(tmp_path, [host], {"f": server.url("a.dcm")}, small_bytes=100)
    assert kept.error("f")[0] is ErrorClass.OURS
