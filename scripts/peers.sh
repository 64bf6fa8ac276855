#!/usr/bin/env bash
# Installs the real peers the tests talk to, where it may. All of them are started by the tests, never by the system.
# Arguments name further programs to have, as packages: `scripts/peers.sh wrk` for the HTTP benchmark.
set -euo pipefail
need=()
command -v storescu >/dev/null || need+=(dcmtk)
command -v Orthanc >/dev/null || [ -x /usr/sbin/Orthanc ] || need+=(orthanc)
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null || need+=(postgresql)
command -v nginx >/dev/null || [ -x /usr/sbin/nginx ] || need+=(nginx-light)
command -v sshd >/dev/null || [ -x /usr/sbin/sshd ] || need+=(openssh-server)
command -v vsftpd >/dev/null || [ -x /usr/sbin/vsftpd ] || need+=(vsftpd)
{ command -v cc && printf '#include <stdio.h>\n' | cc -E -; } >/dev/null 2>&1 || need+=(gcc libc6-dev)
command -v mariadbd >/dev/null || [ -x /usr/sbin/mariadbd ] || need+=(mariadb-server)
command -v openssl >/dev/null || need+=(openssl)
command -v qpdf >/dev/null || need+=(qpdf)
command -v java >/dev/null || need+=(default-jdk-headless)
{ command -v mcs && command -v mono; } >/dev/null || need+=(mono-mcs mono-runtime)
[ -e /usr/share/java/bcpkix.jar ] || need+=(libbcpkix-java)
command -v chromium >/dev/null || need+=(chromium fonts-noto-cjk)
for program in "$@"; do
  command -v "$program" >/dev/null || need+=("$program")
done
[ ${#need[@]} -eq 0 ] && exit 0
echo "安装测试所需的真实对端：${need[*]}"
if ! command -v apt-get >/dev/null; then
  echo "这台机器没有 apt-get；请自行安装上述软件后重试。" >&2
  exit 2
fi
root=()
if [ "$(id -u)" != 0 ]; then
  command -v sudo >/dev/null || { echo "安装需要 root；请以 root 执行 scripts/peers.sh $*，或请管理员安装。" >&2; exit 2; }
  root=(sudo)
fi
# Debian starts services as it installs them; these are only to be there.
policy=/usr/sbin/policy-rc.d
made_policy=0
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' | "${root[@]}" tee "$policy" >/dev/null && "${root[@]}" chmod +x "$policy" && made_policy=1
fi
trap '[ "$made_policy" = 0 ] || "${root[@]}" rm -f "$policy"' EXIT
"${root[@]}" apt-get update -qq
"${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${need[@]}" >/dev/null
