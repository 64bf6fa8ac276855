"""Where the fetcher does not go (T94): hosts, addresses, redirects, names that change their answer."""

import socket
import threading

import pytest

from tests.helpers.fetching import fetch
from tests.peers.hostile_http import Hostile, hostile
from yingqiao.exchange.fetch import AllowedHost, Credentials, FileState
from yingqiao.exchange.work import ErrorClass

DATA = b"\0" * 128 + b"DICM" + b"data" * 100
REFUSED = (ErrorClass.THEIRS, FileState.REFUSED)


@pytest.fixture
def server():
    with hostile() as running:
        running.files = {"a.dcm": DATA}
        yield running


@pytest.fixture
def inside():
    """What an attacker wants to reach: a server on a loopback address that is not on the list."""
    with hostile("127.0.0.9") as running:
        running.files = {"secret": b"secret"}
        yield running


def listed(server: Hostile, host: str = "127.0.0.1", **changes: object) -> AllowedHost:
    return AllowedHost("http", host, server.port, **({"private": True} | changes))  # type: ignore[arg-type]


def test_a_redirect_to_an_address_not_on_the_list_is_refused(server, inside, tmp_path):
    target = inside.url("secret", "127.0.0.9")
    kept = fetch(tmp_path, [listed(server)], {"f": server.url(f"redirect?to={target}")})
    assert kept.error("f")[:2] == REFUSED
    assert "127.0.0.9" in kept.error("f")[2]
    assert inside.connections == 0


@pytest.mark.parametrize(
    "target",
    [
        "file:///etc/passwd",
        "ftp://127.0.0.1/x",
        "gopher://127.0.0.1:70/x",
        "http://127.1/x",
        "//127.0.0.9/x",
        "http://[::1]/x",
    ],
)
def test_a_redirect_to_another_scheme_or_spelling_is_refused(server, tmp_path, target):
    kept = fetch(tmp_path, [listed(server)], {"f": server.url(f"redirect?to={target}")})
    assert kept.error("f")[:2] == REFUSED


def test_redirects_among_listed_hosts_are_followed_five_times(server, tmp_path):
    def chain(length: int) -> str:
        return server.url("redirect?to=" * length + "/x/a.dcm")

    kept = fetch(tmp_path, [listed(server)], {"5": chain(5), "6": chain(6)})
    assert kept.bodies["5"] == DATA
    assert kept.files["5"].address.path == "/x/a.dcm"
    assert "转向超过 5 次" in kept.error("6")[2]


def test_a_redirect_out_of_the_registered_folder_is_refused(server, tmp_path):
    kept = fetch(tmp_path, [listed(server, root="/redirect")], {"f": server.url("redirect?to=/x/a.dcm")})
    assert kept.error("f")[:2] == REFUSED


def test_a_redirect_carries_no_credentials_to_the_next_host(server, tmp_path):
    with hostile("127.0.0.2") as other:
        other.files = {"a.dcm": DATA}
        target = other.url("x/a.dcm", "127.0.0.2")
        secret = Credentials(user="u", password="p", headers={"X-Key": "k"})
        hosts = [listed(server, credentials=secret), listed(other, "127.0.0.2")]
        kept = fetch(
            tmp_path, hosts, {"f": server.url(f"redirect?to={target}").replace("//", "//me:too@", 1)}
        )
        assert kept.bodies["f"] == DATA
        assert {"authorization", "x-key"} <= server.asked[0][1].keys()
        assert not {"authorization", "x-key"} & other.asked[0][1].keys()


def test_raw_bytes_in_a_location_are_kept(server, tmp_path):
    raw = "目录/a.dcm".encode("gb18030").decode("latin-1")
    server.ways["raw"] = lambda _s, c, _p, _h: c.sendall(
        f"HTTP/1.1 302 F\r\nLocation: /{raw}\r\nContent-Length: 0\r\n\r\n".encode("latin-1")
    )
    kept = fetch(tmp_path, [listed(server)], {"f": server.url("raw")})
    assert kept.bodies["f"] == DATA
    assert server.asked[-1][0] == "/%C4%BF%C2%BC/a.dcm"


def test_names_that_lead_inside_are_refused_unless_registered_so(server, tmp_path):
    """The name is on the list; its address is not what was meant."""

    def resolve(_host: str, _port: int) -> list[str]:
        return ["127.0.0.1"]

    url = server.url("x/a.dcm", "images.example.cn")
    public = [listed(server, "images.example.cn", private=False)]
    refused = fetch(tmp_path, public, {"f": url}, resolve=resolve)
    assert refused.error("f")[:2] == REFUSED
    assert "127.0.0.1" in refused.error("f")[2]
    assert server.connections == 0
    private = [listed(server, "images.example.cn")]
    assert fetch(tmp_path, private, {"f": url}, resolve=resolve).bodies["f"] == DATA


_NEVER_MEANT = ["0.0.0.0", "::", "169.254.169.254", "::ffff:169.254.169.254"]


@pytest.mark.parametrize(
    ("inside", "private"),
    [(inside, private) for inside in _NEVER_MEANT for private in (False, True)]
    + [("::ffff:127.0.0.1", False)],  # loopback is what a private host may be
)
def test_addresses_that_are_never_meant(server, tmp_path, inside, private):
    url = server.url("x/a.dcm", "images.example.cn")
    hosts = [listed(server, "images.example.cn", private=private)]
    kept = fetch(tmp_path, hosts, {"f": url}, resolve=lambda _h, _p: [inside])
    assert kept.error("f")[:2] == REFUSED
    assert server.connections == 0


def test_dns_rebinding_gains_nothing(server, inside, tmp_path):
    """First answer outside, second inside: every connection is asked about, whatever was resolved before."""
    answers = iter([["192.0.2.1", "127.0.0.1"], ["127.0.0.9"], ["127.0.0.9"], ["127.0.0.9"]])
    asked = []

    def resolve(host: str, port: int) -> list[str]:
        asked.append((host, port))
        return next(answers)

    hosts = [
        listed(server, "rebind.example.cn", private=False),
        listed(inside, "rebind.example.cn", private=False),
    ]
    urls = {
        "first": server.url("x/a.dcm", "rebind.example.cn"),
        "second": inside.url("secret", "rebind.example.cn"),
    }
    kept = fetch(tmp_path, hosts, urls, resolve=resolve, connections=1, connect_seconds=1)
    assert {kept.error(name)[1] for name in urls} <= {FileState.REFUSED, FileState.FAILING}
    assert kept.error("second")[:2] == REFUSED
    assert asked
    assert server.connections == inside.connections == 0


def test_a_kept_connection_is_asked_about_for_the_next_request(server, tmp_path):
    """Hospital A may reach the host inside; hospital B, with the same name, may not use A's connection."""
    from tests.helpers.fetching import Kept, settings
    from yingqiao.client.fetch import Fetcher, FetchRequest
    from yingqiao.exchange.fetch import parse_address

    address = parse_address(server.url("x/a.dcm", "images.example.cn"))
    kept = Kept()
    with Fetcher(settings(tmp_path), resolve=lambda _h, _p: ["127.0.0.1"]) as fetcher:
        fetcher.run([FetchRequest("A", address, [listed(server, "images.example.cn")])], kept)
        fetcher.run([FetchRequest("B", address, [listed(server, "images.example.cn", private=False)])], kept)
    assert kept.bodies == {"A": DATA}
    assert kept.error("B")[:2] == REFUSED
    assert len(server.asked) == 1


def test_an_ftp_server_cannot_send_us_elsewhere(tmp_path, inside):
    """A PASV answer naming another host is not followed: the data connection goes where the control one did."""
    with _lying_ftp(inside.port) as port:
        host = AllowedHost("ftp", "127.0.0.1", port, private=True)
        kept = fetch(tmp_path, [host], {"f": f"ftp://127.0.0.1:{port}/x"}, tries=1)
    assert "f" in kept.errors
    assert inside.connections == 0


def test_the_environments_proxy_is_not_used(server, inside, tmp_path, monkeypatch):
    monkeypatch.setenv("http_proxy", f"http://127.0.0.9:{inside.port}")
    monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.9:{inside.port}")
    assert fetch(tmp_path, [listed(server)], {"f": server.url("x/a.dcm")}).bodies["f"] == DATA
    assert inside.connections == 0


class _lying_ftp:  # noqa: N801 -- used as a context
    """Speaks just enough FTP to answer PASV with 127.0.0.9."""

    def __init__(self, port: int) -> None:
        self._answer = f"227 Entering Passive Mode (127,0,0,9,{port >> 8},{port & 255})."

    def __enter__(self) -> int:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        return int(self._listener.getsockname()[1])

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _serve(self) -> None:
        answers = {
            "USER": "331 password",
            "PASS": "230 in",
            "PWD": '257 "/"',
            "PASV": self._answer,
            "SIZE": "213 5",
        }
        answers |= {
            "TYPE": "200 ok",
            "CWD": "250 ok",
            "MDTM": "213 20260101000000",
            "EPSV": "500 no",
            "RETR": "150 ok",
        }
        try:
            while True:
                connection, _ = self._listener.accept()
                with connection, connection.makefile("rw", newline="\r\n") as stream:
                    print("220 welcome", file=stream, flush=True, end="\r\n")
                    for line in stream:
                        print(
                            answers.get(line.split()[0].upper(), "502 no"),
                            file=stream,
                            flush=True,
                            end="\r\n",
                        )
        except OSError:
            return
