"""`make demo`, whole: a real gateway, a simulated hospital's day, and two accounts that agree in every
number."""

import fcntl
import subprocess
import sys
from pathlib import Path

YINGQIAO = str(Path(sys.executable).with_name("yingqiao"))


def test_the_demonstration_agrees_with_the_gateway(tmp_path):
    """Every deliberate mistake once; the command ends with 0 only when all answers and numbers are as
    planned."""
    words = ["hospital", "demo", "--data", str(tmp_path / "demo"), "--exams", "26", "--seed", "7"]
    done = subprocess.run([YINGQIAO, *words], capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "全部一致" in done.stdout
    for heading in ("收到的记录", "拒收及原因", "仍然缺少", "对账"):
        assert heading in done.stdout
    with (tmp_path / "demo" / "gateway.lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # stopped: nobody holds it
