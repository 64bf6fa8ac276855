"""nginx as a peer: a plain web server, as fast as they come."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.helpers.ports import free_port
from tests.peers.dcmtk import end, wait_for_port

PROGRAM = shutil.which("nginx") or "/usr/sbin/nginx"


@contextmanager
def nginx(root: Path, place: Path, tls: str = "") -> Iterator[int]:
    """Serves a folder over http, or https with the PEM file named; gives the port."""
    port = free_port()
    place.mkdir(parents=True, exist_ok=True)
    listen = f"{port} ssl" if tls else str(port)
    secret = f"ssl_certificate {tls}; ssl_certificate_key {tls};" if tls else ""
    user = "user root;" if os.geteuid() == 0 else ""
    config = place / "nginx.conf"
    config.write_text(
        f"""daemon off; {user} worker_processes 1; error_log {place}/error.log; pid {place}/pid;
        events {{ worker_connections 512; }}
        http {{ access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000; {secret}
          client_body_temp_path {place}/b; proxy_temp_path {place}/p; fastcgi_temp_path {place}/f;
          uwsgi_temp_path {place}/u; scgi_temp_path {place}/s;
          server {{ listen 127.0.0.1:{listen}; root {root}; }} }}"""
    )
    process = subprocess.Popen([PROGRAM, "-c", str(config), "-p", str(place)], stderr=subprocess.DEVNULL)
    try:
        wait_for_port(port, process=process)
        yield port
    finally:
        end(process)
