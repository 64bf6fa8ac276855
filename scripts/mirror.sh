#!/usr/bin/env bash
# Sourced by setup.sh and lock.sh, with $python set: lets uv find packages where pip would.
# uv reads neither pip's configuration nor, by itself, the system's certificates; a hospital's internal mirror and authority,
# set up for pip or for the system, are honoured here.
pip_setting() { { "$python" -m pip config get "global.$1" || .uv/bin/pip config get "global.$1"; } 2>/dev/null || true; }
if [ -z "${UV_DEFAULT_INDEX:-}${UV_INDEX_URL:-}" ]; then
  index=$(pip_setting index-url)
  [ -z "$index" ] || export UV_DEFAULT_INDEX="$index"
fi
if [ -z "${SSL_CERT_FILE:-}" ]; then
  certificates=${PIP_CERT:-$(pip_setting cert)}
  [ -n "$certificates" ] || certificates=/etc/ssl/certs/ca-certificates.crt
  [ ! -s "$certificates" ] || export SSL_CERT_FILE="$certificates"
fi
