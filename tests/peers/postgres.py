"""A private PostgreSQL, real, for one test session: own folder, own port, own databases."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from tests.helpers.ports import free_port

_OWNER = "postgres"
_SETTINGS = {
    "max_connections": "100",
    "shared_buffers": "64MB",
    "max_wal_size": "512MB",
    "log_min_messages": "warning",
    "timezone": "'UTC'",
    # No test cuts the power: what was committed outlives a crash of the server without these, and each of a thousand
    # databases is made in a hundredth of the time.
    "fsync": "off",
    "full_page_writes": "off",
}


@dataclass(frozen=True)
class PostgresServer:
    """A cluster that can be stopped and started by a test."""

    folder: Path
    port: int

    def url(self, database: str, driver_socket: bool = True) -> str:
        """A `postgresql://` URL, by the Unix socket or by loopback."""
        if driver_socket:
            return f"postgresql://{_OWNER}@/{database}?host={self.folder}&port={self.port}"
        return f"postgresql://{_OWNER}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        options = " ".join(f"-c {name}={value}" for name, value in _SETTINGS.items())
        log = str(self.folder / "log")
        _run("pg_ctl", "start", "-w", "-t", "180", "-D", str(self.folder / "data"), "-l", log, "-o", options)

    def stop(self, mode: str = "fast") -> None:
        """`fast` closes every session; `immediate` is a crash."""
        _run("pg_ctl", "stop", "-w", "-t", "180", "-m", mode, "-D", str(self.folder / "data"))

    def execute(self, statement: str) -> None:
        """Outside any transaction, in the maintenance database."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement)

    def new_database(self, template: str = "template0") -> str:
        """The name of a new database."""
        name = f"t_{uuid.uuid4().hex}"
        self.execute(f'CREATE DATABASE {name} TEMPLATE {template} ENCODING "UTF8"')
        return name

    def drop_database(self, name: str) -> None:
        self.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def postgres_binaries() -> Path:
    """Debian's folder of the newest version. Fails the test when PostgreSQL is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[-3]))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    if on_path is None:
        pytest.fail("PostgreSQL is not installed: run scripts/peers.sh")
    return Path(on_path).resolve().parent


def start_postgres(folder: Path) -> PostgresServer:
    """Make and start a cluster in `folder`, owned by the user that may run it."""
    if os.geteuid() == 0:
        owner = pwd.getpwnam(_OWNER)
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    data = str(folder / "data")
    _run("initdb", "-D", data, "-U", _OWNER, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
    port = free_port()
    with (folder / "data" / "postgresql.conf").open("a") as configuration:
        configuration.write(f"port = {port}\nlisten_addresses = '127.0.0.1'\n")
        configuration.write(f"unix_socket_directories = '{folder}'\n")
    server = PostgresServer(folder, port)
    server.start()
    return server


def _run(program: str, *arguments: str) -> None:
    command = [str(postgres_binaries() / program), *arguments]
    if os.geteuid() == 0:
        command = ["runuser", "-u", _OWNER, "--", *command]
    # pg_ctl's server inherits the pipes: a file lets us read what it said without waiting for the server's
    # end.
    with tempfile.TemporaryFile() as said:
        result = subprocess.run(
            command, stdout=said, stderr=said, stdin=subprocess.DEVNULL, cwd="/", check=False
        )
        said.seek(0)
        if result.returncode:
            raise RuntimeError(f"{program} failed: {said.read().decode(errors='replace')[-2000:]}")


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """The session's cluster (one for each xdist worker). Stop it only if you start it again."""
    # Not pytest's tmp_path: its parents are closed to the user the server runs as; socket paths must be
    # short.
    folder = Path(tempfile.mkdtemp(prefix="yq-pg-"))
    server = start_postgres(folder)
    try:
        yield server
    finally:
        try:
            server.stop("immediate")
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_template(postgres: PostgresServer) -> str:
    """A database with our schema, to be copied: quicker than migrating each time."""
    from yingqiao.store.database import open_database

    name = postgres.new_database()
    database = open_database(postgres.url(name))
    database.migrate()
    database.close()
    return name


@pytest.fixture
def postgres_url(postgres: PostgresServer, postgres_template: str) -> Iterator[str]:
    """URL of a fresh database with our schema."""
    name = postgres.new_database(postgres_template)
    yield postgres.url(name)
    postgres.drop_database(name)


@pytest.fixture
def postgres_empty_url(postgres: PostgresServer) -> Iterator[str]:
    """URL of a database without tables."""
    name = postgres.new_database()
    yield postgres.url(name)
    postgres.drop_database(name)


def wait_until_ready(server: PostgresServer, seconds: float = 120) -> None:
    """Until the server accepts a query."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            server.execute("SELECT 1")
        except psycopg.Error:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return
