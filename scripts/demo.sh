#!/usr/bin/env bash
# A gateway, a simulated hospital's day, and the account of it. Arguments go to `yingqiao hospital demo`.
set -euo pipefail
cd "$(dirname "$0")/.."
exec .venv/bin/yingqiao hospital demo --data demo-data "$@"
