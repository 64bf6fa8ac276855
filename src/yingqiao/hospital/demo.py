"""The demonstration: a fresh gateway, a simulated hospital's day, and the gateway's own account of it.

Everything goes through the commands and ports anyone would use; nothing looks into the gateway's insides.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import orjson

from yingqiao.exchange.timeline import STATE_NAMES
from yingqiao.hospital.simulate.dicom_sender import DicomNode
from yingqiao.hospital.simulate.plan import Day, Expected
from yingqiao.hospital.simulate.push import CALLING_AET

GATEWAY_AET = "YINGQIAO"
READY_SECONDS = 120
SETTLE_SECONDS = 120
STOP_SECONDS = 60
LAUNCHES = 5
"""A free port may be somebody else's by the time the gateway binds it: then on others."""
LIST_LIMIT = 1000
LISTS = "images-list"
FOLLOWED_SECONDS = 1.0
"""The running gateway knows by then what was registered."""
_STATE_NAMES = {str(state): name for state, name in STATE_NAMES.items()} | {"": "关联中"}
_PORT_TAKEN = "端口已被占用"
_MARK = ".yingqiao-demo"
_PREVIOUS = ".previous"


class DemoError(Exception):
    """The demonstration cannot go on; the text is Chinese and says why."""


@dataclass(frozen=True, slots=True)
class Running:
    """A gateway of ours that is ready."""

    data: Path
    url: str
    dicom: DicomNode
    process: subprocess.Popen[bytes]
    log: Path


@dataclass(frozen=True, slots=True)
class Account:
    """What the gateway says it has, from its own lists."""

    submissions: list[dict[str, Any]]
    exams: list[dict[str, Any]]
    studies: list[dict[str, Any]]
    reports: list[dict[str, Any]]

    def outcomes(self) -> Mapping[str, int]:
        """Of records; lists of images are told with the images."""
        return Counter(row["outcome"] for row in self.submissions if row["interface"] != LISTS)

    @property
    def lists(self) -> int:
        return sum(row["interface"] == LISTS for row in self.submissions)

    def states(self) -> Mapping[str, int]:
        return Counter(row["state"] for row in self.exams)

    @property
    def orphans(self) -> list[dict[str, Any]]:
        return [row for row in self.studies if row["orphan"]]

    @property
    def parked(self) -> list[dict[str, Any]]:
        return [row for row in self.reports if row["parked"]]

    @property
    def instances(self) -> int:
        return sum(int(row["instanceCount"]) for row in self.studies)


@dataclass(frozen=True, slots=True)
class Compared:
    """One number as the hospital knows it and as the gateway shows it."""

    what: str
    sent: int
    shown: int

    @property
    def agrees(self) -> bool:
        return self.sent == self.shown


def command(*words: str) -> list[str]:
    """The `yingqiao` command of this environment."""
    beside = Path(sys.executable).with_name("yingqiao")
    program = str(beside) if beside.exists() else shutil.which("yingqiao")
    if program is None:
        raise DemoError("找不到 yingqiao 命令，请先运行 make setup")
    return [program, *words]


def ask(data: Path, *words: str) -> str:
    """The output of a command on the gateway's data. Raises DemoError."""
    done = subprocess.run(  # noqa: S603 -- our own command with our own words
        [*command(*words), "--data", str(data)], capture_output=True, text=True, check=False, timeout=300
    )
    if done.returncode:
        raise DemoError(f"yingqiao {' '.join(words)} 失败：{(done.stderr or done.stdout).strip()}")
    return done.stdout


def fresh_folder(data: Path) -> None:
    """An empty data folder; that of the last demonstration is kept once, as DIR.previous. Raises DemoError.

    A folder that no demonstration made is never touched.
    """
    if data.exists() and any(data.iterdir()):
        if not (data / _MARK).exists():
            raise DemoError(f"{data} 不是演示数据目录，不会改动它；请用 --data 另选一个")
        previous = data.with_name(data.name + _PREVIOUS)
        if previous.exists():
            if not (previous / _MARK).exists():
                raise DemoError(f"{previous} 不是演示数据目录，不会改动它；请先移走它")
            shutil.rmtree(previous)
        data.rename(previous)
    data.mkdir(parents=True, exist_ok=True)
    (data / _MARK).touch()


@contextmanager
def gateway(data: Path, *, keep: bool) -> Iterator[Running]:
    """A gateway on free ports of this machine, ready; stopped in the end unless `keep`. Raises DemoError."""
    running = _launch(data)
    left = False
    try:
        for _ in range(LAUNCHES - 1):
            if not _lost_its_port(running):
                break
            running = _launch(data)
        else:  # the last try: whatever keeps it from starting is told
            _wait_ready(running)
        yield running
        left = keep
    finally:
        if not left:
            _stop(running.process)


def _launch(data: Path) -> Running:
    http, dicom = _free_ports(2)
    node = DicomNode(GATEWAY_AET, "127.0.0.1", dicom)
    log = data / "gateway.log"
    address = ("--http", f"127.0.0.1:{http}", "--dicom", f"{GATEWAY_AET}@127.0.0.1:{dicom}")
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 -- our own command with our own words
            [*command("serve"), "--data", str(data), *address],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return Running(data, f"http://127.0.0.1:{http}", node, process, log)


def _lost_its_port(running: Running) -> bool:
    """Whether it ended for that, before it was ready. Raises DemoError when it never is."""
    try:
        _wait_ready(running)
    except DemoError:
        if running.process.poll() is not None and _PORT_TAKEN in _tail(running.log):
            return True
        raise
    return False


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _wait_ready(running: Running) -> None:
    until = time.monotonic() + READY_SECONDS
    while time.monotonic() < until:
        if running.process.poll() is not None:
            raise DemoError(f"网关没有启动，日志末尾：\n{_tail(running.log)}")
        try:
            if httpx.get(f"{running.url}/health/ready", trust_env=False).status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise DemoError(f"网关 {READY_SECONDS} 秒内没有就绪，日志末尾：\n{_tail(running.log)}")


def _tail(log: Path) -> str:
    return "\n".join(log.read_text("utf-8", "replace").splitlines()[-15:])


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def register(running: Running, day: Day, key: str, web: str) -> None:
    """Makes the hospital, its PACS and its image server at `web` known to the gateway."""
    ask(running.data, "hospitals", "add", day.hospital_code, "--name", day.hospital_name, "--sm4-key", key)
    ask(running.data, "hospitals", "dicom", "add", day.hospital_code, "--aet", CALLING_AET)
    ask(running.data, "hospitals", "hosts", "add", day.hospital_code, web, "--private")
    time.sleep(FOLLOWED_SECONDS)


def settle(running: Running, day: Day) -> tuple[Account, list[Compared]]:
    """The gateway's account once linking has caught up, or after SETTLE_SECONDS whatever it then says."""
    until = time.monotonic() + SETTLE_SECONDS
    while True:
        shown = read_account(running)
        compared = compare(day.expected(), shown)
        if all(one.agrees for one in compared) or time.monotonic() > until:
            return shown, compared
        time.sleep(0.5)


def read_account(running: Running) -> Account:
    """From the commands `submissions list`, `exams list`, `studies list` and from /api/reports. Raises
    DemoError."""

    def listed(*words: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = orjson.loads(
            ask(running.data, *words, "--limit", str(LIST_LIMIT), "--json")
        )
        return rows

    with ThreadPoolExecutor() as pool:
        submissions = pool.submit(listed, "submissions", "list")
        exams = pool.submit(listed, "exams", "list", "--deleted", "all")
        studies = pool.submit(listed, "studies", "list")
        return Account(submissions.result(), exams.result(), studies.result(), _reports(running))


def _reports(running: Running) -> list[dict[str, Any]]:
    token = (running.data / "api.token").read_text("ascii").strip()
    url = f"{running.url}/api/reports?limit={LIST_LIMIT}"
    answer = httpx.get(url, headers={"Authorization": f"Bearer {token}"}, trust_env=False)
    if answer.status_code != httpx.codes.OK:
        raise DemoError(f"{url} 的应答为 HTTP {answer.status_code}：{answer.text[:200]}")
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def compare(expected: Expected, shown: Account) -> list[Compared]:
    """Every number the hospital knows, beside the gateway's."""
    outcomes, states = shown.outcomes(), shown.states()
    rows = [
        Compared("记录：接受", expected.submissions.get("accepted", 0), outcomes.get("accepted", 0)),
        Compared("记录：拒收", expected.submissions.get("refused", 0), outcomes.get("refused", 0)),
    ]
    for state in sorted({*expected.exams, *states}):
        label = _STATE_NAMES.get(state, state)
        rows.append(Compared(f"检查：{label}", expected.exams.get(state, 0), states.get(state, 0)))
    linked = len(shown.studies) - len(shown.orphans)
    return [
        *rows,
        Compared("报告：份数", expected.reports, len(shown.reports)),
        Compared("报告：等待检查", expected.parked_reports, len(shown.parked)),
        Compared("影像：检查数", expected.studies, len(shown.studies)),
        Compared("影像：已关联", expected.linked_studies, linked),
        Compared("影像：实例数", expected.instances, shown.instances),
    ]
