"""Addresses as hospitals write them, made into what may be asked for on the wire. Pure.

FILEPATH and pdf_path come typed by people and glued together by programs (T94): full-width colons, stray
spaces, backslashes, Chinese left unescaped, no port, passwords inside. What can only mean one thing is taken to
mean it; whatever could lead elsewhere than it seems (control characters, climbing out of a folder) is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv6Address
from typing import NoReturn
from unicodedata import normalize
from urllib.parse import unquote, unquote_to_bytes

from yingqiao.exchange.fetch.states import FetchError, FileState
from yingqiao.exchange.work import ErrorClass

PORTS = {"http": 80, "https": 443, "ftp": 21, "ftps": 990, "sftp": 22, "s3": 443, "file": 0}
"""The schemes fetched, and the port each has when none is named."""
LDAP = "不取 ldap 地址：请用同一吊销列表的 http 地址，或下载成文件后给出"
"""A directory client opens its own connections and follows referrals: no address of it can be checked."""
MAX_ADDRESS = 4096
"""Characters of one address."""
UTF8, GB18030 = "utf-8", "gb18030"

_SCHEME = re.compile(r"\s*([A-Za-z][A-Za-z0-9+]{0,9})\s*[:：]\s*([/\\／＼]\s*){1,3}")
_DRIVE = re.compile(r"(file:/{0,3})?[A-Za-z][:：|][/\\／＼]", re.IGNORECASE)
_AUTHORITY_END = re.compile(r"[/\\／＼?？#]")
_NAME = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,62}", re.IGNORECASE)
_AROUND = " \t\r\n\"'<>“”‘’《》\ufeff\u200b\u200e\u200f\u3000\xa0\0"
_WIDE = str.maketrans("：／＼？＝＆％．－＿　", ":/\\?=&%.-_ ")
_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,;=:@/")
_HEX = re.compile(r"%(?![0-9A-Fa-f]{2})")
_LONE = re.compile("[\udc80-\udcff]")
_ESCAPED_DOT = re.compile(r"%2e", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Address:
    """One thing to fetch. `path` keeps escapes as written and other characters as they are: which bytes those
    become is the host's `path_encoding`. Printing it shows no secret.
    """

    scheme: str
    host: str
    """Lower case, ASCII; IPv6 without brackets; of s3 the bucket; of file '' or the server of a UNC path."""
    port: int
    path: str
    """Starts with '/', without dot segments."""
    query: str = ""
    user: str | None = None
    password: str | None = None

    def __repr__(self) -> str:
        return f"Address({self.display})"

    @property
    def display(self) -> str:
        """For people and logs: without user, password and query, which may hold keys or signatures."""
        return f"{self.origin}{self.path}{'?…' if self.query else ''}"

    @property
    def origin(self) -> str:
        """`scheme://host:port`, the port only when it is not the scheme's own."""
        return f"{self.scheme}://{self.authority}"

    @property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def wide(self) -> bool:
        """Whether the path has characters whose bytes depend on an encoding."""
        return not self.path.isascii()

    def escaped_path(self, encoding: str = UTF8) -> str:
        """The path in ASCII: other characters as escaped bytes of `encoding`, escapes as they are."""
        return escape(self.path, encoding)

    def path_bytes(self, encoding: str = UTF8) -> bytes:
        """The path's bytes, unescaped: what an FTP server or a file system sees."""
        return unquote_to_bytes(self.escaped_path(encoding))

    def wire(self, encoding: str = UTF8) -> str:
        """The address in ASCII without user and password."""
        query = f"?{escape(self.query, encoding, keep=b'?%/[]')}" if self.query else ""
        return f"{self.origin}{self.escaped_path(encoding)}{query}"


def parse_address(text: str | bytes, base: Address | None = None) -> Address:
    """The address a text means; `base` is what a redirect's relative address is relative to.

    Bytes (a Location header) and lone surrogates (bytes decoded with surrogateescape) keep their bytes. Raises
    FetchError: POISON when it never can be fetched, THEIRS when the hospital has to write it otherwise.
    """
    written = _clean(_text(text))
    if base is not None:
        written = _absolute(written, base)
    if _DRIVE.match(written):
        _refuse(ErrorClass.THEIRS, "这是医院电脑上的本地路径，前置机无法访问；请改为 HTTP、FTP 等地址")
    if written[:2] in ("\\\\", "＼＼"):
        return _unc(written[2:])
    match = _SCHEME.match(written)
    if not match:
        return _schemeless(written)
    scheme = match[1].lower()
    if scheme in ("ldap", "ldaps"):
        _refuse(ErrorClass.THEIRS, LDAP)
    if scheme not in PORTS:
        _refuse(ErrorClass.THEIRS, f"不支持的协议 {scheme}；可用 {'、'.join(PORTS)}")
    if not match[0].isascii():  # typed with a full-width keyboard throughout
        written = written.translate(_WIDE)
    rest = written[match.end(1) :].lstrip(" :：")
    if scheme == "file":
        return _local(rest)
    return _remote(scheme, rest.lstrip("/\\／＼ \t"))


def escape(text: str, encoding: str, keep: bytes = b"%") -> str:
    """Whatever a URL cannot hold, as escaped bytes of `encoding`; escapes that are there stay.

    Raises FetchError when a character has no bytes in the encoding.
    """
    plain = _PLAIN | frozenset(keep)
    if text.isascii() and plain.issuperset(text.encode()):
        return text
    try:
        raw = text.encode(encoding)
    except UnicodeEncodeError as error:
        _refuse(ErrorClass.THEIRS, f"地址中的字符无法用 {encoding} 表示", error)
    return "".join(chr(b) if b in plain else f"%{b:02X}" for b in raw)


def _text(text: str | bytes) -> str:
    """Bytes that are no text become escapes."""
    written = text if isinstance(text, str) else text.decode("ascii", "surrogateescape")
    return _LONE.sub(lambda match: f"%{ord(match[0]) - 0xDC00:02X}", written)


def _clean(text: str) -> str:
    written = text.strip(_AROUND)
    if not written:
        _refuse(ErrorClass.THEIRS, "地址为空")
    if len(written) > MAX_ADDRESS:
        _refuse(ErrorClass.POISON, f"地址超过 {MAX_ADDRESS} 个字符")
    if any(
        c < " " or "\x7f" <= c <= "\x9f" or c in "\u2028\u2029" or "\ud800" <= c <= "\udfff" for c in written
    ):
        _refuse(ErrorClass.POISON, "地址中有控制字符")
    return written


def _absolute(written: str, base: Address) -> str:
    """As RFC 3986 5.2 joins, for the forms a Location header has."""
    if _SCHEME.match(written) or written.startswith("\\\\"):
        return written
    if written.startswith("//"):
        return f"{base.scheme}:{written}"
    if written.startswith("?"):
        return f"{base.origin}{base.path}{written}"
    if not written.startswith(("/", "\\")):
        written = f"{base.path.rpartition('/')[0]}/{written}"
    return f"{base.origin}{written}"


def _schemeless(written: str) -> Address:
    if written[:1] in "/／" and written[:2] != "//":
        return _local(written)
    words = "地址没有写明协议，应以 http://、https://、ftp://、s3:// 等开头"
    raise FetchError(ErrorClass.THEIRS, words, state=FileState.REFUSED)


def _unc(rest: str) -> Address:
    server, _, share = rest.replace("\\", "/").replace("＼", "/").partition("/")
    return Address("file", _host(server), 0, _path(share, query=False)[0])


def _local(rest: str) -> Address:
    path = rest.replace("\\", "/")
    if re.match(r"/{0,3}[A-Za-z][:|]/", path):
        _refuse(ErrorClass.THEIRS, "这是医院电脑上的本地路径，前置机无法访问；请改为 HTTP、FTP 等地址")
    match = re.fullmatch(r"//([^/]+)(/.*)", path)
    if match and match[1].lower() != "localhost":
        return Address("file", _host(match[1]), 0, _path(match[2], query=False)[0])
    return Address("file", "", 0, _path(match[2] if match else path, query=False)[0])


def _remote(scheme: str, rest: str) -> Address:
    end = _AUTHORITY_END.search(rest)
    place, after = (rest[: end.start()], rest[end.start() :]) if end else (rest, "")
    userinfo, has_user, place = place.rpartition("@")
    user, has_password, password = userinfo.partition(":")
    if scheme == "s3":
        host, port = _bucket(place), PORTS["s3"]
    else:
        host, port = _host_port(scheme, place)
    path, query = _path(after, query=scheme in ("http", "https", "s3"))
    if len(path) < 2 and not query:
        _refuse(ErrorClass.THEIRS, "地址只有主机，没有文件路径")
    return Address(
        *(scheme, host, port, path, query),
        unquote(user) if has_user else None,
        unquote(password) if has_password else None,
    )


def _bucket(place: str) -> str:
    if not _BUCKET.fullmatch(place):
        _refuse(ErrorClass.THEIRS, "s3 地址中的桶名不合规则")
    return place


def _host_port(scheme: str, place: str) -> tuple[str, int]:
    plain = "".join(normalize("NFKC", place).split()).replace("。", ".")
    match = re.fullmatch(r"(\[[^\[\]]*\]|[^:\[\]]*)(?::(\d{0,5}))?", plain)
    if not match:
        _refuse(ErrorClass.THEIRS, "地址中的主机或端口不合规则")
    port = int(match[2]) if match[2] else PORTS[scheme]
    if not 0 < port < 65536:
        _refuse(ErrorClass.THEIRS, f"端口 {port} 不在 1 至 65535 之间")
    return _host(match[1]), port


def _host(written: str) -> str:
    """ASCII, lower case. Raises FetchError when it is no name and no address."""
    host = "".join(normalize("NFKC", written).split()).replace("。", ".").lower().rstrip(".")
    if host.startswith("["):
        return _ipv6(host[1:-1])
    if not host.isascii():
        try:
            host = host.encode("idna").decode()
        except UnicodeError as error:
            _refuse(ErrorClass.THEIRS, "地址中的主机名不合规则", error)
    labels = host.split(".")
    if not host or len(host) > 253 or not all(map(_NAME.fullmatch, labels)):
        _refuse(ErrorClass.THEIRS, "地址中的主机名不合规则")
    if labels[-1].isdecimal() or re.fullmatch(r"0x[0-9a-f]*", labels[-1]):
        return _ipv4(host)
    return host


def _ipv4(host: str) -> str:
    """Four decimal numbers and nothing else: `127.1`, `0x7f000001` and `010.0.0.1` mean different things to
    different programs, which is how they get past lists.
    """
    parts = host.split(".")
    plain = len(parts) == 4 and all(re.fullmatch(r"0|[1-9]\d{0,2}", part) for part in parts)
    if not plain or any(int(part) > 255 for part in parts):
        _refuse(ErrorClass.THEIRS, "IP 地址应写成四段十进制数字，如 10.1.2.3")
    return host


def _ipv6(host: str) -> str:
    try:
        return IPv6Address(host.partition("%")[0]).compressed
    except AddressValueError as error:
        _refuse(ErrorClass.THEIRS, "IPv6 地址不合规则", error)


def _path(after: str, *, query: bool) -> tuple[str, str]:
    """Path and query. Without `query` (file, FTP) '?' and '#' are characters of names like others."""
    asked = ""
    if query:
        after = after.partition("#")[0]
        path, _, asked = after.partition("?")
    else:
        path = after.replace("?", "%3F").replace("#", "%23")
    path = _HEX.sub("%25", path.replace("\\", "/"))
    return _without_dots(path), asked.strip()


def _without_dots(path: str) -> str:
    """Dot segments resolved; refused when they climb above the top, or hide behind escaped separators."""
    kept: list[str] = []
    for segment in path.split("/"):
        plain = _ESCAPED_DOT.sub(".", segment)
        if plain == "..":
            if not kept:
                _refuse(ErrorClass.POISON, "地址用“..”越出了根目录")
            kept.pop()
        elif plain not in ("", "."):
            kept.append(segment)
    _check_unescaped("/".join(kept))
    return "/" + "/".join(kept) + ("/" if kept and path.endswith("/") else "")


def _check_unescaped(path: str) -> None:
    """What a server may see after unescaping, once or twice, must be as harmless as what is written."""
    raw = path.encode("utf-8", "surrogateescape")
    for _ in range(2):
        raw = unquote_to_bytes(raw)
        if any(byte < 0x20 or byte == 0x7F for byte in raw):
            _refuse(ErrorClass.POISON, "地址中有控制字符")
        if b".." in re.split(rb"[/\\]", raw):
            _refuse(ErrorClass.POISON, "地址用“..”越出了根目录")


def _refuse(error_class: ErrorClass, words: str, cause: Exception | None = None) -> NoReturn:
    raise FetchError(error_class, words, state=FileState.REFUSED) from cause
