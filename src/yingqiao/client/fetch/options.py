"""One request's libcurl options: what is asked, who is trusted, what bounds it."""

from __future__ import annotations

import base64
import binascii
import os
import ssl
from functools import lru_cache
from pathlib import Path
from typing import Any

import certifi
import pycurl

from yingqiao.client.fetch.model import FetchSettings
from yingqiao.exchange.fetch import Address, AllowedHost, FetchError, FileState
from yingqiao.exchange.fetch.address import PORTS, UTF8
from yingqiao.exchange.fetch.hosts import s3_key, s3_service
from yingqiao.exchange.work import ErrorClass

PROTOCOLS = pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS | pycurl.PROTO_FTP | pycurl.PROTO_FTPS | pycurl.PROTO_SFTP
AGENT = "yingqiao"
_SIGNED = ("x-amz-signature=", "signature=", "x-amz-algorithm=")


def url_of(address: Address, host: AllowedHost, encoding: str) -> str:
    """The URL libcurl is given: ASCII, no user, and of an S3 object its service's."""
    if host.scheme == "s3":
        key, service = s3_key(address, host), s3_service(host)
        prefix = "" if host.virtual else f"/{host.host}"
        return f"{service.origin}{prefix}{key.wire(encoding).removeprefix(key.origin)}"
    url = address.wire(encoding)
    if address.scheme in ("ftp", "ftps", "sftp"):
        url = url.replace(";", "%3B")  # else libcurl reads `;type=`
    if address.scheme == "ftps" and _explicit_tls(address, host):
        explicit = Address("ftp", address.host, address.port, "/")
        url = explicit.origin + url.removeprefix(address.origin)
    return url


def prepare(
    curl: Any, address: Address, host: AllowedHost, encoding: str, settings: FetchSettings, *further: str
) -> None:
    """Everything but callbacks and ranges; `further` request headers. Raises FetchError, pycurl.error."""
    for option, value in _same_for_all(settings):
        curl.setopt(option, value)
    curl.setopt(pycurl.URL, url_of(address, host, encoding))
    options = host.options
    curl.setopt(pycurl.CONNECTTIMEOUT_MS, _ms(options.connect_seconds or settings.connect_seconds))
    idle = options.idle_seconds or settings.idle_seconds
    curl.setopt(pycurl.LOW_SPEED_TIME, max(1, round(idle)))
    curl.setopt(pycurl.FTP_RESPONSE_TIMEOUT, max(1, round(idle)))
    if options.bytes_per_second:
        connections = min(options.max_connections or settings.connections, settings.connections_per_host)
        curl.setopt(pycurl.MAX_RECV_SPEED_LARGE, max(1, options.bytes_per_second // connections))
    _trust(curl, host)
    _sign_in(curl, address, host, further)
    if address.scheme == "ftps":
        curl.setopt(pycurl.USE_SSL, pycurl.USESSL_ALL)


@lru_cache(maxsize=8)
def _same_for_all(settings: FetchSettings) -> tuple[tuple[int, Any], ...]:
    return (
        (pycurl.NOSIGNAL, 1),
        (pycurl.PROTOCOLS, PROTOCOLS),
        (pycurl.FOLLOWLOCATION, 0),
        (pycurl.PATH_AS_IS, 1),
        (pycurl.PROXY, ""),
        (pycurl.USERAGENT, AGENT),
        (pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1),
        (pycurl.SSLVERSION, pycurl.SSLVERSION_TLSv1_2),
        (pycurl.TCP_NODELAY, 1),
        (pycurl.TCP_KEEPALIVE, 1),
        (pycurl.BUFFERSIZE, settings.buffer_bytes),
        (pycurl.TIMEOUT_MS, _ms(settings.total_seconds)),
        (pycurl.LOW_SPEED_LIMIT, settings.idle_rate),
        (pycurl.FTP_SKIP_PASV_IP, 1),
        (pycurl.FTP_FILEMETHOD, pycurl.FTPMETHOD_NOCWD),
        (pycurl.OPT_FILETIME, 1),
    )


def _ms(seconds: float) -> int:
    return max(1, min(round(seconds * 1000), 2**31 - 1))


def _trust(curl: Any, host: AllowedHost) -> None:
    if host.options.pin:
        curl.setopt(pycurl.PINNEDPUBLICKEY, _pin(host.options.pin))
        curl.setopt(pycurl.SSL_VERIFYPEER, 0)  # the pin says more than any authority
        curl.setopt(pycurl.SSL_VERIFYHOST, 0)
        return
    curl.setopt(pycurl.SSL_VERIFYPEER, 1)
    curl.setopt(pycurl.SSL_VERIFYHOST, 2)
    if host.options.ca:
        curl.setopt(pycurl.CAINFO_BLOB, host.options.ca.encode())
    else:
        curl.setopt(pycurl.CAINFO, _authorities())


def _pin(text: str) -> str:
    """`sha256//BASE64`, from hex with or without colons, or base64. Raises FetchError."""
    plain = text.strip().removeprefix("sha256//")
    digits = plain.replace(":", "")
    try:
        raw = bytes.fromhex(digits) if len(digits) == 64 else base64.b64decode(plain, validate=True)
    except (ValueError, binascii.Error):
        raw = b""
    if len(raw) != 32:
        raise FetchError(ErrorClass.OURS, "登记的 TLS 指纹不是 SHA-256", state=FileState.DENIED)
    return "sha256//" + base64.b64encode(raw).decode()


@lru_cache(maxsize=1)
def _authorities() -> str:
    """The system's certificates, which an administrator may have added to, else certifi's."""
    for path in (ssl.get_default_verify_paths().cafile, "/etc/ssl/certs/ca-certificates.crt"):
        if path and Path(path).exists():
            return path
    return certifi.where()


def _sign_in(curl: Any, address: Address, host: AllowedHost, further: tuple[str, ...]) -> None:
    known = host.credentials
    headers = [*further, *(f"{name}: {value}" for name, value in known.headers.items())]
    user, password = (
        (known.user, known.password) if address.user is None else (address.user, address.password or "")
    )
    if host.scheme == "s3":
        if user and not any(mark in address.query.lower() for mark in _SIGNED):
            curl.setopt(pycurl.AWS_SIGV4, f"aws:amz:{host.region}:s3")
            curl.setopt(
                pycurl.PATH_AS_IS, 0
            )  # libcurl does not sign otherwise; there are no dots left to drop
            if known.token:
                headers.append(f"x-amz-security-token: {known.token}")
        else:
            user = ""
    elif known.token and address.scheme in ("http", "https"):
        headers.append(f"Authorization: Bearer {known.token}")
    elif address.scheme == "sftp" and known.private_key:
        curl.setopt(pycurl.SSH_PRIVATE_KEYFILE, os.fsencode(known.private_key))
        curl.setopt(pycurl.KEYPASSWD, password.encode())
    if user:
        encoding = host.path_encoding if address.scheme.startswith("ftp") else UTF8
        curl.setopt(pycurl.USERNAME, user.encode(encoding, "replace"))
        curl.setopt(pycurl.PASSWORD, password.encode(encoding, "replace"))
    if host.options.gzip and not further:  # a part is continued as it began, uncompressed
        curl.setopt(pycurl.ACCEPT_ENCODING, "gzip, deflate")
    if address.scheme in ("http", "https", "s3"):
        curl.setopt(pycurl.HTTPHEADER, [line.encode() for line in ("Accept: */*", *headers)])


def _explicit_tls(address: Address, host: AllowedHost) -> bool:
    asked = host.options.explicit_tls
    return address.port == PORTS["ftp"] if asked is None else asked
