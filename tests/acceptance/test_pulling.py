"""Images by Q/R from real PACS through a running gateway (Q/R 模式): every audited report gets its images."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.senders import HOSPITAL, exam, report
from tests.peers.gateway import GatewayMaker, RunningGateway
from tests.peers.pacs import ROOT, Dcmqrscp, OrthancPacs, study
from yingqiao.store.landing import LandingReader

pytestmark = pytest.mark.peer
SHORT = {
    "WORK_PASSING_FIRST_SECONDS": "0.2",
    "WORK_PASSING_MOST_SECONDS": "1",
    "WORK_THEIRS_FIRST_SECONDS": "0.5",
    "WORK_THEIRS_MOST_SECONDS": "2",
    "WORK_BREAKER_FIRST_SECONDS": "0.5",
    "WORK_BREAKER_MOST_SECONDS": "1",
    "WORK_POLL_SECONDS": "0.2",
    "PULL_FIRST_LOOK_SECONDS": "3",
    "PULL_SECOND_LOOK_SECONDS": "0",
}
MakeOrthanc = Callable[..., OrthancPacs]


@pytest.fixture
def make_orthanc(tmp_path: Path) -> Iterator[MakeOrthanc]:
    made: list[OrthancPacs] = []

    def make(**settings: Any) -> OrthancPacs:
        made.append(OrthancPacs(tmp_path / f"orthanc{len(made)}", settings=settings))
        return made[-1].start()

    yield make
    for pacs in made:
        pacs.stop()


def uid(number: int) -> str:
    return f"{ROOT}.7.{number}"


def images(number: int, series: int = 2, count: int = 5, **given: Any) -> list[bytes]:
    """The study of exam N<number>, as `senders.exam` describes its patient."""
    plain = {
        "PatientID": "P0001",
        "PatientName": "张三丰",
        "AccessionNumber": f"AN{number}",
        "StudyDate": "20261120",
    }
    return study(uid(number), series, count, **(plain | given))


def audited(gateway: RunningGateway, number: int, **changes: Any) -> None:
    """An exam and its audited report, pushed by the hospital."""
    assert gateway.push("/exam-sync", exam(f"N{number}", studyUid=uid(number), **changes))["code"] == 1
    assert gateway.push("/report/sync", report(f"R{number}", f"N{number}"))["code"] == 1


def add_node(gateway: RunningGateway, address: str, name: str = "main", *options: str) -> None:
    done = gateway.cli("pacs", "add", HOSPITAL, name, address, *options)
    assert done.returncode == 0, done.stderr


def state(gateway: RunningGateway, number: int) -> dict[str, Any]:
    return gateway.json("exams", "show", HOSPITAL, f"N{number}")["exam"]


def until(
    condition: Callable[[], bool],
    seconds: float = 180.0,
    why: Callable[[], str] = lambda: "",
    every: float = 0.3,
) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, why()
        time.sleep(every)


def count(gateway: RunningGateway) -> int:
    answer = httpx.get(
        f"{gateway.url}/api/studies",
        params={"limit": 500},
        headers={"authorization": f"Bearer {gateway.token}"},
        timeout=120,
    )
    return sum(item["instanceCount"] for item in answer.json()["items"])


def test_an_audited_report_brings_its_images_without_anyone_asking(
    make_gateway: GatewayMaker, make_orthanc: MakeOrthanc
) -> None:
    gateway, pacs = make_gateway(**SHORT), make_orthanc()
    pacs.knows("YINGQIAO", gateway.dicom_port)
    pacs.keep(images(1))
    add_node(gateway, pacs.address)
    audited(gateway, 1)
    until(lambda: state(gateway, 1)["state"] == "complete", why=lambda: gateway.log[-3000:])
    shown = state(gateway, 1)
    assert (shown["imageCount"], shown["imageExpected"]) == (10, 10)
    (found,) = gateway.json("studies", "list")
    assert found["hospitalCode"] == HOSPITAL
    assert "张三丰" not in gateway.log


def test_a_study_that_grew_is_brought_later(make_gateway: GatewayMaker, make_orthanc: MakeOrthanc) -> None:
    """At the first look; at the second, where the study grows so slowly that the first comes too early."""
    gateway, pacs = make_gateway(**SHORT | {"PULL_SECOND_LOOK_SECONDS": "60"}), make_orthanc()
    pacs.knows("YINGQIAO", gateway.dicom_port)
    whole = images(1, 2, 5)
    pacs.keep(whole[:5])
    add_node(gateway, pacs.address)
    audited(gateway, 1)
    until(lambda: count(gateway) == 5, why=lambda: gateway.log[-3000:])
    pacs.keep(whole[5:])
    until(lambda: count(gateway) == 10, why=lambda: gateway.log[-3000:])


@pytest.mark.long
def test_a_weekend_without_pacs(make_gateway: GatewayMaker, make_orthanc: MakeOrthanc) -> None:
    """Reports come while it is down; when it is back everything comes, and once."""
    gateway, pacs = make_gateway(**SHORT), make_orthanc()
    pacs.knows("YINGQIAO", gateway.dicom_port)
    for number in range(4):
        pacs.keep(images(number, 1, 4))
    add_node(gateway, pacs.address)
    pacs.stop()
    for number in range(4):
        audited(gateway, number)
    time.sleep(6)
    assert count(gateway) == 0
    gateway.stop(signal.SIGKILL)
    gateway.start()
    time.sleep(2)
    pacs.start()
    until(lambda: count(gateway) == 16, why=lambda: gateway.log[-3000:])
    until(lambda: all(state(gateway, n)["state"] == "complete" for n in range(4)))


def test_the_pacs_is_killed_while_it_sends(make_gateway: GatewayMaker, make_orthanc: MakeOrthanc) -> None:
    gateway, pacs = make_gateway(**SHORT), make_orthanc()
    pacs.knows("YINGQIAO", gateway.dicom_port)
    pacs.keep(images(1, 5, 240, side=64))
    add_node(gateway, pacs.address, "main", "--bandwidth", "100K")  # it lasts until the PACS is killed
    audited(gateway, 1)
    until(lambda: count(gateway) > 10, why=lambda: gateway.log[-3000:], every=0.02)
    pacs.kill()
    assert count(gateway) < 1200
    (destination,) = gateway.json("work", "destinations", "list")
    gateway.do("work", "destinations", "set", destination["name"], "--bandwidth", "0")
    pacs.start()
    until(lambda: count(gateway) == 1200, 300, why=lambda: gateway.log[-3000:])


def test_the_gateway_is_killed_while_it_pulls(make_gateway: GatewayMaker, make_orthanc: MakeOrthanc) -> None:
    """SIGKILL mid-pull, again and again: repeated, nothing twice in the index. The bandwidth makes it last."""
    gateway, pacs = make_gateway(**SHORT), make_orthanc()
    pacs.knows("YINGQIAO", gateway.dicom_port)
    pacs.keep(images(1, 4, 60, side=128))
    add_node(gateway, pacs.address, "main", "--bandwidth", "1M")
    audited(gateway, 1)
    for _ in range(4):
        before = count(gateway)
        until(lambda before=before: count(gateway) > before or count(gateway) == 240)
        gateway.stop(signal.SIGKILL)
        gateway.start()
    until(lambda: count(gateway) == 240, 300, why=lambda: gateway.log[-3000:])
    (found,) = gateway.json("studies", "list")
    assert found["instanceCount"] == 240
    until(lambda: state(gateway, 1)["state"] == "complete")


@pytest.mark.parametrize("count", [1_000, pytest.param(10_000, marks=pytest.mark.long)])
def test_a_study_of_many_images_comes_once_in_bounded_memory(
    make_gateway: GatewayMaker, make_orthanc: MakeOrthanc, count: int
) -> None:
    """By C-MOVE: every instance lands once, and the gateway never takes 300 MB."""
    gateway, pacs = make_gateway(**SHORT), make_orthanc()
    pacs.knows("YINGQIAO", gateway.dicom_port)
    pacs.keep(images(1, 4, count // 4, side=64))
    add_node(gateway, pacs.address, "main", "--retrieve", "move")
    audited(gateway, 1)
    until(
        lambda: state(gateway, 1)["state"] == "complete",
        max(300, count / 10),
        lambda: gateway.log[-3000:],
        1.0,
    )
    landed = [
        record.arrival.sop_instance_uid
        for reader in [LandingReader(gateway.data / "landing")]
        for segment in reader.segments()
        for record in reader.scan(segment)
    ]
    assert len(landed) == len(set(landed)) == count
    shown = state(gateway, 1)
    assert (shown["imageCount"], shown["imageExpected"]) == (count, count)
    assert peak_mib(gateway) < 300


def peak_mib(gateway: RunningGateway) -> float:
    """The most resident memory the gateway's process ever had."""
    assert gateway.process is not None
    status = Path(f"/proc/{gateway.process.pid}/status").read_text()
    peak = int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) / 1024
    print(f"peak memory {peak:.0f} MiB")
    return peak


@pytest.mark.long
def test_two_nodes_of_one_hospital(
    make_gateway: GatewayMaker, make_orthanc: MakeOrthanc, tmp_path: Path
) -> None:
    """Each exam's images come from whichever has them; a dead node beside it holds nothing up."""
    gateway, pacs = make_gateway(**SHORT), make_orthanc()
    pacs.knows("YINGQIAO", gateway.dicom_port)
    pacs.keep(images(1, 1, 3))
    second = Dcmqrscp(tmp_path / "second", {"YINGQIAO": gateway.dicom_port}).start()
    try:
        second.keep(images(2, 1, 4))
        add_node(gateway, pacs.address)
        add_node(gateway, second.address, "second")
        add_node(gateway, "DEAD@127.0.0.1:9", "dead")
        audited(gateway, 1)
        audited(gateway, 2)
        until(lambda: count(gateway) == 7, why=lambda: gateway.log[-3000:])
        until(lambda: all(state(gateway, n)["state"] == "complete" for n in (1, 2)))
    finally:
        second.stop()


def test_by_hand(make_gateway: GatewayMaker, make_orthanc: MakeOrthanc) -> None:
    """find, test and pull from the command line and by the API, with the gateway running."""
    gateway, pacs = make_gateway(**SHORT), make_orthanc()
    pacs.knows("YINGQIAO", gateway.dicom_port)
    pacs.keep([*images(1, 1, 3), *images(2, 1, 2)])
    add_node(gateway, pacs.address)
    tested = gateway.json("pacs", "test", HOSPITAL, "main", "--accession", "AN1")
    assert tested["usable"], tested
    assert tested["ours"] == {"aeTitle": "YINGQIAO", "addresses": ["127.0.0.1"], "port": gateway.dicom_port}
    (found,) = gateway.json("pacs", "find", HOSPITAL, "--accession", "AN1")
    assert (found["patientName"], found["expected"]) == ("张三丰", 3)
    until(lambda: count(gateway) == 1)
    done = gateway.cli("pacs", "pull", HOSPITAL, "--study", uid(1), "--wait")
    assert done.returncode == 0, done.stderr
    until(lambda: count(gateway) == 3)
    body = {"hospital": HOSPITAL, "accession": "AN2"}
    headers = {"authorization": f"Bearer {gateway.token}"}
    answer = httpx.post(f"{gateway.url}/api/pacs/pull", json=body, headers=headers, timeout=120)
    assert answer.status_code == 202, answer.text
    until(lambda: count(gateway) == 5, why=lambda: gateway.log[-3000:])
    nodes = httpx.get(f"{gateway.url}/api/pacs", headers=headers, timeout=120).json()["items"]
    assert [node["name"] for node in nodes] == ["main"]
    missing = gateway.cli("pacs", "pull", HOSPITAL, "--accession", "NONE", "--wait")
    assert missing.returncode == 1
    assert "没有找到" in missing.stderr
