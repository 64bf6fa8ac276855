.DEFAULT_GOAL := help
SHELL := /bin/bash
.PHONY: help setup demo test lint lock bench-dicom bench-http fuzz clean

help: ## 列出所有目标 / list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: ## 准备 .venv 与 yingqiao 命令 / prepare .venv with the yingqiao command
	@scripts/setup.sh

demo: setup ## 演示：网关接收一家模拟医院的一天 / a simulated hospital pushes its day
	@scripts/demo.sh

test: setup ## 检查与全部测试（真实对端）/ lint, types, layers and every test, with real peers
	@scripts/peers.sh
	@scripts/test.sh

lint: setup ## 格式、类型、导入方向 / format, types, import directions
	@scripts/lint.sh

lock: ## 重新锁定依赖 / lock the dependencies again
	@scripts/lock.sh

clean: ## 删除环境与演示数据 / remove the environment and the demo's data
	rm -rf .venv .uv demo-data demo-data.previous
