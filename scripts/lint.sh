#!/usr/bin/env bash
# Format, lint, strict types, import directions; types and lint of the pages.
set -euo pipefail
cd "$(dirname "$0")/.."
.venv/bin/ruff format --check src tests benchmarks
.venv/bin/ruff check src tests benchmarks
.venv/bin/mypy
.venv/bin/lint-imports
scripts/ui.sh check
