#!/usr/bin/env bash
# Coverage-guided fuzzing for FUZZ_SECONDS seconds (600) in all: the fuzzers named share the time evenly, FUZZ_JOBS of them
# (as many as there are processors) at once. `scripts/fuzz.sh pdu charset`; `signing` names those of signing and seals; none
# named is all. Corpora live in a temporary folder, which stays, with the input, when a fuzzer finds something.
set -uo pipefail
cd "$(dirname "$0")/.."
budget="${FUZZ_SECONDS:-600}"
jobs="${FUZZ_JOBS:-$(nproc)}"
signing="certificate cms coss der dsvs keys pdf phone ses sm2 verification"
if ! .venv/bin/python -c 'import atheris' 2>/dev/null; then
  echo "这个 Python 没有 atheris（需要 3.11 至 3.13），不能做覆盖率引导的模糊测试。" >&2
  exit 2
fi
if [ $# -eq 0 ]; then
  set -- $(cd tests/fuzz && ls fuzz_*.py | sed -E 's/^fuzz_(.*)\.py$/\1/')
elif [ "$*" = signing ]; then
  set -- $signing
fi
if [ "$jobs" -gt $# ]; then jobs=$#; fi
seconds=$((budget * jobs / $#))
if [ "$seconds" -lt 1 ]; then seconds=1; fi
place=$(mktemp -d -t yingqiao-fuzz.XXXXXX)

one() {
  mkdir -p "$place/$1"
  .venv/bin/python -m tests.fuzz.seeds "$1" "$place/$1" &&
    .venv/bin/python -m "tests.fuzz.fuzz_$1" "$place/$1" \
      "-max_total_time=$seconds" "-artifact_prefix=$place/$1-" -timeout=20 -rss_limit_mb=2048 -print_final_stats=1 \
      >"$place/$1.log" 2>&1
  local code=$?
  if [ $code -eq 0 ]; then
    echo "  $1：$seconds 秒，$(sed -nE 's/^stat::number_of_executed_units: +//p' "$place/$1.log") 次，没有发现问题"
  else
    echo "  $1：发现问题（退出码 $code），日志末尾："
    tail -n 25 "$place/$1.log" | sed 's/^/    /'
  fi
  return $code
}

echo "模糊测试：$*，共 $budget 秒，每项 $seconds 秒"
failed=0
running=0
for harness in "$@"; do
  one "$harness" &
  running=$((running + 1))
  if [ $running -ge "$jobs" ]; then
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
