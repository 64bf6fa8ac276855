"""Where callbacks may lead: an address somebody named, among the hosts an operator allowed. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from yingqiao.exchange.fetch import Address, AllowedHost, FetchError, choose, parse_address
from yingqiao.exchange.work import ErrorClass
from yingqiao.signing.applications import CallbackHost

_PLACE = "callback"


def callback_address(text: str) -> Address:
    """An http or https address; unlike a file's it may have no path. Raises FetchError."""
    scheme, slashes, rest = text.strip().partition("://")
    bare = slashes and "?" not in rest and "/" not in rest.removesuffix("/")
    address = parse_address(f"{scheme}://{rest.rstrip('/')}/{_PLACE}" if bare else text)
    if address.scheme not in ("http", "https"):
        raise FetchError(ErrorClass.THEIRS, "回调地址应为 http 或 https")
    if address.user is not None:
        raise FetchError(ErrorClass.THEIRS, "回调地址不应含用户名")
    return replace(address, path="/") if bare else address


def allowed_hosts(hosts: Iterable[CallbackHost]) -> Sequence[AllowedHost]:
    """Hosts as registered; what cannot be read leads nowhere."""
    found = []
    for host in hosts:
        try:
            address = callback_address(host.address)
        except FetchError:
            continue
        found.append(
            AllowedHost(address.scheme, address.host, address.port, address.path, private=host.private)
        )
    return found


def choose_host(text: str, hosts: Iterable[CallbackHost]) -> tuple[Address, AllowedHost]:
    """The address, and the allowed host it leads to. Raises FetchError."""
    address = callback_address(text)
    return address, choose(address, allowed_hosts(hosts))
