"""One POST to an address somebody gave us: only to registered hosts, each socket asked about, nothing followed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pycurl

from yingqiao.client.fetch.gate import Gate
from yingqiao.client.fetch.model import FetchSettings
from yingqiao.client.fetch.options import prepare
from yingqiao.client.fetch.outcome import of_curl
from yingqiao.exchange.fetch import Address, AllowedHost
from yingqiao.exchange.work import ErrorClass, WorkError

_BOUNDS = FetchSettings(Path(), connect_seconds=10.0, idle_seconds=20.0, total_seconds=30.0)
_PASSING = frozenset({408, 425, 429})


def post(address: Address, host: AllowedHost, body: bytes) -> None:
    """Returns when the other side answered 2xx. Raises WorkError; its words name neither path nor query."""
    gate = Gate(host, host.host)
    curl: Any = pycurl.Curl()
    try:
        prepare(
            curl, address, host, "utf-8", _BOUNDS, "Content-Type: application/json; charset=utf-8", "Expect:"
        )
        curl.setopt(pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
        curl.setopt(pycurl.POST, 1)
        curl.setopt(pycurl.POSTFIELDS, body)
        curl.setopt(pycurl.WRITEFUNCTION, len)  # what it says beside the status is of no use
        gate.guard(curl)
        curl.perform()
        status, wait = curl.getinfo(pycurl.RESPONSE_CODE), curl.getinfo(pycurl.RETRY_AFTER)
    except pycurl.error as error:
        raise gate.refusal or of_curl(error.args[0], 0) from error
    finally:
        curl.close()
    _judge(status, wait)


def _judge(status: int, wait: int) -> None:
    if 200 <= status < 300:
        return
    if status >= 500 or status in _PASSING:
        raise WorkError(
            ErrorClass.PASSING, f"对方暂时不能接收回调（HTTP {status}）", retry_after=wait or None
        )
    words = "对方要求改用别的地址" if 300 <= status < 400 else "对方不接受回调"
    raise WorkError(ErrorClass.THEIRS, f"{words}（HTTP {status}）")
