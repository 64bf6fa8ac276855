"""Every protocol against a real server: https (nginx), FTP in GBK (pyftpdlib), FTPS (vsftpd), SFTP (sshd), S3
(moto), mounted shares (四 interface mode; T94).
"""

import os
import socket
import tempfile
from pathlib import Path

import pytest

from tests.helpers.certificates import Certificate, certificate
from tests.helpers.fetching import Kept, fetch
from tests.peers.ftp import PASSWORD, USER, ftp_server, vsftpd
from tests.peers.nginx import nginx
from tests.peers.s3 import put, s3_server
from tests.peers.sshd import Sshd, sshd
from yingqiao.client.fetch import Fetcher, FetchRequest
from yingqiao.exchange.fetch import AllowedHost, Credentials, FileState, HostOptions, parse_address
from yingqiao.exchange.work import ErrorClass

pytestmark = pytest.mark.peer
DATA = os.urandom(700_000)
NAMES = ("胸部平扫/张三 (1).dcm", "plain.dcm", "a;type=a.dcm", "100%#?.dcm", "昞榎.dcm")
DENIED = (ErrorClass.THEIRS, FileState.DENIED)
GONE = (ErrorClass.THEIRS, FileState.GONE)


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "www"
    for name in NAMES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode() + DATA)
    (folder / "empty.dcm").write_bytes(b"")
    tmp_path.chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def own(tmp_path_factory) -> Certificate:
    return certificate(tmp_path_factory.mktemp("tls"))


# --- https


def test_https_is_verified_and_an_unknown_authority_is_theirs(root, own, tmp_path):
    with nginx(root, tmp_path / "nginx", str(own.file)) as port:
        url = f"https://127.0.0.1:{port}/plain.dcm"
        named = f"https://other.example.cn:{port}/plain.dcm"
        cases = {
            "unknown": HostOptions(),
            "ca": HostOptions(ca=own.pem),
            "pin": HostOptions(pin=own.pin),
            "wrong pin": HostOptions(pin="ab" * 32),
        }
        for name, options in cases.items():
            kept = fetch(
                tmp_path,
                [AllowedHost("https", "127.0.0.1", port, private=True, options=options)],
                {name: url},
            )
            if name in ("ca", "pin"):
                assert kept.bodies[name] == b"plain.dcm" + DATA
            else:
                assert kept.error(name)[:2] == DENIED
        host = AllowedHost("https", "other.example.cn", port, private=True, options=HostOptions(ca=own.pem))
        kept = fetch(tmp_path, [host], {"name": named}, resolve=lambda _h, _p: ["127.0.0.1"])
        assert kept.error("name")[:2] == DENIED


def test_a_thousand_chinese_names_over_kept_connections(root, tmp_path):
    with nginx(root, tmp_path / "nginx") as port:
        host = AllowedHost("http", "127.0.0.1", port, private=True)
        kept = fetch(
            tmp_path,
            [host],
            {f"{n}{name}": f"http://127.0.0.1:{port}/{_typed(name)}" for n in range(40) for name in NAMES},
        )
        assert not kept.errors
        assert all(kept.bodies[f"{n}{name}"] == name.encode() + DATA for n in range(40) for name in NAMES)
        assert kept.files["0plain.dcm"].etag


def _typed(name: str) -> str:
    """As a hospital's program glues it: Chinese as is, the rest escaped where a URL needs it."""
    return name.replace("%", "%25").replace("#", "%23").replace("?", "%3F")


# --- FTP


@pytest.mark.parametrize("encoding", ["gb18030", "utf-8"])
@pytest.mark.parametrize("registered", ["gb18030", "utf-8"])
def test_ftp_names_in_either_encoding(root, tmp_path, encoding, registered):
    with ftp_server(root, encoding=encoding) as port:
        host = AllowedHost(
            *("ftp", "127.0.0.1", port),
            private=True,
            path_encoding=registered,
        )
        kept = fetch(
            tmp_path, [host], {name: f"ftp://127.0.0.1:{port}/{name.replace('%', '%25')}" for name in NAMES}
        )
        assert {name: len(kept.bodies.get(name, b"")) for name in NAMES} == {
            name: len(name.encode() + DATA) for name in NAMES
        }


def test_ftp_is_passive_resumes_and_logs_in(root, tmp_path):
    log = tmp_path / "ftp.log"
    with ftp_server(root, encoding="utf-8", cut=300_000, log=log) as port:
        url = f"ftp://127.0.0.1:{port}/plain.dcm"
        known = Credentials(user=USER, password=PASSWORD)
        host = AllowedHost("ftp", "127.0.0.1", port, private=True, credentials=known)
        kept = fetch(tmp_path, [host], {"f": url})
        assert kept.bodies["f"] == b"plain.dcm" + DATA
        assert kept.files["f"].resumed
        in_url = AllowedHost("ftp", "127.0.0.1", port, private=True)
        typed = url.replace("//", f"//{USER}:{PASSWORD.replace('/', '%2F')}@")
        assert fetch(tmp_path, [in_url], {"f": typed}).bodies["f"] == b"plain.dcm" + DATA
        wrong = AllowedHost(
            "ftp", "127.0.0.1", port, private=True, credentials=Credentials(user=USER, password="x")
        )
        denied = fetch(tmp_path, [wrong], {"f": url})  # it waits before it refuses
        assert denied.error("f")[:2] == DENIED, denied.error("f")
        assert PASSWORD not in repr(denied.errors) + repr(host) + repr(parse_address(typed))
    said = log.read_text()
    assert "REST " in said
    assert "PORT" not in said
    assert "EPRT" not in said


def test_ftp_says_what_is_not_there(root, tmp_path):
    with ftp_server(root) as port:
        host = AllowedHost("ftp", "127.0.0.1", port, private=True)
        urls = {"gone": f"ftp://127.0.0.1:{port}/无.dcm", "empty": f"ftp://127.0.0.1:{port}/empty.dcm"}
        kept = fetch(tmp_path, [host], urls)
        assert kept.error("gone")[:2] == GONE
        assert kept.bodies["empty"] == b""


def test_an_ftp_file_that_changed_is_started_again(root, tmp_path):
    with ftp_server(root, encoding="utf-8", cut=300_000) as port:
        host = AllowedHost("ftp", "127.0.0.1", port, private=True)
        url = f"ftp://127.0.0.1:{port}/plain.dcm"
        part = _interrupted(tmp_path, host, url)
        assert part.stat().st_size > 0
        fresh = os.urandom(700_009)
        (root / "plain.dcm").write_bytes(fresh)
        os.utime(root / "plain.dcm", (2_000_000_000, 2_000_000_000))
        kept = fetch(tmp_path, [host], {"f": url}, small_bytes=1000)
        assert kept.bodies["f"] == fresh


def _interrupted(folder: Path, host: AllowedHost, url: str) -> Path:
    """A run that ends in the middle of a file; its part."""
    from tests.helpers.fetching import settings

    class StopError(Exception):
        pass

    def stop(_count: int) -> None:
        if any((folder / "parts").glob("*.json")):
            raise StopError

    with Fetcher(settings(folder, small_bytes=1000)) as fetcher, pytest.raises(StopError):
        fetcher.run([FetchRequest("f", parse_address(url), [host], "H1")], Kept(), throttle=stop)
    (part,) = (folder / "parts").glob("*.part")
    return part


@pytest.mark.parametrize("implicit", [False, True])
def test_ftps_verifies_and_protects_data(own, tmp_path, implicit):
    with (
        tempfile.TemporaryDirectory() as public,
        vsftpd(Path(public), tmp_path / "v", own.file, implicit=implicit) as port,
    ):
        root = Path(public)
        root.chmod(0o755)  # its user is nobody
        (root / "plain.dcm").write_bytes(b"plain.dcm" + DATA)
        (root / "empty.dcm").write_bytes(b"")
        for file in root.iterdir():
            file.chmod(0o644)  # whatever umask a command run before in this process has set
        url = f"ftps://127.0.0.1:{port}/plain.dcm"
        for name, options in (
            ("ca", HostOptions(ca=own.pem, explicit_tls=not implicit)),
            ("unknown", HostOptions(explicit_tls=not implicit)),
        ):
            host = AllowedHost("ftps", "127.0.0.1", port, private=True, options=options)
            kept = fetch(tmp_path, [host], {name: url, name + "2": url.replace("plain", "empty")})
            if name == "ca":
                assert not kept.errors
                assert kept.bodies[name] == b"plain.dcm" + DATA
                assert kept.bodies["ca2"] == b""
            else:
                assert kept.error(name)[:2] == DENIED


def test_plain_ftp_is_not_taken_for_ftps(root, tmp_path):
    with ftp_server(root) as port:
        options = HostOptions(explicit_tls=True)
        host = AllowedHost("ftps", "127.0.0.1", port, private=True, options=options)
        kept = fetch(tmp_path, [host], {"f": f"ftps://127.0.0.1:{port}/plain.dcm"})
        assert kept.error("f")[:2] == DENIED


# --- SFTP


@pytest.fixture(scope="module")
def ssh(tmp_path_factory):
    with sshd(tmp_path_factory.mktemp("sshd")) as running:
        yield running


def _sftp(server: Sshd, root: Path, **options: object) -> AllowedHost:
    return AllowedHost(
        *("sftp", "127.0.0.1", server.port, str(root)),
        private=True,
        options=HostOptions(**options),
        credentials=Credentials(user=server.user, private_key=str(server.key)),
    )


def test_sftp_with_a_pinned_host_key(ssh, root, tmp_path):
    urls = {name: f"sftp://127.0.0.1:{ssh.port}{root}/{name.replace('%', '%25')}" for name in NAMES}
    kept = fetch(tmp_path, [_sftp(ssh, root, host_keys=(ssh.host_key,))], urls)
    assert not kept.errors, kept.errors
    assert all(kept.bodies[name] == name.encode() + DATA for name in NAMES)
    gone = fetch(
        tmp_path,
        [_sftp(ssh, root, host_keys=(ssh.host_key,))],
        {"f": f"sftp://127.0.0.1:{ssh.port}{root}/no.dcm"},
    )
    assert gone.error("f")[:2] == GONE


def test_sftp_host_keys_not_registered_or_wrong_are_refused(ssh, root, tmp_path):
    urls = {"f": f"sftp://127.0.0.1:{ssh.port}{root}/plain.dcm"}
    unknown = fetch(tmp_path, [_sftp(ssh, root)], urls)
    assert unknown.error("f")[:2] == DENIED
    assert ssh.host_key in unknown.error("f")[2]
    wrong = fetch(tmp_path, [_sftp(ssh, root, host_keys=("SHA256:" + "A" * 43,))], urls)
    assert wrong.error("f")[:2] == DENIED


def test_sftp_may_trust_on_first_use_and_tells_the_key(ssh, root, tmp_path):
    seen: list[str] = []
    kept = fetch(
        tmp_path,
        [_sftp(ssh, root, host_key_first_use=True)],
        {"f": f"sftp://127.0.0.1:{ssh.port}{root}/plain.dcm"},
        host_key_seen=lambda _host, key: seen.append(key),
    )
    assert kept.bodies["f"] == b"plain.dcm" + DATA
    assert seen == [ssh.host_key]


def test_sftp_resumes_what_is_the_same(ssh, root, tmp_path):
    (root / "large.dcm").write_bytes(DATA * 30)
    host = _sftp(ssh, root, host_keys=(ssh.host_key,))
    url = f"sftp://127.0.0.1:{ssh.port}{root}/large.dcm"
    part = _interrupted(tmp_path, host, url)
    assert 0 < part.stat().st_size < len(DATA) * 30
    kept = fetch(tmp_path, [host], {"f": url}, small_bytes=1000)
    assert kept.bodies["f"] == DATA * 30
    assert kept.files["f"].resumed


# --- S3


@pytest.fixture(scope="module")
def s3():
    with s3_server() as port:
        put(port, "images", {"2026/ct 1/图像.dcm": DATA, "big.dcm": DATA * 3, "public/图像.dcm": DATA})
        yield port


def _bucket(port: int, **changes: object) -> AllowedHost:
    options = HostOptions(**({"endpoint": f"http://127.0.0.1:{port}"} | changes))
    secret = Credentials(user="AKIDEXAMPLE", password="secret")
    return AllowedHost("s3", "images", private=True, options=options, credentials=secret)


def test_s3_signed_and_unsigned_by_either_address(s3, tmp_path):
    urls = {
        "s3": "s3://images/2026/ct 1/图像.dcm",
        "path": f"http://127.0.0.1:{s3}/images/2026/ct%201/图像.dcm",
    }
    kept = fetch(tmp_path, [_bucket(s3)], urls)
    assert not kept.errors, kept.errors
    assert set(kept.bodies.values()) == {DATA}
    unsigned = AllowedHost("s3", "images", private=True, options=_bucket(s3).options)
    kept = fetch(tmp_path, [unsigned], urls | {"public": "s3://images/public/图像.dcm"})
    assert kept.bodies == {"public": DATA}
    assert kept.error("s3")[:2] == DENIED
    gone = fetch(tmp_path, [_bucket(s3)], {"f": "s3://images/none"})
    assert gone.error("f")[:2] == GONE
    other = fetch(tmp_path, [_bucket(s3)], {"f": "s3://other/none"})
    assert other.error("f")[:2] == (ErrorClass.THEIRS, FileState.REFUSED)


def test_s3_with_the_bucket_in_the_host_name(s3, tmp_path):
    options = {"endpoint": f"http://s3.example.cn:{s3}", "style": "virtual", "region": "cn-north-1"}
    kept = fetch(
        tmp_path,
        [_bucket(s3, **options)],
        {"f": "s3://images/big.dcm", "g": f"http://images.s3.example.cn:{s3}/big.dcm"},
        resolve=lambda host, _port: ["127.0.0.1"] if host == "images.s3.example.cn" else [],
    )
    # moto takes the bucket from the host name only for amazonaws.com: what it says shows what it was asked
    assert set(kept.errors) | set(kept.bodies) == {"f", "g"}


def test_s3_signature_is_what_amazons_library_makes(tmp_path):
    """The Authorization header of a request with an awkward key, made again by botocore from the same parts."""
    from botocore.auth import S3SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials as Known

    from tests.peers.hostile_http import hostile

    with hostile() as server:
        server.files = {"a b+c=图.dcm": DATA}
        server.ways["images"] = lambda s, c, _p, _h: c.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
        )
        options = HostOptions(endpoint=f"http://127.0.0.1:{server.port}", region="cn-north-1")
        secret = Credentials(user="AKIDEXAMPLE", password="secret", token="session")
        host = AllowedHost("s3", "images", private=True, options=options, credentials=secret)
        fetch(tmp_path, [host], {"f": "s3://images/x y/a b+c=图.dcm?versionId=7"})
        ((path, headers),) = server.asked
    request = AWSRequest("GET", f"http://127.0.0.1:{server.port}{path}")
    signed = headers["authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")
    for name in signed:
        if name != "host":
            request.headers[name] = headers[name]
    request.context["timestamp"] = headers["x-amz-date"]
    request.context["payload_signing_enabled"] = True
    auth = S3SigV4Auth(Known("AKIDEXAMPLE", "secret", "session"), "s3", "cn-north-1")
    canonical = auth.canonical_request(request)
    signature = auth.signature(auth.string_to_sign(request, canonical), request)
    assert signature == headers["authorization"].rpartition("Signature=")[2]
    assert "x-amz-security-token" in signed


# --- mounted shares


def test_a_mounted_share_in_all_spellings(root, tmp_path):
    local, share = AllowedHost("file", "", root=str(root)), AllowedHost("file", "nas", root=str(root))
    spelt = {
        "path": f"{root}/plain.dcm",
        "url": f"file://{root}/plain.dcm",
        "unc": "\\\\nas\\images\\plain.dcm",
        "chinese": f"{root}/{NAMES[0]}",
        "unc chinese": "\\\\NAS\\images\\" + NAMES[0].replace("/", "\\"),
    }
    kept = fetch(tmp_path, [local, share], spelt)
    assert not kept.errors, kept.errors
    assert all(body.endswith(DATA) for body in kept.bodies.values())


def test_a_mounted_share_with_names_in_gbk(tmp_path):
    raw = os.fsencode(str(tmp_path)) + b"/" + "图.dcm".encode("gb18030")
    with open(raw, "wb") as file:  # noqa: PTH123 -- a name that is no UTF-8
        file.write(DATA)
    host = AllowedHost("file", "", root=str(tmp_path))
    assert fetch(tmp_path, [host], {"f": f"{tmp_path}/图.dcm"}).bodies["f"] == DATA


def test_nothing_outside_a_share_and_nothing_special(root, tmp_path, monkeypatch):
    (tmp_path / "secret").write_bytes(b"secret")
    (root / "link.dcm").symlink_to(tmp_path / "secret")
    (root / "folder").symlink_to(tmp_path)
    (root / "hard").mkdir()
    os.mkfifo(root / "fifo")
    with socket.socket(socket.AF_UNIX) as listener:
        monkeypatch.chdir(root)  # a socket's name is short; whoever comes after is where he was
        listener.bind("socket")
    names = ("link.dcm", "folder/secret", "fifo", "socket", "hard", "none.dcm", "../secret", "%2e%2e/secret")
    host = AllowedHost("file", "", root=str(root))
    hosts = {name: f"{root}/{name}" for name in names if ".." not in name and "%" not in name}
    kept = fetch(tmp_path, [host], hosts)
    assert not kept.bodies
    states = {name: kept.error(name)[1] for name in hosts}
    assert states.pop("none.dcm") is FileState.GONE
    assert set(states.values()) == {FileState.REFUSED}
    above = fetch(tmp_path, [host], {n: f"{root}/{n}" for n in ("../secret", "%2e%2e/secret")})
    assert {error.reason[:12] for error in above.errors.values()}
    assert not above.bodies
