"""Which registered host an address belongs to, and why not (T94)."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yingqiao.exchange.fetch import (
    AllowedHost,
    Credentials,
    FetchError,
    FileState,
    HostOptions,
    OptionsError,
    choose,
    parse_address,
    why_forbidden,
)
from yingqiao.exchange.fetch.hosts import local_path, s3_key, s3_service
from yingqiao.exchange.work import ErrorClass


def said(error: FetchError) -> None:
    assert error.state is FileState.REFUSED
    assert error.reason


def refusal(url: str, *hosts: AllowedHost) -> str:
    with pytest.raises(FetchError) as refused:
        choose(parse_address(url), hosts)
    assert refused.value.error_class is ErrorClass.THEIRS
    assert refused.value.state is FileState.REFUSED
    return refused.value.reason


def test_the_most_narrowly_registered_host_is_chosen():
    wide = AllowedHost("http", "10.0.0.0/8", private=True)
    exact = AllowedHost("http", "10.1.2.3", private=True)
    folder = AllowedHost("http", "10.1.2.3", root="/images/ct", private=True)
    assert choose(parse_address("http://10.1.2.3/images/ct/1"), (wide, exact, folder)) is folder
    assert choose(parse_address("http://10.1.2.3/images/ctx/1"), (wide, exact, folder)) is exact
    assert choose(parse_address("http://10.9.9.9/1"), (wide, exact, folder)) is wide


def test_a_refusal_names_what_to_register():
    host = AllowedHost("http", "pacs.cn", 8080, root="/图像")
    assert "协议 http，主机 pacs.cn，端口 80" in refusal("http://pacs.cn/x", host)
    assert "http://pacs.cn:8080/图像" in refusal("http://pacs.cn/x", host)
    assert "/图像" in refusal("http://pacs.cn:8080/x", host)
    assert "内网地址须注明" in refusal("ftp://10.1.1.1/x", host)
    assert "桶 b-1" in refusal("s3://b-1/k", host)
    assert "文件共享 nas" in refusal("\\\\nas\\a\\b", host)
    assert "张三" not in refusal("/mnt/张三/b", host) + refusal("http://h/张三", host)
    assert "没有允许内网" in refusal("http://10.1.1.1/x", AllowedHost("http", "10.1.1.1"))


def test_a_root_holds_whole_segments_in_any_spelling():
    host = AllowedHost("http", "h", root="/图像/a b", path_encoding="gb18030")
    for path in ("/图像/a b/1", "/%CD%BC%CF%F1/a%20b/1", "/图像/./a b/x/../1"):
        assert choose(parse_address(f"http://h{path}"), (host,)) is host
    for path in ("/图像/a bc/1", "/图像/a/1", "/图像/a b/../1", "/%E5%9B%BE%E5%83%8F/a b/1"):
        refusal(f"http://h{path}", host)


@pytest.mark.parametrize("private", [False, True])
@pytest.mark.parametrize(
    ("address", "inside", "never"),
    [
        ("8.8.8.8", False, False),
        ("10.0.0.1", True, False),
        ("127.0.0.9", True, False),
        ("169.254.1.1", True, False),
        ("100.64.0.1", True, False),
        ("198.18.0.1", True, False),
        ("169.254.169.254", True, True),
        ("100.100.100.200", True, True),
        ("0.0.0.0", True, True),
        ("0.1.2.3", True, True),
        ("224.0.0.1", True, True),
        ("255.255.255.255", True, True),
        ("240.0.0.1", True, False),
        ("2001:4860:4860::8888", False, False),
        ("::1", True, False),
        ("::", True, True),
        ("fe80::1", True, False),
        ("fe80::1%eth0", True, False),
        ("fd00::1", True, False),
        ("ff02::1", True, True),
        ("::ffff:127.0.0.1", True, False),
        ("::ffff:8.8.8.8", False, False),
        ("::127.0.0.1", True, False),
        ("64:ff9b::7f00:1", True, False),
        ("2002:7f00:1::1", True, False),
        ("::ffff:169.254.169.254", True, True),
    ],
)
def test_addresses_inside_need_to_be_registered_as_such(address, inside, never, private):
    refused = bool(why_forbidden(address, private=private))
    assert refused is (never or (inside and not private))


def test_a_metadata_address_must_be_registered_itself():
    assert why_forbidden("169.254.169.254", private=True, registered="169.254.0.0/16")
    assert not why_forbidden("169.254.169.254", private=True, registered="169.254.169.254")


@given(st.ip_addresses(v=6) | st.ip_addresses(v=4))
def test_no_spelling_of_an_address_inside_passes(ip):
    if ip.version == 4 and not ip.is_global:
        for spelling in (str(ip), f"::ffff:{ip}", str(ipaddress.IPv6Address((0x64FF9B << 96) | int(ip)))):
            assert why_forbidden(spelling, private=False)
    if why_forbidden(str(ip), private=True, registered=""):
        assert why_forbidden(str(ip), private=False, registered="")


def test_s3_objects_by_any_address():
    host = AllowedHost("s3", "bkt", root="/in", options=HostOptions(endpoint="https://oss.cn:9000"))
    virtual = AllowedHost("s3", "bkt", options=HostOptions(region="cn-north-1"))
    for url in ("s3://bkt/in/k", "https://oss.cn:9000/bkt/in/k", "https://bkt.oss.cn:9000/in/k"):
        assert choose(parse_address(url), (host,)) is host
        assert s3_key(parse_address(url), host).wire() == "s3://bkt/in/k"
    for url in (
        "s3://bkt/out/k",
        "https://oss.cn/bkt/in/k",
        "https://oss.cn:9000/other/in/k",
        "http://oss.cn:9000/bkt/in/k",
    ):
        refusal(url, host)
    assert s3_service(virtual).origin == "https://bkt.s3.cn-north-1.amazonaws.com.cn"
    assert choose(parse_address("https://bkt.s3.cn-north-1.amazonaws.com.cn/k"), (virtual,)) is virtual
    inside = AllowedHost("s3", "bkt", options=HostOptions(endpoint="http://10.0.0.1:9000"))
    assert "内网" in refusal("s3://bkt/k", inside)


def test_files_of_a_share_are_below_its_mount():
    share = AllowedHost("file", "nas", root="/mnt/nas", options=HostOptions(share="images"))
    assert local_path(parse_address("\\\\nas\\images\\a\\b.dcm"), share) == (b"a", b"b.dcm")
    with pytest.raises(FetchError):
        local_path(parse_address("\\\\nas\\other\\b.dcm"), share)
    folder = AllowedHost("file", "", root="/mnt/in")
    assert local_path(parse_address("/mnt/in/x/y"), folder) == (b"x", b"y")
    refusal("/mnt/inner/x", folder)
    refusal("/etc/passwd", folder)


def test_options_are_read_strictly_and_quote_no_secret():
    assert HostOptions.from_json('{"region":"cn-north-1","host_keys":["SHA256:x"]}').region == "cn-north-1"
    assert HostOptions.from_json("") == HostOptions()
    for text in ('{"regoin":"x"}', '{"gzip":1}', "[]", "{", '{"style":"other"}'):
        with pytest.raises(OptionsError):
            HostOptions.from_json(text)
    known = Credentials.from_json('{"user":"u","password":"secret","headers":{"X-Key":"secret"}}')
    assert "secret" not in repr(known) + repr(AllowedHost("http", "h", credentials=known))
    for text in ('{"password":1234567}', '{"headers":{"X":"a\\r\\nb: c"}}', '{"pasword":"secret"}'):
        with pytest.raises(OptionsError) as refused:
            Credentials.from_json(text)
        assert "secret" not in str(refused.value)


_HOSTS = st.sampled_from(["h", "pacs.cn", "10.1.2.3", "10.0.0.0/8", "127.0.0.1"])
_ROOTS = st.sampled_from(["/", "", "/a", "/a/b", "/图"])


@given(
    st.lists(
        st.builds(
            AllowedHost,
            st.sampled_from(["http", "ftp"]),
            _HOSTS,
            st.sampled_from([0, 80, 8080]),
            _ROOTS,
            st.booleans(),
        ),
        max_size=4,
    ),
    st.sampled_from(["http", "ftp"]),
    st.sampled_from(["h", "pacs.cn", "10.1.2.3", "127.0.0.1", "192.168.0.1"]),
    st.sampled_from(["", ":80", ":8080"]),
    st.lists(st.sampled_from(["a", "b", "图", "..", "%2e%2e", "c"]), min_size=1, max_size=4).map("/".join),
)
def test_whatever_is_chosen_is_registered_for_it(hosts, scheme, name, port, path):
    try:
        address = parse_address(f"{scheme}://{name}{port}/{path}")
        chosen = choose(address, hosts)
    except FetchError as error:
        said(error)
        return
    assert chosen in hosts
    assert chosen.scheme == scheme
    assert address.port == (chosen.port or {"http": 80, "ftp": 21}[scheme])
    root = chosen.root.strip("/").split("/") if chosen.root.strip("/") else []
    assert address.path.strip("/").split("/")[: len(root)] == root
    if name[0].isdigit():
        assert chosen.private
