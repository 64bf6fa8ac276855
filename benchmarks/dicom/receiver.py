"""Our receiver in its own process: landing area, indexer, SQLite index. `receiver.py PORT FOLDER`."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from yingqiao.dicom.index import read_facts, read_head
from yingqiao.dicom.storage_scp import ScpConfig, StorageScp
from yingqiao.store.database import open_database
from yingqiao.store.images import ImageIndex
from yingqiao.store.indexer import Indexer
from yingqiao.store.landing import LandingArea


def main(port: int, folder: Path) -> None:
    """Receive until SIGTERM; everything acknowledged is indexed at the end."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    folder.mkdir(parents=True, exist_ok=True)
    database = open_database(folder)
    database.migrate()
    index = ImageIndex(database)
    landing = LandingArea(folder / "landing")
    indexer = Indexer(landing, index.index_instances, read_facts, index.progress, read_head=read_head)
    scp = StorageScp(ScpConfig(host="127.0.0.1", port=port), landing, indexer.submit)
    indexer.start()
    scp.start()
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    scp.stop()
    assert indexer.stop(60.0)
    landing.close()
    database.close()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
