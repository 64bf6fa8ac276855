"""`make demo`, whole: a real gateway, a simulated hospital's day, and two accounts that agree in every
number."""

import fcntl
import socket
import subprocess
import sys
from pathlib import Path

import httpx

from tests.helpers.ports import free_port
from yingqiao.hospital import demo

YINGQIAO = str(Path(sys.executable).with_name("yingqiao"))


def test_the_demonstration_agrees_with_the_gateway(tmp_path):
    """Every deliberate mistake once; the command ends with 0 only when all answers and numbers are as
    planned."""
    words = ["hospital", "demo", "--data", str(tmp_path / "demo"), "--exams", "26", "--seed", "7"]
    done = subprocess.run([YINGQIAO, *words], capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "全部一致" in done.stdout
    for heading in ("收到的记录", "拒收及原因", "仍然缺少", "对账"):
        assert heading in done.stdout
    _free(tmp_path / "demo")


def test_a_demonstration_that_is_stopped_takes_its_gateway_along(tmp_path):
    data = tmp_path / "demo"
    words = ["hospital", "demo", "--data", str(data), "--exams", "200"]
    with subprocess.Popen([YINGQIAO, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout is not None
        # begun to push: as many examinations as there may be, which lasts
        assert any(line.startswith(b"3. ") for line in running.stdout)
        running.terminate()
        running.communicate(timeout=180)
    assert running.returncode == 1
    _free(data)


def test_a_port_that_somebody_takes_meanwhile(tmp_path, monkeypatch):
    """Between being found free and the gateway's start: it starts on others."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        ports = iter([[taken.getsockname()[1], free_port()], [free_port(), free_port()]])
        monkeypatch.setattr(demo, "_free_ports", lambda _: next(ports))
        with demo.gateway(tmp_path, keep=False) as running:
            assert httpx.get(f"{running.url}/health/live").status_code == 200
    _free(tmp_path)


def _free(data: Path) -> None:
    """The gateway was stopped: nobody holds its lock."""
    with (data / "gateway.lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
