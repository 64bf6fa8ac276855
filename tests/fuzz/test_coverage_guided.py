"""Coverage-guided fuzzers for a few seconds each, `make fuzz` runs them for long.

Every test run has the same harnesses under hypothesis beside this file; under atheris it has two, one of each way to be
loaded (`instrumented`, and by itself), the rest are for `make test-long`: each takes seconds to load instrumented.
YINGQIAO_FUZZ_SECONDS says how long (1). What is found is a failure with the input in its output.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SECONDS = os.environ.get("YINGQIAO_FUZZ_SECONDS", "1")
HARNESSES = sorted(path.stem.removeprefix("fuzz_") for path in Path(__file__).parent.glob("fuzz_*.py"))
IN_EVERY_RUN = ("fetch", "record")

if sys.version_info < (
    3,
    14,
):  # the lock has no atheris beyond; hypothesis runs the same harnesses everywhere

    @pytest.mark.parametrize(
        "harness",
        [pytest.param(name, marks=[] if name in IN_EVERY_RUN else pytest.mark.long) for name in HARNESSES],
    )
    def test_nothing_is_found_in_a_short_time(harness: str, tmp_path: Path):
        corpus = tmp_path / "corpus"
        python = [sys.executable, "-m"]
        subprocess.run([*python, "tests.fuzz.seeds", harness, str(corpus)], cwd=ROOT, check=True)
        limits = [
            f"-max_total_time={SECONDS}",
            f"-artifact_prefix={tmp_path}/",
            "-timeout=60",
            "-rss_limit_mb=4096",
        ]
        done = subprocess.run(
            [*python, f"tests.fuzz.fuzz_{harness}", str(corpus), *limits],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=300 + float(SECONDS),
            check=False,
        )
        assert done.returncode == 0, done.stderr[-4000:]
        assert "INITED" in done.stderr
