"""An HTTP server that lies, cuts, drips and redirects, on loopback; raw sockets, so nothing corrects it."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.utils import formatdate

Request = tuple[str, dict[str, str]]


@dataclass
class Hostile:
    """What it serves, and what it was asked."""

    files: dict[str, bytes] = field(default_factory=dict)
    asked: list[Request] = field(default_factory=list)
    port: int = 0
    connections: int = 0
    stop: threading.Event = field(default_factory=threading.Event)
    ways: dict[str, Callable[[Hostile, socket.socket, str, dict[str, str]], None]] = field(
        default_factory=dict
    )
    """Behaviour by the first part of the path; else the file is served honestly."""

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}/{path}"

    def requests(self, path: str) -> list[dict[str, str]]:
        return [headers for asked, headers in self.asked if asked == f"/{path}"]


@contextmanager
def hostile(address: str = "127.0.0.1") -> Iterator[Hostile]:
    server = Hostile()
    listener = socket.create_server((address, 0), backlog=64)
    server.port = listener.getsockname()[1]
    server.ways |= WAYS
    thread = threading.Thread(target=_accept, args=(server, listener))
    thread.start()
    try:
        yield server
    finally:
        server.stop.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def _accept(server: Hostile, listener: socket.socket) -> None:
    threads = []
    with suppress(OSError):
        while True:
            connection, _ = listener.accept()
            server.connections += 1
            threads.append(threading.Thread(target=_talk, args=(server, connection)))
            threads[-1].start()
    for thread in threads:
        thread.join()


def _talk(server: Hostile, connection: socket.socket) -> None:
    connection.settimeout(0.1)
    with connection, suppress(OSError):
        while (request := _read(server, connection)) is not None:
            path, headers = request
            server.asked.append(request)
            way = server.ways.get(path.split("/")[1].partition("?")[0], honest)
            connection.settimeout(60)
            way(server, connection, path, headers)
            connection.settimeout(0.1)


def _read(server: Hostile, connection: socket.socket) -> Request | None:
    raw = b""
    while b"\r\n\r\n" not in raw:
        try:
            more = connection.recv(65536)
        except TimeoutError:
            if server.stop.is_set():
                return None
            continue
        if not more:
            return None
        raw += more
    first, *lines = raw.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return first.split(" ")[1], headers


def answer(connection: socket.socket, status: str, body: bytes = b"", **headers: object) -> None:
    lines = {"Content-Length": len(body)} | {n.replace("_", "-"): v for n, v in headers.items()}
    head = "".join(f"{n}: {v}\r\n" for n, v in lines.items() if v is not None)
    connection.sendall(f"HTTP/1.1 {status}\r\n{head}\r\n".encode("latin-1") + body)


def content(server: Hostile, path: str) -> bytes:
    return server.files[path.partition("?")[0].rpartition("/")[2]]


def wanted(headers: dict[str, str], etag: str = '"one"') -> int:
    """Where the answer starts, as If-Range allows."""
    match = re.fullmatch(r"bytes=(\d+)-", headers.get("range", ""))
    return int(match[1]) if match and headers.get("if-range", etag) == etag else 0


def honest(server: Hostile, connection: socket.socket, path: str, headers: dict[str, str]) -> None:
    try:
        data = content(server, path)
    except KeyError:
        answer(connection, "404 Not Found", b"nothing here")
        return
    start = wanted(headers)
    if start >= len(data) and start:
        answer(connection, "416 Range Not Satisfiable", Content_Range=f"bytes */{len(data)}")
    elif start:
        told = f"bytes {start}-{len(data) - 1}/{len(data)}"
        answer(connection, "206 Partial Content", data[start:], Content_Range=told, ETag='"one"')
    else:
        answer(connection, "200 OK", data, ETag='"one"')


def _cut(server, connection, path, headers, *, ranges=True, etag='"one"', offset=0, piece=400_000):
    """Every answer breaks off after a piece; the last piece comes whole."""
    data = content(server, path)
    start = wanted(headers, etag) if ranges else 0
    first = not server.requests(path.lstrip("/"))[1:]
    tag = '"one"' if first else etag
    head = f"Content-Length: {len(data) - start}\r\nETag: {tag}\r\n"
    status = "200 OK"
    if start:
        status = "206 Partial Content"
        head += f"Content-Range: bytes {start + offset}-{len(data) - 1}/{len(data)}\r\n"
    end = len(data) if not ranges and not first else start + piece
    connection.sendall(f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + data[start:end])
    if end < len(data):
        raise OSError("cut")


def _cut_ranges(server, connection, path, headers):
    _cut(server, connection, path, headers)


def _cut_no_ranges(server, connection, path, headers):
    _cut(server, connection, path, headers, ranges=False)


def _cut_wrong_range(server, connection, path, headers):
    """The first answer breaks off; the rest is said to start elsewhere; asked without a range it is honest."""
    if "range" in headers:
        data = content(server, path)
        answer(
            connection,
            "206 Partial Content",
            data[7:],
            ETag='"one"',
            Content_Range=f"bytes 7-{len(data) - 1}/{len(data)}",
        )
    elif server.requests(path.lstrip("/"))[1:]:
        honest(server, connection, path, headers)
    else:
        _cut(server, connection, path, headers)


def _cut_other_version(server, connection, path, headers):
    """Breaks off; then sends a rest of another version, whatever If-Range says."""
    data = content(server, path)
    start = int(headers.get("range", "bytes=0-")[6:-1])
    if start:
        told = f"bytes {start}-{len(data) - 1}/{len(data)}"
        answer(
            connection, "206 Partial Content", b"x" * (len(data) - start), Content_Range=told, ETag='"two"'
        )
    elif server.requests(path.lstrip("/"))[1:]:
        answer(connection, "200 OK", data, ETag='"two"')
    else:
        _cut(server, connection, path, headers)


def _less_than_said(server, connection, path, _headers):
    data = content(server, path)
    connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {len(data) + 1000}\r\n\r\n".encode() + data)
    raise OSError("cut")


def _more_than_said(server, connection, path, _headers):
    data = content(server, path)
    connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {len(data) - 100}\r\n\r\n".encode() + data)
    raise OSError("cut")


def _until_close(server, connection, path, _headers):
    connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n" + content(server, path))
    raise OSError("cut")


def _endless(server, connection, _path, _headers):
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    piece = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    while not server.stop.is_set():
        connection.sendall(piece)


def _endless_head(server, connection, _path, _headers):
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while not server.stop.is_set():
        connection.sendall(b"X-More: " + b"y" * 4000 + b"\r\n")


def _drip(server, connection, _path, _headers):
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while not server.stop.is_set():
        connection.sendall(b"x")
        time.sleep(0.2)


def _silent(server, _connection, _path, _headers):
    server.stop.wait(300)
    raise OSError("never answers")


def _redirect(_server, connection, path, _headers):
    answer(connection, "302 Found", b"elsewhere", Location=path.partition("?to=")[2])


def _status(_server, connection, path, _headers):
    """/status/503/7: Retry-After 7."""
    _, _, status, *wait = path.split("/")
    answer(connection, f"{status} So", b"<html>no</html>", Retry_After=wait[0] if wait else None)


def _dated_retry(_server, connection, _path, _headers):
    answer(connection, "503 So", Retry_After=formatdate(time.time() + 900, usegmt=True))


def _junk(_server, connection, _path, _headers):
    connection.sendall(b"220 this is no web server\r\n" * 40)
    raise OSError("cut")


def _packed(server, connection, path, headers):
    import gzip

    asked = "gzip" in headers.get("accept-encoding", "")
    answer(
        connection, "200 OK", gzip.compress(content(server, path)), Content_Encoding="gzip" if asked else None
    )


def _packed_cut(server, connection, path, _headers):
    """Compressed; the first answer breaks off in the middle."""
    import gzip

    packed = gzip.compress(content(server, path))
    head = (
        f'HTTP/1.1 200 OK\r\nContent-Length: {len(packed)}\r\nETag: "one"\r\nContent-Encoding: gzip\r\n\r\n'
    )
    if server.requests(path.lstrip("/"))[1:]:
        connection.sendall(head.encode() + packed)
    else:
        connection.sendall(head.encode() + packed[: len(packed) // 2])
        raise OSError("cut")


def _bomb(_server, connection, _path, _headers):
    import gzip

    packed = gzip.compress(bytes(50_000_000))
    answer(connection, "200 OK", packed, Content_Encoding="gzip")


WAYS: dict[str, Callable[[Hostile, socket.socket, str, dict[str, str]], None]] = {
    "cut": _cut_ranges,
    "cut-no-ranges": _cut_no_ranges,
    "cut-wrong-range": _cut_wrong_range,
    "cut-other-version": _cut_other_version,
    "less-than-said": _less_than_said,
    "more-than-said": _more_than_said,
    "until-close": _until_close,
    "endless": _endless,
    "endless-head": _endless_head,
    "drip": _drip,
    "silent": _silent,
    "redirect": _redirect,
    "status": _status,
    "dated-retry": _dated_retry,
    "junk": _junk,
    "packed": _packed,
    "bomb": _bomb,
    "packed-cut": _packed_cut,
}
