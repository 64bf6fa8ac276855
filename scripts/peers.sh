#!/usr/bin/env bash
# Installs the real peers the tests talk to, where it may. Orthanc and PostgreSQL are started by the tests, never by the system.
set -euo pipefail
need=()
command -v storescu >/dev/null || need+=(dcmtk)
command -v Orthanc >/dev/null || need+=(orthanc)
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || need+=(postgresql)
command -v cc >/dev/null || need+=(gcc libc6-dev)
[ ${#need[@]} -eq 0 ] && exit 0
echo "安装测试所需的真实对端：${need[*]}"
root=(); [ "$(id -u)" = 0 ] || root=(sudo)
policy=/usr/sbin/policy-rc.d
made_policy=0
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' | "${root[@]}" tee "$policy" >/dev/null && "${root[@]}" chmod +x "$policy" && made_policy=1
fi
trap '[ "$made_policy" = 1 ] && "${root[@]}" rm -f "$policy"' EXIT
"${root[@]}" apt-get update -qq
"${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${need[@]}" >/dev/null
