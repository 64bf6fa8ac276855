"""A sink that keeps, and the few lines every test of the fetcher begins with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from yingqiao.client.fetch import FetchedFile, Fetcher, FetchRequest, FetchSettings
from yingqiao.exchange.fetch import AllowedHost, FetchError, FileState, parse_address
from yingqiao.exchange.work import ErrorClass, WorkError


@dataclass
class Kept:
    """Every file's bytes, and every error, by request."""

    bodies: dict[str, bytes] = field(default_factory=dict)
    files: dict[str, FetchedFile] = field(default_factory=dict)
    errors: dict[str, WorkError] = field(default_factory=dict)

    def finished(self, request: FetchRequest, file: FetchedFile) -> None:
        assert request.id not in self.bodies | self.errors
        with file.view() as view:
            self.bodies[request.id] = bytes(view)
        assert file.size == len(self.bodies[request.id])
        assert len(file.digest()) == 32
        self.files[request.id] = file
        file.discard()

    def failed(self, request: FetchRequest, error: WorkError) -> None:
        assert request.id not in self.bodies | self.errors
        self.errors[request.id] = error

    def error(self, name: str) -> tuple[ErrorClass, FileState, str]:
        found = self.errors[name]
        assert isinstance(found, FetchError)
        return found.error_class, found.state, found.reason


def settings(folder: Path, **changes: Any) -> FetchSettings:
    quick = {"retry_seconds": 0.01, "connect_seconds": 60.0, "idle_seconds": 60.0}
    return FetchSettings(folder / "parts", **quick | changes)


def fetch(
    folder: Path,
    hosts: Sequence[AllowedHost],
    urls: dict[str, str] | list[str],
    *,
    sink: Kept | None = None,
    **changes: Any,
) -> Kept:
    """Fetch URLs with a fetcher of their own; `resolve` and the settings' fields may be given."""
    named = urls if isinstance(urls, dict) else {url: url for url in urls}
    outside = {name: changes.pop(name) for name in ("resolve", "host_key_seen") if name in changes}
    kept = sink or Kept()
    with Fetcher(settings(folder, **changes), **outside) as fetcher:
        fetcher.run(
            [FetchRequest(name, parse_address(url), hosts, "H1") for name, url in named.items()], kept
        )
    return kept
