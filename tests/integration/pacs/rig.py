"""A gateway's pulling side in this process: receiver, landing area, index, linker and the handler of `pull`."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from tests.integration.store.link_world import HOSPITAL, OTHER, World
from yingqiao.dicom.index import read_facts, read_head
from yingqiao.dicom.keeper import Store
from yingqiao.dicom.query_retrieve.node import Limits
from yingqiao.dicom.storage_scp import ScpConfig, StorageScp
from yingqiao.exchange.doctor import Diagnosis, Step, Trouble
from yingqiao.exchange.pacs import NewPacsNode, parse_address
from yingqiao.exchange.pull import Query
from yingqiao.exchange.work import Priority
from yingqiao.gm.keystore import MasterKey
from yingqiao.store.database import open_database
from yingqiao.store.hospitals import HospitalRegistry
from yingqiao.store.images import ImageIndex
from yingqiao.store.indexer import Indexer
from yingqiao.store.landing import LandingArea, LandingReader
from yingqiao.store.linkage import link_all
from yingqiao.store.pacs import PacsNode, add_node, get_node
from yingqiao.store.schema import exams, instances, studies, work
from yingqiao.store.sources import source_table
from yingqiao.store.work.task import Task
from yingqiao.tasks.arrival_watch import ArrivalWatch
from yingqiao.tasks.pacs_client import OurSide
from yingqiao.tasks.pacs_doctor import Doctor
from yingqiao.tasks.pulling import Puller, PullRules

AET = "YINGQIAO"
LIMITS = Limits(connect=60.0, association=60.0, response=60.0)


class Rig:
    """Ask it to pull what its ledger of work says, or what a test says."""

    def __init__(
        self, folder: Path, *, listens: bool = True, limits: Limits = LIMITS, **options: Any
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.database = open_database(folder)
        self.database.migrate()
        registry = HospitalRegistry(self.database, MasterKey(bytes(range(32))))
        registry.add(HOSPITAL, "某某医院", "0123456789ABCDEFFEDCBA9876543210")
        registry.add(OTHER, "别的医院", "FEDCBA98765432100123456789ABCDEF")
        self.world = World(self.database)
        index = ImageIndex(self.database)
        self.landing = LandingArea(folder / "landing", reserve_bytes=0)
        self.indexer = Indexer(
            self.landing,
            index.index_instances,
            read_facts,
            index.progress,
            read_head=read_head,
            batch_seconds=0.0,
        )
        self.indexer.start()
        self.scp: StorageScp | None = None
        self.port = 0
        if listens:
            config = ScpConfig(**({"aet": AET, "host": "127.0.0.1", "port": 0} | options))
            self.scp = StorageScp(config, self.landing, self.indexer.submit, admits=self._admits)
            self.port = self.scp.start()
        self.our_side = OurSide(AET, self.port)
        store = Store(self.landing, self.indexer.submit)
        rules = PullRules(limits, (1800.0, 86_400.0), 60.0)
        self.puller = Puller(self.database, self.our_side, rules, store, self.indexer)

    def stop(self) -> None:
        if self.scp is not None:
            self.scp.stop(grace=2.0)
        self.indexer.stop()
        self.landing.close()
        self.database.close()

    def _admits(self, calling_aet: str, address: str) -> bool:
        with self.database.read() as connection:
            return bool(source_table(connection).hospitals_of(calling_aet, address))

    def node(self, address: str, name: str = "main", hospital: str = HOSPITAL, **given: Any) -> PacsNode:
        return add_node(self.database, NewPacsNode(hospital, name, parse_address(address), **given))

    def audited(self, number: int = 1, **given: Any) -> int:
        """An exam with an audited report, linked; the exam's id."""
        ris = f"RIS{number}"
        values = {"ris_study_id": ris, "accession_numbers": (f"A{number}",), "study_uids": ()} | given
        exam_id = self.world.exam(**values)
        hospital = {"hospital_code": values["hospital_code"]} if "hospital_code" in values else {}
        self.world.report(record_num=f"R{number}", ris_study_ids=(ris,), access_no=f"R{number}", **hospital)
        link_all(self.database)
        return exam_id

    def pull(self, node: str = "main", hospital: str = HOSPITAL, **payload: Any) -> Task:
        """One try of a pull, as the engine would make it. Raises what the handler raises."""
        with self.database.read() as connection:
            found = get_node(connection, hospital, node)
        task = Task(
            id=1,
            kind="pull",
            key="test",
            hospital_code=hospital,
            destination=found.destination,
            payload={"node": node} | payload,
            run=1,
            attempt=1,
            priority=Priority.NORMAL,
            bytes_per_second=found.limits.bytes_per_second,
        )
        self.puller(task)
        return task

    def works(self) -> list[dict[str, Any]]:
        with self.database.read() as connection:
            rows = connection.execute(select(work).order_by(work.c.id))
            return [dict(row._mapping) | {"payload": json.loads(row.payload)} for row in rows]

    def count(self, study_uid: str = "") -> int:
        """Instances in the index, of a study or in all."""
        statement = select(func.coalesce(func.sum(studies.c.instance_count), 0))
        if study_uid:
            statement = statement.where(studies.c.study_uid == study_uid)
        with self.database.read() as connection:
            return int(connection.scalar(statement) or 0)

    def owners(self) -> dict[str, str]:
        """Study UID -> hospital's code."""
        with self.database.read() as connection:
            found = connection.execute(select(studies.c.study_uid, studies.c.hospital_code))
            return {row.study_uid: row.hospital_code for row in found}

    def rows(self) -> int:
        """Rows of the index: an instance kept twice would be two."""
        with self.database.read() as connection:
            return int(connection.scalar(select(func.count()).select_from(instances)) or 0)

    def settle(self, seconds: float = 60.0) -> None:
        """Until all that landed is indexed."""
        deadline = time.monotonic() + seconds
        while self.rows() < len(set(self.landed_uids())) and time.monotonic() < deadline:
            time.sleep(0.05)

    def landed_uids(self) -> list[str]:
        """SOP instance UIDs as they came."""
        reader = LandingReader(self.folder / "landing")
        return [r.arrival.sop_instance_uid for segment in reader.segments() for r in reader.scan(segment)]

    def landed(self) -> int:
        """Instances that came, those that came again too."""
        return len(self.landed_uids())

    def exam_state(self, exam_id: int) -> str:
        link_all(self.database)
        with self.database.read() as connection:
            return str(connection.scalar(select(exams.c.state).where(exams.c.id == exam_id)))

    def examine(self, node: str = "main", asked: Query | None = None, **limits: float) -> Diagnosis:
        with self.database.read() as connection:
            found = get_node(connection, HOSPITAL, node)
        watch = ArrivalWatch(self.database, LandingReader(self.folder / "landing"))
        limits_ = Limits(
            **({"connect": 60.0, "association": 60.0, "response": 60.0, "operation": 120.0} | limits)
        )
        return Doctor(found, self.our_side, "127.0.0.1", watch, limits_).examine(asked)


def trouble(diagnosis: Diagnosis, step: Step) -> Trouble | None:
    return next(f.trouble for f in diagnosis.findings if f.step is step)


def rigs(folder: Path) -> Iterator[Any]:
    """Makes rigs, and stops them."""
    made: list[Rig] = []

    def make(**given: Any) -> Rig:
        made.append(Rig(folder / f"rig{len(made)}", **given))
        return made[-1]

    yield make
    for rig in made:
        rig.stop()
