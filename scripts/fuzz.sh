#!/usr/bin/env bash
# Every coverage-guided fuzzer for FUZZ_SECONDS seconds (60), as many at once as there are processors. Arguments name some:
# `scripts/fuzz.sh pdu charset`. Corpora live in a temporary folder, which stays, with the input, when a fuzzer finds something.
set -uo pipefail
cd "$(dirname "$0")/.."
seconds="${FUZZ_SECONDS:-60}"
if ! .venv/bin/python -c 'import atheris' 2>/dev/null; then
  echo "这个 Python 没有 atheris（需要 3.11 至 3.13），不能做覆盖率引导的模糊测试。" >&2
  exit 2
fi
if [ $# -eq 0 ]; then
  set -- $(cd tests/fuzz && ls fuzz_*.py | sed -E 's/^fuzz_(.*)\.py$/\1/')
fi
place=$(mktemp -d -t yingqiao-fuzz.XXXXXX)

one() {
  mkdir -p "$place/$1"
  .venv/bin/python -m tests.fuzz.seeds "$1" "$place/$1" &&
    .venv/bin/python -m "tests.fuzz.fuzz_$1" "$place/$1" \
      "-max_total_time=$seconds" "-artifact_prefix=$place/$1-" -timeout=20 -rss_limit_mb=2048 -print_final_stats=1 \
      >"$place/$1.log" 2>&1
  local code=$?
  if [ $code -eq 0 ]; then
    echo "  $1：$(sed -nE 's/^stat::number_of_executed_units: +//p' "$place/$1.log") 次，没有发现问题"
  else
    echo "  $1：发现问题（退出码 $code），日志末尾："
    tail -n 25 "$place/$1.log" | sed 's/^/    /'
  fi
  return $code
}

echo "模糊测试：$*，每项 $seconds 秒"
failed=0
running=0
for harness in "$@"; do
  one "$harness" &
  running=$((running + 1))
  if [ $running -ge "$(nproc)" ]; then
    wait -n || failed=1
    running=$((running - 1))
  fi
done
while [ $running -gt 0 ]; do
  wait -n || failed=1
  running=$((running - 1))
done
if [ $failed -eq 0 ]; then
  rm -rf "$place"
else
  echo "输入与日志留在 $place" >&2
fi
exit $failed
