"""A private MariaDB, real, for one test session: own folder, own port, own databases."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pymysql
import pytest

from tests.helpers.ports import free_port

_START_SECONDS = 240


@dataclass
class MariadbServer:
    """A server that can be stopped and started by a test."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    def url(self, database: str) -> str:
        return f"mysql+pymysql://reader:secret@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Until it answers. Raises RuntimeError with the log's end."""
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [_program("mariadbd", "mysqld"), *self._options()],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )
        deadline = time.monotonic() + _START_SECONDS
        while not self._listens():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((self.folder / "log").read_text(errors="replace")[-2000:])
            time.sleep(0.1)

    def _listens(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self.folder / "s")) == 0

    def stop(self) -> None:
        """At once, as a crash."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def connect(self, database: str | None = None, charset: str = "utf8mb4") -> pymysql.Connection:
        """As the administrator, each statement by itself."""
        return pymysql.connect(
            unix_socket=str(self.folder / "s"),
            user=_user(),
            database=database,
            charset=charset,
            autocommit=True,
        )

    def execute(self, statement: str, database: str | None = None) -> None:
        connection = self.connect(database)
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement)
        finally:
            connection.close()

    def _options(self) -> list[str]:
        return [
            "--no-defaults",
            f"--datadir={self.folder / 'data'}",
            _own_place(self.folder),
            f"--socket={self.folder / 's'}",
            f"--pid-file={self.folder / 'pid'}",
            f"--port={self.port}",
            f"--user={_user()}",
            "--bind-address=127.0.0.1",
            "--innodb-buffer-pool-size=32M",
            "--innodb-flush-log-at-trx-commit=0",
            "--skip-log-bin",
        ]


def _own_place(folder: Path) -> str:
    """For temporary tables: a server that starts deletes those it finds, also another's that starts beside it."""
    place = folder / "tmp"
    place.mkdir(exist_ok=True)
    return f"--tmpdir={place}"


def _user() -> str:
    return "root" if os.geteuid() == 0 else getpass.getuser()


def _program(*names: str) -> str:
    for name in names:
        found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/libexec")
        if found:
            return found
    pytest.fail("MariaDB is not installed: run scripts/peers.sh")


def start_mariadb(folder: Path) -> MariadbServer:
    """Make and start a server in `folder`."""
    install = _program("mariadb-install-db", "mysql_install_db")
    command = [
        install,
        "--no-defaults",
        f"--datadir={folder / 'data'}",
        _own_place(folder),
        "--auth-root-authentication-method=socket",
    ]
    command += [f"--user={_user()}", f"--auth-root-socket-user={_user()}", "--skip-test-db"]
    made = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, check=False)
    if made.returncode:
        raise RuntimeError(made.stderr.decode(errors="replace")[-2000:])
    server = MariadbServer(folder, free_port())
    server.start()
    server.execute("CREATE USER reader IDENTIFIED BY 'secret'")
    server.execute("GRANT ALL ON `t\\_%`.* TO reader")
    return server


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariadbServer]:
    """The session's server (one for each xdist worker). Stop it only if you start it again."""
    folder = Path(tempfile.mkdtemp(prefix="yq-my-"))  # a socket's path must be short
    server = MariadbServer(folder, 0)
    try:
        server = start_mariadb(folder)
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def mariadb_url(mariadb: MariadbServer) -> Iterator[str]:
    """URL of an empty database."""
    name = f"t_{uuid.uuid4().hex}"
    mariadb.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
    yield mariadb.url(name)
    mariadb.execute(f"DROP DATABASE {name}")
