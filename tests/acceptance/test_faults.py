"""The whole program in trouble, under mixed HTTP and DICOM load: clear answers, nothing acknowledged lost, and
service again as soon as the trouble is over."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.acceptance.account import check_everything
from tests.acceptance.load import Load
from tests.acceptance.senders import Answers
from tests.peers.gateway import GatewayMaker, RunningGateway
from tests.peers.postgres import start_postgres, wait_until_ready

_OUT_OF_RESOURCES = 0xA700


def until(condition: Callable[[], object], seconds: float = 180) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def refused(answers: Answers) -> int:
    return sum(code == 0 for _, code, _ in answers.http)


def is_ready(gateway: RunningGateway) -> bool:
    try:
        return httpx.get(f"{gateway.url}/health/ready", timeout=120).status_code == 200
    except httpx.TransportError:
        return False


def assert_clear(answers: Answers, dicom: set[int]) -> None:
    """HTTP: accepted, or 503 that says when to come again; DICOM: these; and never no answer."""
    assert {(status, code) for status, code, _ in answers.http} == {(200, 1), (503, 0)}
    assert all(after and int(after) > 0 for status, _, after in answers.http if status == 503)
    assert set(answers.dicom) == dicom
    assert answers.broken == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 GB: the load must not fill it by itself."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1g", "none", disk], check=False)
    if mounted.returncode:
        pytest.skip("mounting is not permitted here; RLIMIT_FSIZE is tested instead")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


@pytest.mark.parametrize("reserve", [0, 8 * 1024**2])
def test_the_disk_is_full_and_has_room_again(
    small_disk: Path, make_gateway: GatewayMaker, reserve: int
) -> None:
    """503 and A700, whether the reserve is reached or, without one, the very last byte; data, log and all on
    that disk."""
    gateway = make_gateway(start=False, hospital=False)
    gateway.data = small_disk / "data"
    gateway.environ["YINGQIAO_RESERVE_BYTES"] = str(reserve)
    gateway.add_hospital()
    gateway.start()
    answers = Answers()
    load = Load(gateway, answers)
    load.begin("F", records=3, images=1)
    until(lambda: len(load.pushed.exams) > 20 and len(load.pushed.instances) > 20)
    ballast = small_disk / "ballast"
    _take_all(ballast)
    until(lambda: refused(answers) > 20 and answers.dicom.count(_OUT_OF_RESOURCES) > 20)
    ballast.unlink()
    _goes_on(gateway, load)
    load.end()
    assert_clear(answers, {0, _OUT_OF_RESOURCES})
    check_everything(gateway.data, load.pushed)
    gateway.stop(signal.SIGKILL)


def test_the_file_limit_is_reached_and_lifted(make_gateway: GatewayMaker) -> None:
    """RLIMIT_FSIZE on the running gateway: no file may grow, as on a full disk; also where nothing can be
    mounted."""
    gateway = make_gateway(RESERVE_BYTES="0")
    assert gateway.process is not None
    answers = Answers()
    load = Load(gateway, answers)
    load.begin("L", records=3, images=1)
    until(lambda: len(load.pushed.exams) > 20 and len(load.pushed.instances) > 20)
    resource.prlimit(gateway.process.pid, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
    until(lambda: refused(answers) > 20 and answers.dicom.count(_OUT_OF_RESOURCES) > 20)
    resource.prlimit(
        gateway.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    )
    _goes_on(gateway, load)
    load.end()
    assert_clear(answers, {0, _OUT_OF_RESOURCES})
    check_everything(gateway.data, load.pushed)


def test_the_database_is_away_and_comes_back(make_gateway: GatewayMaker) -> None:
    """HTTP says 503 with Retry-After; images are taken all the while, indexed afterwards."""
    folder = Path(
        tempfile.mkdtemp(prefix="yingqiao-pg-")
    )  # pytest's own folder is closed to the server's user
    server = start_postgres(folder)
    try:
        url = server.url("postgres")
        gateway = make_gateway("--database", url, hospital=False)
        gateway.add_hospital()
        answers = Answers()
        load = Load(gateway, answers)
        load.begin("D", records=3, images=1)
        until(lambda: len(load.pushed.exams) > 20 and len(load.pushed.instances) > 20)
        server.stop("immediate")
        before = len(load.pushed.instances)
        until(lambda: refused(answers) > 20 and len(load.pushed.instances) > before + 20)
        until(lambda: not is_ready(gateway))
        server.start()
        wait_until_ready(server)
        _goes_on(gateway, load)
        load.end()
        assert_clear(answers, {0})
        check_everything(gateway.data, load.pushed, url)
        gateway.stop()
    finally:
        server.stop("immediate")
        shutil.rmtree(folder, ignore_errors=True)


def _goes_on(gateway: RunningGateway, load: Load) -> None:
    """Ready again, and from then on what is pushed is accepted."""
    until(lambda: is_ready(gateway))
    exams, instances = len(load.pushed.exams), len(load.pushed.instances)
    until(lambda: len(load.pushed.exams) > exams + 20 and len(load.pushed.instances) > instances + 20)


def _take_all(path: Path) -> None:
    """Until not a byte is left."""
    with path.open("wb", buffering=0) as ballast:
        size = 1024**2
        while size:
            try:
                ballast.write(bytes(size))
            except OSError:
                size //= 2
        os.fsync(ballast.fileno())
