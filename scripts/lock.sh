#!/usr/bin/env bash
# Locks every dependency, with hashes and without naming an index, so that any mirror serves.
set -euo pipefail
cd "$(dirname "$0")/.."
python=.venv/bin/python
. scripts/mirror.sh
uv=$(command -v uv || echo .uv/bin/uv)
"$uv" pip compile --quiet --universal --generate-hashes --no-header --no-annotate --no-emit-index-url \
  --extra mssql --extra mysql --extra oracle --extra simulate --group dev --group bench pyproject.toml --output-file requirements.lock
