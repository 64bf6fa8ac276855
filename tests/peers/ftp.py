"""Real FTP servers: pyftpdlib with names in GBK, as Chinese hospitals' Windows servers have them; vsftpd with TLS."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.helpers.ports import free_port
from tests.peers.dcmtk import end, wait_for_port

VSFTPD = shutil.which("vsftpd") or "/usr/sbin/vsftpd"
USER, PASSWORD = "pacs", "p@ss:word/机"

_PROGRAM = """
    import sys
    from pyftpdlib.authorizers import DummyAuthorizer
    from pyftpdlib.handlers import DTPHandler, FTPHandler
    from pyftpdlib.servers import FTPServer

    root, port, encoding, cut, user, password, log = sys.argv[1:]

    class Handler(FTPHandler):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.encoding = encoding
        def pre_process_command(self, line, cmd, arg):
            with open(log, "a", encoding="utf-8") as file:
                file.write(f"{cmd} {arg if cmd != 'PASS' else ''}\\n")
            super().pre_process_command(line, cmd, arg)

    class Cutting(DTPHandler):
        def handle_write(self):
            super().handle_write()
            if int(cut) and self.tot_bytes_sent >= int(cut):
                self.transfer_finished = False
                self.close()

    Handler.dtp_handler = Cutting
    Handler.ac_out_buffer_size = 16384
    Handler.authorizer = DummyAuthorizer()
    Handler.authorizer.add_user(user, password, root, perm="elr")
    Handler.authorizer.add_anonymous(root)
    FTPServer(("127.0.0.1", int(port)), Handler).serve_forever()
"""


@contextmanager
def ftp_server(
    root: Path, *, encoding: str = "gb18030", cut: int = 0, log: Path | None = None
) -> Iterator[int]:
    """Serves a folder whose names are those of the system; on the wire they are in `encoding`. `cut`: every data
    connection is cut after about so many bytes. `log` gets the commands.
    """
    port = free_port()
    log = log or Path(os.devnull)
    command = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(_PROGRAM)]
    command += [str(root), str(port), encoding, str(cut), USER, PASSWORD, str(log)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        wait_for_port(port, process=process)
        yield port
    finally:
        end(process)


@contextmanager
def vsftpd(root: Path, place: Path, pem: Path, *, implicit: bool = False) -> Iterator[int]:
    """Serves a folder to anonymous users, over TLS only."""
    port = free_port()
    place.mkdir(parents=True, exist_ok=True)
    config = place / "vsftpd.conf"
    config.write_text(
        f"""listen=YES
listen_address=127.0.0.1
listen_port={port}
background=NO
anonymous_enable=YES
anon_root={root}
no_anon_password=YES
ssl_enable=YES
allow_anon_ssl=YES
force_anon_logins_ssl=YES
force_anon_data_ssl=YES
implicit_ssl={"YES" if implicit else "NO"}
rsa_cert_file={pem}
rsa_private_key_file={pem}
require_ssl_reuse=YES
seccomp_sandbox=NO
secure_chroot_dir={place}
{"" if os.geteuid() == 0 else "run_as_launching_user=YES"}
"""
    )
    process = subprocess.Popen([VSFTPD, str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for_port(port, process=process)
        yield port
    finally:
        end(process)
