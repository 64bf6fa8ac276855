"""OpenSSH's server as an SFTP peer, on a free port, with keys of its own."""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.helpers.ports import free_port
from tests.peers.dcmtk import end, wait_for_port

PROGRAM = shutil.which("sshd") or "/usr/sbin/sshd"


@dataclass(frozen=True)
class Sshd:
    port: int
    user: str
    key: Path
    """The user's private key."""
    host_key: str
    """`SHA256:…`."""


@contextmanager
def sshd(place: Path) -> Iterator[Sshd]:
    place.mkdir(parents=True, exist_ok=True)
    place.chmod(0o700)
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(place / name)], check=True)
    shown = subprocess.run(
        ["ssh-keygen", "-l", "-f", str(place / "host.pub")], check=True, capture_output=True, text=True
    )
    port = free_port()
    config = place / "sshd_config"
    config.write_text(
        f"""ListenAddress 127.0.0.1:{port}
HostKey {place}/host
PidFile {place}/pid
AuthorizedKeysFile {place}/user.pub
StrictModes no
UsePAM no
PermitRootLogin prohibit-password
PasswordAuthentication no
Subsystem sftp internal-sftp
"""
    )
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # where it drops its privileges; made by the system's service
    process = subprocess.Popen([PROGRAM, "-D", "-e", "-f", str(config)], stderr=subprocess.DEVNULL)
    try:
        wait_for_port(port, process=process)
        yield Sshd(port, getpass.getuser(), place / "user", shown.stdout.split()[1])
    finally:
        end(process)
