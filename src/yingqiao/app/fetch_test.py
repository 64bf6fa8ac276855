"""Trying one address as the gateway would fetch it, and saying what is wrong and on which side. Keeps nothing."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from yingqiao.app.stores import Stores
from yingqiao.client.fetch import FetchedFile, Fetcher, FetchRequest, FetchSettings
from yingqiao.client.fetch.contents import instances
from yingqiao.exchange.fetch import KIND_NAMES, FetchError, Kind, choose, parse_address, sniff
from yingqiao.exchange.work import WorkError

SECONDS = 60.0


@dataclass(slots=True)
class Tested:
    """What came of it; texts Chinese."""

    address: str
    host: str = ""
    """The registered host it belongs to; '' = none."""
    ok: bool = False
    kind: str = ""
    size: int = 0
    instances: int = 0
    seconds: float = 0.0
    reason: str = ""


class _Look:
    """Takes the one file."""

    def __init__(self, tested: Tested, folder: Path) -> None:
        self._tested = tested
        self._folder = folder

    def finished(self, _: FetchRequest, file: FetchedFile) -> None:
        tested = self._tested
        tested.size = file.size
        with file.view() as view:
            kind = sniff(view[:512], file.content_type)
            tested.kind = KIND_NAMES[kind]
            if kind is Kind.PDF:
                tested.ok = True
            else:
                try:
                    for _one in instances(view, file.content_type, folder=self._folder):
                        tested.instances += 1
                    tested.ok = True
                except FetchError as error:
                    tested.reason = error.reason
        file.discard()

    def failed(self, _: FetchRequest, error: WorkError) -> None:
        self._tested.reason = error.reason


def try_address(stores: Stores, hospital_code: str, text: str) -> Tested:
    """Fetch one file with the hospital's registered hosts. Raises StoreUnavailable."""
    tested = Tested(text)
    hosts = stores.fetch_hosts.of(hospital_code)
    began = time.monotonic()

    def check() -> None:
        if time.monotonic() - began > SECONDS:
            raise TimeoutError

    try:
        address = parse_address(text)
        tested.address = address.display
        tested.host = choose(address, hosts).display
        with tempfile.TemporaryDirectory() as folder:
            settings = FetchSettings(folder=Path(folder), total_seconds=SECONDS, tries=1)
            with Fetcher(
                settings, host_key_seen=lambda h, k: stores.fetch_hosts.keep_host_key(h.id, k)
            ) as fetcher:
                request = FetchRequest("1", address, hosts, hospital_code)
                fetcher.run([request], _Look(tested, Path(folder)), check=check)
    except WorkError as error:
        tested.reason = error.reason
    except TimeoutError:
        tested.reason = f"{SECONDS:g} 秒内没有取完"
    tested.seconds = time.monotonic() - began
    return tested
