"""Where a hospital's addresses may lead: its registered hosts, and the choice among them. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeVar

import msgspec

from yingqiao.exchange.fetch.address import PORTS, UTF8, Address, parse_address
from yingqiao.exchange.fetch.networks import contains, is_literal, why_forbidden
from yingqiao.exchange.fetch.states import FetchError, FileState
from yingqiao.exchange.work import ErrorClass

_T = TypeVar("_T")


class OptionsError(ValueError):
    """A host's options or credentials cannot be used; the text is Chinese and shows no value."""


class HostOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """fetch_hosts.options: how to talk to a host. Every member may be left out."""

    ca: str = ""
    """PEM certificates trusted instead of the system's."""
    pin: str = ""
    """SHA-256 of the TLS public key, hex or base64 (`sha256//…` too): it alone is then trusted."""
    explicit_tls: bool | None = None
    """ftps: AUTH TLS on the plain port instead of TLS from the start; left out: yes on port 21."""
    host_keys: tuple[str, ...] = ()
    """sftp: SHA-256 of the host's keys, base64 as ssh-keygen -lf shows (`SHA256:…`)."""
    host_key_first_use: bool = False
    """sftp: without `host_keys`, trust the key seen first; the fetcher tells it, the caller keeps it."""
    region: str = ""
    """s3; left out: us-east-1."""
    endpoint: str = ""
    """s3: `https://host[:port]` of another service than Amazon's."""
    style: Literal["", "path", "virtual"] = ""
    """s3: bucket in the path or in the host name; left out: path with an endpoint, else virtual."""
    share: str = ""
    """file with a host: the share that is mounted at the root; left out: the first part of the path."""
    gzip: bool = False
    """http: ask for compressed answers."""
    max_connections: int = 0
    bytes_per_second: int = 0
    """Of all connections of a run to it together; each gets an equal share."""
    max_file_bytes: int = 0
    connect_seconds: float = 0
    idle_seconds: float = 0

    @classmethod
    def from_json(cls, text: str) -> HostOptions:
        """Raises OptionsError."""
        return _decode(cls, text, "选项")


class Credentials(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """fetch_hosts.sealed, opened. Printing it shows nothing."""

    user: str = ""
    """Also the access key of s3."""
    password: str = ""
    """Also the secret key of s3."""
    token: str = ""
    """Bearer token of http, session token of s3."""
    private_key: str = ""
    """sftp: path of a private key file; `password` is then its pass phrase."""
    headers: dict[str, str] = {}
    """Further request headers of http, such as an API key."""

    def __repr__(self) -> str:
        return "Credentials(…)" if self else "Credentials()"

    def __bool__(self) -> bool:
        return bool(self.user or self.password or self.token or self.private_key or self.headers)

    @classmethod
    def from_json(cls, text: str | bytes) -> Credentials:
        """Raises OptionsError, which quotes nothing."""
        found = _decode(cls, text, "凭据")
        if any(c in name + value for name, value in found.headers.items() for c in "\r\n\0"):
            raise OptionsError("凭据中的请求头含换行")
        return found


def _decode(kind: type[_T], text: str | bytes, what: str) -> _T:
    try:
        return msgspec.json.decode(text or "{}", type=kind)
    except (msgspec.DecodeError, UnicodeError) as error:
        where = str(error).partition("`$")[2].rstrip("`").lstrip(".")
        unknown = str(error).partition("unknown field `")[2].rstrip("`")
        raise OptionsError(f"{what}不合规则：{unknown or where or '不是 JSON 对象'}") from None


@dataclass(frozen=True, slots=True)
class AllowedHost:
    """A row of fetch_hosts, its credentials opened."""

    scheme: str
    host: str
    """Name, address or CIDR; of s3 the bucket; of file '' or the server of UNC paths."""
    port: int = 0
    """0 = the scheme's own."""
    root: str = "/"
    """Path prefix, whole segments; of file the local folder."""
    private: bool = False
    """May resolve to private, loopback or link-local addresses."""
    path_encoding: str = UTF8
    options: HostOptions = field(default=HostOptions())
    credentials: Credentials = field(default=Credentials(), repr=False)
    id: int = 0
    """Of the row; for whoever keeps host keys seen first."""

    @property
    def display(self) -> str:
        port = f":{self.port}" if self.port not in (0, PORTS.get(self.scheme)) else ""
        return f"{self.scheme}://{self.host}{port}{'' if self.root in ('', '/') else self.root}"

    @property
    def endpoint(self) -> Address:
        """Of s3: where the service is. Raises FetchError when the option cannot be read."""
        text = self.options.endpoint or _amazon(self.region)
        return parse_address(
            f"{text.rstrip('/')}/.endpoint" if "://" in text else f"https://{text}/.endpoint"
        )

    @property
    def region(self) -> str:
        return self.options.region or "us-east-1"

    @property
    def virtual(self) -> bool:
        """Of s3: whether the bucket is in the host name."""
        return (self.options.style or ("path" if self.options.endpoint else "virtual")) == "virtual"


def _amazon(region: str) -> str:
    return f"https://s3.{region}.amazonaws.com{'.cn' if region.startswith('cn-') else ''}"


def choose(address: Address, hosts: Sequence[AllowedHost]) -> AllowedHost:
    """The registered host an address belongs to, the most narrowly registered first.

    Raises FetchError, THEIRS: nothing is fetched until someone registers it or the address is mended. The text
    names what to register.
    """
    found = [h for h in hosts if _leads_to(address, h) and _same_port(address, h)]
    inside = [h for h in found if _under_root(address, h)]
    if not inside:
        raise _refusal(_why_not(address, hosts, found))
    best = max(inside, key=lambda h: (h.host == address.host, len(h.root), h.private))
    place = s3_service(best).host if best.scheme == "s3" else address.host
    if is_literal(place) and (why := why_forbidden(place, private=best.private, registered=best.host)):
        raise _refusal(why)
    return best


def how_to_register(hospital_code: str, text: str) -> str:
    """The command that lets an address as sent be fetched; '' for what no registration lets pass."""
    try:
        address = parse_address(text)
    except FetchError:
        return ""
    if is_literal(address.host) and why_forbidden(address.host, private=True, registered=address.host):
        return ""
    if address.scheme == "file":
        place = f"file://{address.host}/" if address.host else f"file:///{address.path.split('/')[1]}"
    else:
        place = address.origin
    inside = is_literal(address.host) and why_forbidden(address.host, private=False)
    return f"yingqiao hospitals hosts add {hospital_code} {place}{' --private' if inside else ''}"


def local_path(address: Address, host: AllowedHost) -> tuple[bytes, ...]:
    """Of a file: the path's parts below the host's root folder. Raises FetchError."""
    parts = _segments(address.path_bytes(host.path_encoding))
    start = _segments(host.options.share.encode(host.path_encoding)) if host.options.share else parts[:1]
    if not address.host:
        start = _segments(host.root.encode(host.path_encoding))
    if parts[: len(start)] != start or len(parts) == len(start):
        raise _refusal(f"路径不在登记的目录 {host.root} 之下")
    return parts[len(start) :]


def s3_service(host: AllowedHost) -> Address:
    """The service of a bucket, its host with the bucket in front where that is the style."""
    service = host.endpoint
    name = f"{host.host}.{service.host}" if host.virtual else service.host
    return Address(service.scheme, name, service.port, "/")


def s3_key(address: Address, host: AllowedHost) -> Address:
    """An s3 address from one that names the service by http(s); others as they are."""
    if address.scheme == "s3":
        return address
    path = address.path
    if address.host == host.endpoint.host:
        path = path.removeprefix(f"/{host.host}")
    return Address("s3", host.host, PORTS["s3"], path, address.query)


def _leads_to(address: Address, host: AllowedHost) -> bool:
    if host.scheme == "s3" and address.scheme in ("http", "https"):
        return _names_bucket(address, host)
    if host.scheme != address.scheme:
        return False
    return host.host.lower().rstrip(".") == address.host.lower() or contains(host.host, address.host)


def _names_bucket(address: Address, host: AllowedHost) -> bool:
    service = host.endpoint
    if (address.scheme, address.port) != (service.scheme, service.port):
        return False
    if address.host == f"{host.host}.{service.host}".lower():
        return True
    return address.host == service.host and address.path.startswith(f"/{host.host}/")


def _same_port(address: Address, host: AllowedHost) -> bool:
    if host.scheme in ("s3", "file"):
        return True
    return address.port == (host.port or PORTS[host.scheme])


def _under_root(address: Address, host: AllowedHost) -> bool:
    if host.scheme == "file" and address.host:
        return True  # the share is mounted there: `local_path` sees to the rest
    path = s3_key(address, host).path if host.scheme == "s3" else address.path
    root = _segments(Address("http", "", 0, host.root).path_bytes(host.path_encoding))
    try:
        raw = Address("http", "", 0, path).path_bytes(host.path_encoding)
    except FetchError:
        return False
    return _segments(raw)[: len(root)] == root


def _segments(path: bytes) -> tuple[bytes, ...]:
    return tuple(part for part in path.replace(b"\\", b"/").split(b"/") if part)


def _why_not(address: Address, hosts: Sequence[AllowedHost], found: Sequence[AllowedHost]) -> str:
    if found:
        roots = "、".join(sorted({h.root for h in found}))
        return f"{address.origin} 只登记了目录 {roots}，此文件不在其下"
    near = sorted({h.display for h in _near(address, hosts)})
    hint = f"（已登记的是 {'、'.join(near[:3])}）" if near else ""
    if address.scheme == "file":
        top = address.host or "/" + address.path.split("/")[1]  # further down are patients' names
        return f"没有为该医院登记文件共享 {top}{hint}"
    return f"没有登记 {address.origin}{hint}；请登记：{_what_to_register(address)}"


def _what_to_register(address: Address) -> str:
    if address.scheme == "s3":
        return f"协议 s3，桶 {address.host}"
    inside = (
        "，内网地址须注明" if is_literal(address.host) and why_forbidden(address.host, private=False) else ""
    )
    return f"协议 {address.scheme}，主机 {address.host}，端口 {address.port}{inside}"


def _near(address: Address, hosts: Sequence[AllowedHost]) -> Iterator[AllowedHost]:
    for host in hosts:
        if host.host.lower() == address.host or (address.host and contains(host.host, address.host)):
            yield host


def _refusal(words: str) -> FetchError:
    return FetchError(ErrorClass.THEIRS, words, state=FileState.REFUSED)
