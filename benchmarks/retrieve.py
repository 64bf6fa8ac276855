"""Pulling from Orthanc beside its peers in one run: `python -m benchmarks.retrieve [--studies 20] [--turns 1]`.

Workload: studies of 100 CT of 0.5 MB in Debian's Orthanc. C-MOVE to our receiver, every instance durable before it
is answered, beside DCMTK's movescu with storescp, which flushes nothing; C-GET into our landing area beside
DCMTK's getscu and pynetdicom's (on fewer studies: it is slow). Orthanc has TCP_NODELAY, but for the rows `as
shipped`. Rows take turns; each figure is the median of its turns.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from benchmarks.dicom.peers import (
    Running,
    _await,
    _free_port,
    _orthanc,
    build,
    machine,
    send,
    start,
    versions,
)
from yingqiao.dicom.index import read_facts, read_head
from yingqiao.dicom.keeper import Store
from yingqiao.dicom.query_retrieve.attributes import Level
from yingqiao.dicom.query_retrieve.client import Requestor
from yingqiao.dicom.query_retrieve.node import Node
from yingqiao.exchange.model import Landed
from yingqiao.store.database import open_database
from yingqiao.store.images import ImageIndex
from yingqiao.store.indexer import Indexer
from yingqiao.store.landing import LandingArea

CT = "1.2.840.10008.5.1.4.1.1.2"
IMAGES, SIZE = 100, 512 * 1024
Pull = Callable[[str], None]


def study_uid(number: int) -> str:
    """As the sender makes them: one study a run."""
    return f"1.2.826.0.1.3680043.9.7777.{number}.2.1"


class Bench:
    """An Orthanc with the studies, and everything that pulls from it."""

    def __init__(self, folder: Path, studies: int) -> None:
        self.folder = folder
        self.uids = [study_uid(n + 1) for n in range(studies)]
        self.tools = build(folder)
        self.port, self._http = _free_port(), _free_port()
        self.ours = start("yingqiao", self.tools, self._made("moved"))
        self.storescp = self._storescp()
        self._orthanc = self._start_orthanc(nodelay=True)
        for number in range(studies):
            send(self.tools, self._orthanc, 2, IMAGES, SIZE, number + 1)
        database = open_database(self._made("got"))
        database.migrate()
        self._landing = LandingArea(folder / "got" / "landing")
        index = ImageIndex(database)
        self._indexer = Indexer(
            self._landing, index.index_instances, read_facts, index.progress, read_head=read_head
        )
        self._indexer.start()
        self._guard = threading.Lock()
        self.landed = 0

    def restart(self, nodelay: bool) -> None:
        """The same Orthanc, with or without Nagle."""
        self._orthanc.stop()
        self._orthanc = self._start_orthanc(nodelay)

    def stop(self) -> None:
        self._orthanc.stop()
        self.storescp.stop()
        self.ours.stop()
        self._indexer.stop(60)
        self._landing.close()

    def move(self, uid: str) -> None:
        """Ours: C-MOVE to our receiver in its own process."""
        with Requestor(self._node()) as pacs:
            last = list(pacs.move("YINGQIAO", Level.STUDY, {"StudyInstanceUID": uid}))[-1]
        assert last.completed == IMAGES, last

    def get(self, uid: str) -> None:
        """Ours: C-GET, durable and indexed."""
        store = Store(self._landing, self._landed)
        with Requestor(self._node()) as pacs:
            keys = {"StudyInstanceUID": uid}
            last = list(pacs.get(Level.STUDY, keys, store, sop_classes=[CT]))[-1]
        assert last.completed == IMAGES, last

    def movescu(self, uid: str) -> None:
        self._run("movescu", "-S", "-aem", "STORESCP", *self._query(uid), "127.0.0.1", str(self.port))

    def getscu(self, uid: str) -> None:
        with self._target() as folder:
            command = ("getscu", "-S", "-B", "-od", folder, *self._query(uid), "127.0.0.1", str(self.port))
            self._run(*command)
            assert sum(1 for _ in Path(folder).iterdir()) == IMAGES

    def pynetdicom(self, uid: str) -> None:
        with self._target() as folder:
            command = (sys.executable, "-m", "pynetdicom", "getscu", "-S", "-q", "-od", folder)
            keys = ("-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={uid}")
            self._run(*command, "-aet", "BENCH", "-aec", "ORTHANC", *keys, "127.0.0.1", str(self.port))
            assert sum(1 for _ in Path(folder).iterdir()) == IMAGES

    def forget(self) -> None:
        """What storescp stored: it would overwrite old files, which is another price than making new ones."""
        for path in (self.folder / "storescp").iterdir():
            path.unlink()

    def _landed(self, instance: Landed) -> None:
        self._indexer.submit(instance)
        with self._guard:
            self.landed += 1

    def _node(self) -> Node:
        return Node("127.0.0.1", self.port, "ORTHANC", "BENCH")

    @staticmethod
    def _query(uid: str) -> tuple[str, ...]:
        keys = ("-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={uid}")
        return ("-aet", "BENCH", "-aec", "ORTHANC", *keys)

    @contextmanager
    def _target(self) -> Iterator[str]:
        folder = tempfile.mkdtemp(dir=self.folder)
        yield folder
        shutil.rmtree(folder)

    def _run(self, *command: str) -> None:
        environment = os.environ | {"TCP_NODELAY": "1"}
        subprocess.run(command, env=environment, check=True, capture_output=True)

    def _made(self, name: str) -> Path:
        (self.folder / name).mkdir(exist_ok=True)
        return self.folder / name

    def _storescp(self) -> Running:
        port = _free_port()
        command = ["storescp", "--fork", "-od", str(self._made("storescp")), "-B", "+xa", str(port)]
        process = subprocess.Popen(
            command,
            env=os.environ | {"TCP_NODELAY": "1"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        running = Running("storescp", port, process)
        _await(running)
        return running

    def _start_orthanc(self, nodelay: bool) -> Running:
        place = self._made("orthanc")
        ports = {"YINGQIAO": self.ours.port, "STORESCP": self.storescp.port, "BENCH": 1}
        configuration = {
            "StorageDirectory": str(place / "storage"),
            "IndexDirectory": str(place / "index"),
            "DicomPort": self.port,
            "HttpPort": self._http,
            "RemoteAccessAllowed": False,
            "Plugins": [],
            "DicomModalities": {aet: [aet, "127.0.0.1", port] for aet, port in ports.items()},
        }
        (place / "orthanc.json").write_text(json.dumps(configuration))
        environment = {k: v for k, v in os.environ.items() if k != "TCP_NODELAY"}
        environment |= {"TCP_NODELAY": "1"} if nodelay else {}
        with (place / "log").open("ab") as log:
            process = subprocess.Popen(
                [_orthanc(), str(place / "orthanc.json")], env=environment, stdout=log, stderr=log
            )
        running = Running("orthanc", self.port, process)
        _await(running)
        return running


def rate(pull: Pull, uids: Sequence[str], parallel: int) -> float:
    """Instances a second, all answered."""
    os.sync()
    began = time.monotonic()
    with ThreadPoolExecutor(parallel) as pool:
        list(pool.map(pull, uids))
    return len(uids) * IMAGES / (time.monotonic() - began)


def main() -> int:
    """Run, print, judge. Exit code 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=20)
    parser.add_argument("--turns", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="the disk measured")
    options = parser.parse_args()
    print(f"machine: {machine()}\npython {platform.python_version()}; {versions()}")
    print(f"{options.studies} studies of {IMAGES} CT; instances a second\n")
    with tempfile.TemporaryDirectory(dir=options.folder, prefix="bench-retrieve-") as folder:
        bench = Bench(Path(folder), options.studies)
        try:
            rates = _measure(bench, options.turns)
        finally:
            bench.stop()
    return _judge(rates)


def _measure(bench: Bench, turns: int) -> dict[str, float]:
    few = bench.uids[: max(2, len(bench.uids) // 10)]
    rows: dict[str, tuple[Pull, Sequence[str], int]] = {
        "move yingqiao x1": (bench.move, bench.uids, 1),
        "move movescu+storescp x1": (bench.movescu, bench.uids, 1),
        "move yingqiao x3": (bench.move, bench.uids, 3),
        "move movescu+storescp x3": (bench.movescu, bench.uids, 3),
        "get yingqiao x1": (bench.get, bench.uids, 1),
        "get getscu x1": (bench.getscu, bench.uids, 1),
        "get pynetdicom x1": (bench.pynetdicom, few, 1),
        "get yingqiao x3": (bench.get, bench.uids, 3),
    }
    rates = _turns(bench, rows, turns)
    bench.restart(nodelay=False)
    shipped: dict[str, tuple[Pull, Sequence[str], int]] = {
        "as shipped: get yingqiao x1": (bench.get, bench.uids, 1),
        "as shipped: get getscu x1": (bench.getscu, few[:1], 1),
        "as shipped: move yingqiao x1": (bench.move, bench.uids, 1),
    }
    return rates | _turns(bench, shipped, turns)


def _turns(bench: Bench, rows: dict[str, tuple[Pull, Sequence[str], int]], turns: int) -> dict[str, float]:
    found: dict[str, list[float]] = {name: [] for name in rows}
    for _ in range(turns):
        for name, row in rows.items():
            bench.forget()
            found[name].append(rate(*row))
            print(f"{name:<30}{found[name][-1]:8.0f}", flush=True)
    return {name: statistics.median(values) for name, values in found.items()}


def _judge(rates: dict[str, float]) -> int:
    """Print the ratios beside the targets; 1 when one is missed."""
    ours, theirs = rates["move yingqiao x1"], rates["move movescu+storescp x1"]
    checks = [
        ("C-MOVE, time / movescu + storescp", theirs / ours, 1.5, False),
        ("C-GET, rate / pynetdicom getscu", rates["get yingqiao x1"] / rates["get pynetdicom x1"], 5.0, True),
        ("C-GET, Orthanc as shipped, CT/s", rates["as shipped: get yingqiao x1"], 300.0, True),
    ]
    missed = 0
    print()
    for name, value, target, at_least in checks:
        good = value >= target if at_least else value <= target
        missed += not good
        print(f"{name:<36}{value:8.2f}  target {target:g}{'' if good else '  MISSED'}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
