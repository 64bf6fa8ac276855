"""What the connector does with images, by configuration (四(二)2, 三选一)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from yingqiao.hospital.config import Loaded
from yingqiao.hospital.images.folder import FolderLister
from yingqiao.hospital.images.forwarding import Forwarding
from yingqiao.hospital.images.pacs import PacsSeries
from yingqiao.hospital.images.pacs_lists import PacsLister
from yingqiao.hospital.queries import SeriesSource
from yingqiao.hospital.spool.store import Spool


class _Part(Protocol):
    def start(self) -> None: ...

    def close(self) -> None: ...

    def alarms(self) -> list[str]: ...


class ImageSide:
    """What runs for images, and who answers /series/get."""

    def __init__(self, parts: Sequence[_Part], series_source: SeriesSource | None) -> None:
        self._parts = parts
        self.series_source = series_source

    def start(self) -> None:
        """Raises ConnectorError when an address or folder cannot be had."""
        for part in self._parts:
            part.start()

    def close(self) -> None:
        for part in self._parts:
            part.close()

    def alarms(self) -> list[str]:
        return [alarm for part in self._parts for alarm in part.alarms()]


def open_images(loaded: Loaded, spool: Spool, taken: Callable[[], None]) -> ImageSide:
    """`taken` is called when series to be listed are in the spool. Raises ConnectorError."""
    config = loaded.config
    parts: list[_Part] = []
    pacs = PacsSeries(config.pacs, config.images.address) if config.pacs.host else None
    series: SeriesSource | None = pacs
    if config.images.mode == "forward":
        parts.append(Forwarding(config, spool))
    elif config.images.mode == "folder":
        lister = FolderLister(config.images, loaded.folder, spool, taken)
        parts.append(lister)
        series = series or lister
    elif config.images.mode == "pacs" and pacs is not None:
        parts.append(PacsLister(config.images, pacs, spool, taken))
    return ImageSide(parts, series)
