#!/usr/bin/env bash
# What a release is given: the tests of no acknowledged loss with hundreds of kills, what takes minutes, every fuzzer for long.
# YINGQIAO_KILLS (300) and FUZZ_SECONDS (3600) say how long. Needs about an hour and a half.
set -euo pipefail
cd "$(dirname "$0")/.."
export YINGQIAO_KILLS="${YINGQIAO_KILLS:-300}"
[ "${FUZZ_SECONDS:-600}" != 600 ] || FUZZ_SECONDS=3600
export FUZZ_SECONDS
echo "1/3 终止 ${YINGQIAO_KILLS} 次：应答过的一条都不丢"
.venv/bin/pytest -v tests/acceptance/test_no_acknowledged_loss.py tests/integration/dicom/test_durability.py
echo "2/3 一百万件工作；下载中终止整个网关一百次；Go 语言的客户端示例"
command -v go >/dev/null || scripts/peers.sh golang-go
YINGQIAO_KILLS=100 .venv/bin/pytest -v tests/acceptance/test_images_by_url.py -k killed
.venv/bin/pytest -v -m long tests/integration tests/acceptance tests/docs tests/unit tests/fuzz
echo "3/3 模糊测试，共 ${FUZZ_SECONDS} 秒"
scripts/fuzz.sh
