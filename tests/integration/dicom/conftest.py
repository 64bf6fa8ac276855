"""A receiving gateway for the DICOM tests: the real receiver, landing area, indexer and SQLite index."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from yingqiao.dicom.index import read_facts, read_head
from yingqiao.dicom.storage_scp import ScpConfig, StorageScp
from yingqiao.store.database import Database, open_database
from yingqiao.store.images import ImageIndex
from yingqiao.store.indexer import Indexer
from yingqiao.store.landing import LandingArea
from yingqiao.store.schema import instances


class Receiver:
    """Start, receive, look, stop; a second one on the same folder is a restart."""

    def __init__(self, folder: Path, landing: dict[str, Any] | None = None, **options: Any) -> None:
        scp_options = {
            k: options.pop(k) for k in ("admits", "is_behind", "observer", "commitments") if k in options
        }
        folder.mkdir(parents=True, exist_ok=True)
        self.database: Database = open_database(f"sqlite:///{folder}/index.db")
        self.database.migrate()
        index = ImageIndex(self.database)
        self.landing = LandingArea(folder / "landing", **({"reserve_bytes": 0} | (landing or {})))
        self.indexer = Indexer(
            self.landing,
            index.index_instances,
            read_facts,
            index.progress,
            read_head=read_head,
            batch_seconds=0.0,
        )
        config = ScpConfig(**({"host": "127.0.0.1", "port": 0} | options))
        self.scp = StorageScp(config, self.landing, self.indexer.submit, **scp_options)
        self.indexer.start()
        self.port = self.scp.start()

    def stop(self) -> None:
        self.scp.stop(grace=30.0)
        assert self.indexer.stop(120.0)
        self.landing.close()

    def rows(self) -> list[Any]:
        """What the index shows, once everything received is in it; stops receiving."""
        self.stop()
        with self.database.read() as connection:
            return list(connection.execute(select(instances)))

    def dataset(self, row: Any) -> bytes:
        start = row.offset + row.dataset_offset
        return self.landing.read(row.segment, start, row.length - row.dataset_offset)

    def datasets(self) -> dict[str, bytes]:
        """SOP instance UID → dataset bytes as kept; stops receiving."""
        return {row.sop_uid: self.dataset(row) for row in self.rows()}


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Callable[..., Receiver]]:
    """Makes receivers on one folder of this test."""
    made: list[Receiver] = []

    def make(**options: Any) -> Receiver:
        made.append(Receiver(tmp_path / "data", **options))
        return made[-1]

    yield make
    for one in made:
        one.scp.stop(grace=0.5)
        one.indexer.stop(1.0)
        one.database.close()
