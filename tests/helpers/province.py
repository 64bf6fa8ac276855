"""A province for a day: one gateway, hospitals with simulated systems and real connectors, and the count in the end
from the simulators' own records.
"""

from __future__ import annotations

import random
import signal
import sqlite3
import subprocess
from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.helpers.commands import YINGQIAO
from tests.helpers.connector import BEIJING, until
from tests.helpers.ports import free_port
from tests.peers.gateway import RunningGateway
from yingqiao.hospital.simulate.dicom_sender import DicomNode
from yingqiao.hospital.simulate.people import credit_code
from yingqiao.hospital.simulate.ris import KEY, RIS, TRUTH, write_config
from yingqiao.hospital.simulate.site import Fault, SitePlan
from yingqiao.hospital.simulate.visits import Place

CLASSES = {"CR": "1", "DX": "1", "MG": "1", "CT": "2", "MR": "3", "US": "4", "NM": "5"}
"""影像检查类型 (dictionary 十二) of what the simulator examines."""


def yesterday() -> date:
    return (datetime.now(BEIJING) - timedelta(days=1)).date()


@dataclass
class Site:
    """One hospital: its systems, its connector."""

    folder: Path
    number: int
    plan: SitePlan
    node: DicomNode
    seconds: float
    """How long its day takes."""
    life: subprocess.Popen[bytes] | None = None
    process: subprocess.Popen[bytes] | None = None
    kills: int = 0

    @property
    def code(self) -> str:
        return self.plan.place.code

    @property
    def log(self) -> str:
        return (self.folder / "connector.log").read_text("utf-8")

    def live(self) -> None:
        """Its RIS and modalities, in a process of their own."""
        plan, node = self.plan, self.node
        options = {
            "--code": self.code,
            "--ris": self.folder,
            "--images-to": f"{node.ae_title}@{node.host}:{node.port}",
            "--exams": plan.exams,
            "--faults": plan.faulty,
            "--images": plan.images,
            "--pixels": plan.pixels,
            "--seed": plan.seed,
            "--seconds": self.seconds,
            "--date": plan.day,
        }
        words = [str(word) for option in options.items() for word in option]
        with (self.folder / "life.log").open("wb") as log:
            self.life = subprocess.Popen([YINGQIAO, "hospital", "simulate", *words], stdout=log, stderr=log)

    def wait_for_systems(self) -> None:
        assert until((self.folder / RIS).exists, 300), (self.folder / "life.log").read_text()

    def is_over(self) -> bool:
        assert self.life is not None
        if self.life.poll() is None:
            return False
        assert self.life.returncode == 0, (self.folder / "life.log").read_text()
        return True

    def run(self) -> None:
        with (self.folder / "connector.log").open("ab") as log:
            words = [YINGQIAO, "hospital", "run", "--config", str(self.folder / "hospital.toml")]
            self.process = subprocess.Popen(words, stdout=log, stderr=log)

    def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(120)

    def kill(self) -> None:
        self.end(signal.SIGKILL)
        self.kills += 1
        self.run()

    def truth(self) -> Truth:
        with sqlite3.connect(self.folder / TRUTH, timeout=120) as db:
            exams = db.execute(
                "SELECT ris_study_id, study_uid, modality, patient_name, fault FROM exams"
            ).fetchall()
            reports = db.execute("SELECT record_num, ris_study_id FROM reports").fetchall()
            instances = db.execute("SELECT sop_uid, study_uid FROM instances").fetchall()
        kinds = {exam[0]: CLASSES[exam[2]] for exam in exams}
        studies = {exam[1]: kinds[exam[0]] for exam in exams}
        counts: dict[str, Counter[str]] = {"exams": Counter(kinds.values())}
        counts["reports"] = Counter(kinds[exam] for _, exam in reports)
        counts["images"] = Counter(studies[study] for _, study in instances)
        by_class = {
            kind: [counts[what][kind] for what in ("exams", "images", "reports")] for kind in counts["exams"]
        }
        return Truth(
            {exam[0]: exam[3] for exam in exams},
            {key for key, _ in reports},
            {uid for uid, _ in instances},
            by_class,
            Counter(exam[4] for exam in exams),
        )


@dataclass(frozen=True)
class Truth:
    """What has to have arrived: names by exam, reports, SOP instances, [exams, images, reports] by class."""

    exams: dict[str, str]
    reports: set[str]
    instances: set[str]
    by_class: dict[str, list[int]]
    faults: Counter[str]


@dataclass
class Province:
    """`open`, `live`, then what `arrived` and `balance` say."""

    folder: Path
    gateway: RunningGateway
    sites: list[Site] = field(default_factory=list)
    gateway_kills: int = 0
    count: int = 0
    """Hospitals: all of them tell their day from one address here, which may tell two a second."""

    def open(self, count: int, exams: int, *, faulty: float, seconds: float, images: int = 2) -> None:
        """Registers the hospitals and writes their configurations; the gateway is not started yet."""
        self.count = count
        for number in range(count):
            place = Place(credit_code(f"{12149900000001000 + number:017d}"), f"模拟医院{number + 1}")
            plan = SitePlan(place, yesterday(), exams, faulty=faulty, images=images, seed=number)
            folder = self.folder / f"site{number}"
            node = DicomNode(f"YQH{number}", "127.0.0.1", free_port())
            folder.mkdir(parents=True)
            site = Site(folder, number, plan, node, seconds)
            self.sites.append(site)
            key = random.Random(number).randbytes(16).hex()
            (folder / KEY).write_text(key)
            write_config(folder, self._sections(site, node))
            self.gateway.add_hospital(site.code, key, place.name)
            self.gateway.do("hospitals", "dicom", "add", site.code, "--aet", node.ae_title)

    def _sections(self, site: Site, node: DicomNode) -> dict[str, dict[str, Any]]:
        return {
            "hospital": {"code": site.code},
            "gateway": {"url": self.gateway.url, "key": f"file:{KEY}", "rest_seconds": 0.5, "parallel": 4},
            "spool": {"folder": "spool", "reserve_bytes": 0},
            "reading": {"poll_seconds": 0.5},
            "backfill": {"auto": False},
            "reconcile": {"at": "00:00", "again_hours": max(0.001, 0.0003 * self.count)},
            "images": {
                "mode": "forward",
                "aet": node.ae_title,
                "host": node.host,
                "port": node.port,
                "gateway_host": "127.0.0.1",
                "gateway_port": self.gateway.dicom_port,
            },
        }

    def live(self) -> None:
        for site in self.sites:
            site.live()
        for site in self.sites:
            site.wait_for_systems()
            site.run()

    def is_over(self) -> bool:
        return all(site.is_over() for site in self.sites)

    def kill_gateway(self) -> None:
        self.gateway.stop(signal.SIGKILL)
        self.gateway_kills += 1
        self.gateway.start()

    def kill_someone(self, rng: random.Random, gateway_share: float) -> None:
        if rng.random() < gateway_share:
            self.kill_gateway()
        else:
            rng.choice(self.sites).kill()

    def close(self) -> None:
        for site in self.sites:
            if site.life is not None and site.life.poll() is None:
                site.life.kill()
                site.life.wait()
            site.end(signal.SIGKILL)

    def ask(self, query: str, *values: str) -> list[tuple[Any, ...]]:
        """Of the gateway's own database, read only."""
        with sqlite3.connect(
            f"file:{self.gateway.data}/yingqiao.sqlite?mode=ro", uri=True, timeout=120
        ) as db:
            return db.execute(query, values).fetchall()

    def balance(self, site: Site) -> dict[str, Any]:
        shown: dict[str, Any] = self.gateway.json(
            "reconcile", "show", site.plan.day.isoformat(), "--hospital", site.code
        )
        return shown

    def is_even(self, site: Site) -> bool:
        now = self.balance(site)["now"]
        return bool(now["verdict"] == "平" and now["stated"]["counts"] == site.truth().by_class)


def check(province: Province, site: Site) -> None:
    """Raises AssertionError when the gateway has anything else than the simulator's own record says."""
    truth = site.truth()
    exams = province.ask(
        "SELECT ris_study_id, patient_name FROM exams WHERE hospital_code = ? AND NOT deleted", site.code
    )
    assert len(exams) == len(dict(exams))
    assert dict(exams) == truth.exams
    reports = province.ask("SELECT record_num FROM reports WHERE hospital_code = ?", site.code)
    assert sorted(row[0] for row in reports) == sorted(truth.reports)
    instances = province.ask(
        "SELECT i.sop_uid FROM instances i JOIN series se ON se.id = i.series_id "
        "JOIN studies st ON st.id = se.study_id WHERE st.hospital_code = ?",
        site.code,
    )
    assert sorted(row[0] for row in instances) == sorted(truth.instances)
    now = province.balance(site)["now"]
    assert now["verdict"] == "平"
    assert now["stated"]["counts"] == now["gateway"]["counts"] == truth.by_class
    assert (now["missing"]["count"], now["unlisted"]["count"]) == (0, 0)
    if site.plan.exams * site.plan.faulty >= len(Fault) - 1:
        assert set(truth.faults) == {fault.value for fault in Fault}
