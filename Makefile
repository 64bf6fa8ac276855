.DEFAULT_GOAL := help
SHELL := /bin/bash
.PHONY: help setup demo test test-long lint lock bench-dicom bench-retrieve bench-http bench-fetch bench-backfill bench-gm bench-cooperative fuzz clean
FUZZ_SECONDS ?= 600
export FUZZ_SECONDS

help: ## 列出所有目标 / list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: ## 准备 .venv 与 yingqiao 命令 / prepare .venv with the yingqiao command
	@scripts/setup.sh

demo: setup ## 演示：网关接收一家模拟医院的一天 / a simulated hospital pushes its day
	@scripts/demo.sh

test: setup ## 检查与全部测试（真实对端）/ lint, types, layers and every test, with real peers
	@scripts/peers.sh
	@scripts/test.sh

test-long: setup ## 发布前：数百次断电式终止、长时间模糊测试 / hundreds of kills, long fuzzing
	@scripts/peers.sh
	@scripts/test-long.sh

lint: setup ## 格式、类型、导入方向 / format, types, import directions
	@scripts/lint.sh

lock: setup ## 重新锁定依赖 / lock the dependencies again
	@scripts/lock.sh

bench-dicom: setup ## DICOM 接收与 Orthanc、DCMTK、C 程序同场比较（BENCH_ARGS=--quick）/ receivers beside each other
	@scripts/peers.sh
	@.venv/bin/python -m benchmarks.dicom $(BENCH_ARGS)

bench-retrieve: setup ## 从 Orthanc 拉取，与 movescu、getscu、pynetdicom 同场比较 / pulling beside the peers
	@scripts/peers.sh
	@.venv/bin/python -m benchmarks.retrieve $(BENCH_ARGS)

bench-http: setup ## HTTP 接收与不落盘、朴素实现同场比较（BENCH_ARGS="--seconds 5"）/ servers beside each other
	@scripts/peers.sh wrk
	@.venv/bin/python -m benchmarks.http $(BENCH_ARGS)

bench-fetch: setup ## 按地址下载与 curl 同场比较（BENCH_ARGS=--quick）/ fetching beside curl
	@scripts/peers.sh curl
	@.venv/bin/python -m benchmarks.fetch $(BENCH_ARGS)
	@.venv/bin/python -m benchmarks.fetch_program $(BENCH_ARGS)

bench-backfill: setup ## 补传时实时推送的 p99 与平时同场比较（BENCH_ARGS="--seconds 8"）/ live pushes beside a backfill
	@.venv/bin/python -m benchmarks.backfill.live $(BENCH_ARGS)

bench-gm: setup ## SM2 签名、验签、协同签名与 openssl speed 同场比较（BENCH_ARGS="--seconds 1"）/ SM2 beside openssl
	@.venv/bin/python -m benchmarks.gm $(BENCH_ARGS)

bench-cooperative: setup ## 一次协同签名花费服务器多少处理器时间（经 HTTP）/ server CPU of a cooperative signature
	@.venv/bin/python -m benchmarks.cooperative $(BENCH_ARGS)

fuzz: setup ## 覆盖率引导的模糊测试，共 FUZZ_SECONDS 秒、各项均分；FUZZ=signing 只做签名与印章 / fuzzers share FUZZ_SECONDS
	@scripts/fuzz.sh $(FUZZ)

clean: ## 删除环境、缓存与演示数据 / remove the environment, caches and the demo's data
	rm -rf .venv .uv demo-data demo-data.previous tutorial-data
	rm -rf .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
