#!/usr/bin/env bash
# Prepares .venv with the yingqiao command from the locked dependencies, and builds the pages. Needs Python 3.11+ and a package index;
# on a bare Debian or Ubuntu it installs python3-venv first. Quick when nothing changed.
set -euo pipefail
cd "$(dirname "$0")/.."

stamp=.venv/.locked
want=$({ pwd; cat pyproject.toml requirements.lock; } | sha256sum | cut -d' ' -f1) # commands in .venv name this folder
if [ "$(cat "$stamp" 2>/dev/null || true)" = "$want" ] && [ -x .venv/bin/yingqiao ]; then
  exec scripts/ui.sh
fi

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; return; fi
  command -v sudo >/dev/null || { echo "需要 root 执行：$*" >&2; return 1; }
  sudo "$@"
}

install() {
  command -v apt-get >/dev/null || { echo "请先安装 $*" >&2; return 1; }
  echo "安装 $* …" >&2
  as_root apt-get update -qq >&2 && as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$@" >&2
}

find_python() {
  for candidate in "${PYTHON:-}" python3 python3.13 python3.12 python3.11; do
    [ -n "$candidate" ] && command -v "$candidate" >/dev/null 2>&1 || continue
    "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { command -v "$candidate"; return; }
  done
  echo "需要 Python 3.11 或更新版本；可用 PYTHON=/path/to/python 指定。" >&2
  return 1
}

python=$(find_python)

find_uv() {
  if command -v uv >/dev/null 2>&1; then command -v uv; return; fi
  if [ ! -x .uv/bin/uv ]; then
    if ! "$python" -m venv .uv >/dev/null 2>&1; then # Debian's Python comes without venv
      rm -rf .uv
      install python3-venv
      "$python" -m venv .uv
    fi
    .uv/bin/pip install --quiet --disable-pip-version-check 'uv>=0.5' >&2
  fi
  echo .uv/bin/uv
}

uv=$(find_uv)
. scripts/mirror.sh

echo "准备 Python 环境 .venv …"
[ -x .venv/bin/python ] || "$uv" venv --quiet --python "$python" .venv
# Compiled now: where Python may not or does not write bytecode, each command would compile for a second.
"$uv" pip sync --quiet --compile-bytecode --python .venv/bin/python --require-hashes requirements.lock
"$uv" pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation --editable .
.venv/bin/python -m compileall -q src/yingqiao
echo "$want" > "$stamp"
exec scripts/ui.sh
