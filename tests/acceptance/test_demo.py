"""`make demo`, whole: a real gateway, a simulated hospital's day, and two accounts that agree in every
number."""

import fcntl
import subprocess
import sys
import time
from pathlib import Path

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
        until = time.monotonic() + 180
        while not (data / "landing").exists():
            assert time.monotonic() < until
            time.sleep(0.1)
        time.sleep(1)
        running.terminate()
        running.communicate(timeout=180)
    assert running.returncode == 1
    _free(data)


def _free(data: Path) -> None:
    """The gateway was stopped: nobody holds its lock."""
    with (data / "gateway.lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
