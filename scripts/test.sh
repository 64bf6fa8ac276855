#!/usr/bin/env bash
# Everything `make test` promises, in the order that fails soonest.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/lint.sh
.venv/bin/pytest "$@"
