"""Addresses as hospitals write them (T94)."""

from urllib.parse import unquote_to_bytes, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yingqiao.exchange.fetch import PORTS, FetchError, FileState, parse_address
from yingqiao.exchange.work import ErrorClass


@pytest.mark.parametrize(
    ("written", "wire"),
    [
        ("http://10.1.2.3/a/1.dcm", "http://10.1.2.3/a/1.dcm"),
        ("HTTP://PACS.Example.CN:80/a", "http://pacs.example.cn/a"),
        ("http://pacs:8080/a b.dcm ", "http://pacs:8080/a%20b.dcm"),
        ("　“http://pacs/a.dcm”", "http://pacs/a.dcm"),
        ("http：／／10.1.2.3：8080／a.dcm", "http://10.1.2.3:8080/a.dcm"),
        ("http:// 10.1.2.3 : 8080 /a.dcm", "http://10.1.2.3:8080/a.dcm"),
        ("http:\\\\10.1.2.3\\图像\\1.dcm", "http://10.1.2.3/%E5%9B%BE%E5%83%8F/1.dcm"),
        ("http:/10.1.2.3/a.dcm", "http://10.1.2.3/a.dcm"),
        ("http://１０.1.2.3/a.dcm", "http://10.1.2.3/a.dcm"),
        ("http://10。1。2。3/a.dcm", "http://10.1.2.3/a.dcm"),
        ("http://医院.cn/a", "http://xn--ekrs67m.cn/a"),
        ("http://h/a/../b/./c//d.dcm", "http://h/b/c/d.dcm"),
        ("http://h/a/%2e%2E/b", "http://h/b"),
        ("http://h/50%.dcm", "http://h/50%25.dcm"),
        ("http://h/%CD%BC.dcm", "http://h/%CD%BC.dcm"),
        ("http://h/a?x=1&名=2#part", "http://h/a?x=1&%E5%90%8D=2"),
        ("http://h?x=1", "http://h/?x=1"),
        ("http://[2001:DB8::1]:81/a", "http://[2001:db8::1]:81/a"),
        ("ftp://h/第#1?.dcm", "ftp://h/%E7%AC%AC%231%3F.dcm"),
        ("ftps://h:21/a", "ftps://h:21/a"),
        ("ftps://h/a", "ftps://h/a"),
        ("s3://bucket/k 1.dcm", "s3://bucket/k%201.dcm"),
        ("\\\\nas\\share\\a.dcm", "file://nas/share/a.dcm"),
        ("file://nas/share/a.dcm", "file://nas/share/a.dcm"),
        ("file:///mnt/a.dcm", "file:///mnt/a.dcm"),
        ("file://localhost/mnt/a.dcm", "file:///mnt/a.dcm"),
        ("/mnt/a.dcm", "file:///mnt/a.dcm"),
        (b"http://h/\xcd\xbc.dcm", "http://h/%CD%BC.dcm"),
        (b"http://h/\xcd\xbc.dcm".decode("utf-8", "surrogateescape"), "http://h/%CD%BC.dcm"),
    ],
)
def test_what_can_only_mean_one_thing_is_taken_to_mean_it(written, wire):
    assert parse_address(written).wire() == wire


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_the_bytes_of_a_chinese_path_are_those_of_the_hosts_encoding(encoding):
    address = parse_address("ftp://h/图像/%31.dcm")
    assert address.path_bytes(encoding) == "/图像/1.dcm".encode(encoding)
    assert unquote_to_bytes(urlsplit(address.wire(encoding)).path) == "/图像/1.dcm".encode(encoding)
    assert address.wide


@pytest.mark.parametrize(
    "written",
    [
        *(
            "",
            "   ",
            "a.dcm",
            "10.1.2.3/a.dcm",
            "gopher://h/a",
            "javascript://h/a",
            "http://",
            "http:///",
            "http://h",
        ),
        *(
            "http://h:0/a",
            "http://h:99999/a",
            "http://h:x/a",
            "http://a b_!/a",
            "http://-h/a",
            "http://a..b/a",
        ),
        *(
            "http://127.1/a",
            "http://0x7f000001/a",
            "http://2130706433/a",
            "http://0177.0.0.1/a",
            "http://256.1.1.1/a",
        ),
        *(
            "http://[::1/a",
            "http://[1.2.3.4]/a",
            "http://h/../../etc/passwd",
            "http://h/..%2f..%2fetc",
            "http://h/a%00",
        ),
        *(
            "http://h/a%0d%0ab",
            "http://h/a\r\nb",
            "http://h/%252e%252e/b",
            "http://h/..\\..\\a",
            "http://h/a%5c..%5c..%5cb",
        ),
        *(
            "D:\\images\\1.dcm",
            "file:///D:/images/1.dcm",
            "c:/x",
            "s3://Bad_/../k/../../x",
            "s3:///k",
            "\\\\",
            "http://" + "a" * 5000,
        ),
        *("ftp://h/a%0aDELE x", "http://\ud800/a", "http://h/\ud800"),
    ],
)
def test_what_could_lead_elsewhere_is_refused_in_chinese(written):
    with pytest.raises(FetchError) as refused:
        parse_address(written)
    assert refused.value.state is FileState.REFUSED
    assert refused.value.error_class in (ErrorClass.THEIRS, ErrorClass.POISON)
    assert any("\u4e00" <= c <= "\u9fff" for c in refused.value.reason)


def test_user_and_password_are_used_and_never_shown():
    address = parse_address("ftp://李:p%40ss:w@rd@h/a?sig=secret")
    assert (address.user, address.password) == ("李", "p@ss:w@rd")
    presigned = parse_address("https://u:pw@h/a?X-Amz-Signature=secret")
    for shown in (repr(address), address.display, address.wire(), repr(presigned), presigned.display):
        assert "p%40ss" not in shown
        assert "p@ss" not in shown
        assert "pw" not in shown
    assert "secret" not in presigned.display


@pytest.mark.parametrize(
    ("location", "wire"),
    [
        ("/b", "http://h:81/b"),
        ("b", "http://h:81/x/b"),
        ("?q=1", "http://h:81/x/a?q=1"),
        ("//other/b", "http://other/b"),
        ("https://other/b", "https://other/b"),
        ("../b", "http://h:81/b"),
    ],
)
def test_relative_addresses_of_redirects(location, wire):
    assert parse_address(location, parse_address("http://u:p@h:81/x/a?z=1")).wire() == wire


_PIECES = st.sampled_from(
    [
        *(
            "http",
            "ftp",
            "s3",
            "file",
            "://",
            ":\\\\",
            "/",
            "\\",
            "..",
            ".",
            "%2e",
            "%2F",
            "%5c",
            "%",
            "%0a",
            "@",
            ":",
            "#",
            "?",
        ),
        *(
            "图",
            "：",
            "／",
            " ",
            "[::1]",
            "127.0.0.1",
            "0x7f",
            "h",
            "a.dcm",
            "\x00",
            "\udccd",
            "8080",
            "%252e",
            "。",
            "D:",
        ),
    ]
)
WRITTEN = st.lists(_PIECES | st.text(max_size=4), max_size=14).map("".join)


@given(WRITTEN | WRITTEN.map(lambda text: "http://h/" + text) | WRITTEN.map(lambda text: "ftp://h/" + text))
def test_any_text_is_an_address_that_stays_below_its_root_or_is_refused(text):
    check_address(text)


def said(error: FetchError) -> None:
    """A designed refusal."""
    assert error.state is FileState.REFUSED
    assert error.reason


def check_address(text: str) -> None:
    """What holds of every text; the fuzzer's invariant too."""
    try:
        address = parse_address(text)
    except FetchError as error:
        said(error)
        return
    assert address.scheme in PORTS
    assert address.path.startswith("/")
    for encoding in ("utf-8", "gb18030"):
        try:
            raw, wire = address.path_bytes(encoding), address.wire(encoding)
        except FetchError:
            continue
        assert b".." not in raw.replace(b"\\", b"/").split(b"/")
        assert not any(byte < 32 for byte in raw)
        assert wire.isascii()
        assert not set(wire) & set(' \r\n\t"<>')
        again = parse_address(wire)
        assert (again.scheme, again.host, again.port) == (address.scheme, address.host, address.port)
        assert again.path_bytes() == raw


@pytest.mark.parametrize("text", ["ldap://ldap.ca.cn/cn=crl,o=CA?certificateRevocationList", "LDAPS://h/x"])
def test_an_address_of_a_directory_is_refused_with_what_to_do(text: str):
    """A revocation list behind ldap: take its http address, or the file."""
    with pytest.raises(FetchError, match="http 地址"):
        parse_address(text)
