"""Connections to a hospital's database: read only, with time limits, told apart by dialect."""

from __future__ import annotations

import sqlite3
import time
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from yingqiao.hospital.mapping import ConfigError

_EXTRAS = {"oracle": "oracle", "mssql": "mssql", "mysql": "mysql", "mariadb": "mysql"}
_CONNECT_SECONDS = 10
_SQLITE_STEPS = 10_000
_NOW = {
    "postgresql": "SELECT now() AT TIME ZONE 'UTC'",
    "sqlite": "SELECT strftime('%Y-%m-%d %H:%M:%f', 'now')",
    "mysql": "SELECT UTC_TIMESTAMP()",
    "mariadb": "SELECT UTC_TIMESTAMP()",
    "oracle": "SELECT SYS_EXTRACT_UTC(SYSTIMESTAMP) FROM DUAL",
    "mssql": "SELECT SYSUTCDATETIME()",
}


def open_engine(said: str, folder: Path, timeout: float, zone: tzinfo) -> Engine:
    """An engine whose connections only read and whose statements end after `timeout` seconds; nothing connects yet.

    Raises ConfigError for a URL that cannot be, and for a driver that is not installed.
    """
    try:
        url = _driven(make_url(said), folder)
        # one for what changed, one for what was asked, and a few that ask at once
        options: dict[str, Any] = {
            "pool_pre_ping": True,
            "pool_size": 2,
            "max_overflow": 8,
            "pool_recycle": 1800,
        }
        engine = create_engine(url, connect_args=_connect_args(url, timeout), hide_parameters=True, **options)
    except (ArgumentError, NoSuchModuleError, ValueError) as error:
        raise ConfigError(
            "不是 SQLAlchemy 的数据库地址，如 postgresql://用户:密码@主机:5432/库", "url"
        ) from error
    except ImportError as error:
        raise ConfigError(_missing_driver(said, error), "url") from error
    event.listen(engine, "connect", lambda raw, _record: _prepare(engine.dialect.name, raw, timeout, zone))
    return engine


def database_now(connection: Any, dialect: str, zone: tzinfo) -> datetime | None:
    """The database's clock, aware, in `zone`; None where the dialect is not known."""
    statement = _NOW.get(dialect)
    if statement is None:
        return None
    said = connection.execute(text(statement.replace(":", r"\:"))).scalar_one()
    moment = datetime.fromisoformat(said) if isinstance(said, str) else said
    return moment.replace(tzinfo=UTC).astimezone(zone) if isinstance(moment, datetime) else None


def read_only_options(dialect: str) -> dict[str, Any]:
    """Execution options of a connection: a transaction that can only read, a cursor that streams."""
    options: dict[str, Any] = {"stream_results": True, "max_row_buffer": 500}
    if dialect == "postgresql":
        options |= {"postgresql_readonly": True}
    return options


def _driven(url: URL, folder: Path) -> URL:
    """With the driver we ship, and SQLite's file beside the configuration."""
    drivers = {"postgresql": "postgresql+psycopg", "mysql": "mysql+pymysql", "mariadb": "mariadb+pymysql"}
    drivers |= {"oracle": "oracle+oracledb", "mssql": "mssql+pyodbc"}
    url = url.set(drivername=drivers.get(url.drivername, url.drivername))
    if url.get_backend_name() == "sqlite":
        if not url.database or url.database == ":memory:":
            raise ConfigError("SQLite 要写明文件，如 sqlite:///ris.db", "url")
        url = url.set(database=str(folder / url.database))
    return url


def _connect_args(url: URL, timeout: float) -> dict[str, Any]:
    reading = int(timeout) + 30
    by_driver: dict[str, dict[str, Any]] = {
        "psycopg": {
            "connect_timeout": _CONNECT_SECONDS,
            "options": f"-c statement_timeout={int(timeout * 1000)}",
        },
        "pymysql": {"connect_timeout": _CONNECT_SECONDS, "read_timeout": reading, "charset": "utf8mb4"},
        "oracledb": {"tcp_connect_timeout": _CONNECT_SECONDS},
        "pyodbc": {"timeout": _CONNECT_SECONDS, "readonly": True},
    }
    given = by_driver.get(url.get_driver_name(), {})
    return {name: value for name, value in given.items() if name not in url.query}


def _missing_driver(said: str, error: ImportError) -> str:
    extra = _EXTRAS.get(said.partition(":")[0].partition("+")[0])
    how = f"请安装 yingqiao[{extra}]" if extra else "请安装该驱动"
    return f"缺少数据库驱动 {error.name or ''}，{how}"


def _prepare(dialect: str, raw: Any, timeout: float, zone: tzinfo) -> None:
    """A fresh connection: reads only, gives up in time, tells times in the source's zone."""
    if dialect == "sqlite":
        _prepare_sqlite(raw, timeout)
    elif dialect in ("mysql", "mariadb"):
        _prepare_mysql(raw, timeout, _offset(zone))
    elif dialect == "oracle":
        raw.call_timeout = int(timeout * 1000)
        _run(raw, f"ALTER SESSION SET TIME_ZONE = '{_offset(zone)}'")
    elif dialect == "mssql":
        raw.timeout = int(timeout)


def _prepare_sqlite(raw: sqlite3.Connection, timeout: float) -> None:
    raw.execute("PRAGMA query_only = ON")
    raw.text_factory = _text_or_bytes
    started = [time.monotonic()]

    def too_long() -> bool:
        return time.monotonic() - started[0] > timeout

    def begun(_statement: str) -> None:
        started[0] = time.monotonic()

    raw.set_trace_callback(begun)
    raw.set_progress_handler(too_long, _SQLITE_STEPS)


def _text_or_bytes(raw: bytes) -> str | bytes:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw


def _prepare_mysql(raw: Any, timeout: float, offset: str) -> None:
    _run(raw, "SET SESSION TRANSACTION READ ONLY")
    _run(raw, f"SET time_zone = '{offset}'")
    if "mariadb" in str(raw.get_server_info()).lower():
        _run(raw, f"SET SESSION max_statement_time = {int(timeout)}")
    else:
        _run(raw, f"SET SESSION max_execution_time = {int(timeout * 1000)}")


def _run(raw: Any, statement: str) -> None:
    cursor = raw.cursor()
    try:
        cursor.execute(statement)
    finally:
        cursor.close()


def _offset(zone: tzinfo) -> str:
    said = datetime.now(zone).strftime("%z")
    return f"{said[:3]}:{said[3:5]}"
