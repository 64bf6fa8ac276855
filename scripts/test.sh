#!/usr/bin/env bash
# Everything `make test` promises (what takes minutes has a short form here, the rest is `make test-long`), in the order that fails soonest. Arguments go to pytest: `scripts/test.sh tests/unit -x`.
set -euo pipefail
cd "$(dirname "$0")/.."
unset PYTHONDONTWRITEBYTECODE # the tests start hundreds of processes: compile once
echo "1/2 检查：格式、类型、导入方向"
scripts/lint.sh
echo "2/2 测试：三个进程（许多测试在等磁盘与浏览器），真实对端"
# A test that hangs must not hang the machine that runs it: so many minutes after this script began (checks included;
# `make test` sets up before, and where it runs for others it has 25 minutes in all) everything is ended and reported.
exec timeout --foreground --kill-after=30 "$((${YINGQIAO_TEST_MINUTES:-22} * 60 - SECONDS))s" \
  .venv/bin/pytest -n "${YINGQIAO_TEST_PROCESSES:-3}" --dist loadgroup --no-loadscope-reorder \
  -m "not long" --durations=15 --durations-min=2 "$@"
