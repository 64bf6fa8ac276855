"""Hospitals' query services (/exam/get, /report/get, /series/get): where they are, and how they are talked to (T100)."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from sqlalchemy import Connection, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from yingqiao.store.errors import HospitalError
from yingqiao.store.fetch_hosts import destination_of
from yingqiao.store.schema import hospital_queries, hospitals
from yingqiao.store.work import destinations

_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
MAX_DAYS = 92


@dataclass(frozen=True, slots=True)
class QueryService:
    """A hospital's query services as registered."""

    hospital_code: str
    url: str
    sm4: bool
    """In the standard's envelope with the hospital's current key; else plain JSON."""
    private: bool = False
    """May be at a private, loopback or link-local address."""
    nightly: str = ""
    """HH:MM Beijing time of the nightly comparison; '' = none."""
    days: int = 2
    """How many past days the nightly comparison covers."""
    mend: bool = True
    """Take what is missing by itself."""
    destination: str = ""
    asked_for: str = ""


def set_service(connection: Connection, service: QueryService) -> QueryService:
    """Register, or change, a hospital's query services. Raises HospitalError."""
    if connection.scalar(select(hospitals.c.code).where(hospitals.c.code == service.hospital_code)) is None:
        raise HospitalError(f"没有医疗机构 {service.hospital_code}")
    address = _address(service.url)
    if service.nightly and not _TIME.fullmatch(service.nightly):
        raise HospitalError("每夜比对的时间应写作 HH:MM，如 02:30")
    if not 1 <= service.days <= MAX_DAYS:
        raise HospitalError(f"比对的天数应在 1 到 {MAX_DAYS} 之间")
    line = destination_of(service.hospital_code, *address)
    destinations.ensure(connection, line, service.hospital_code)
    values = {
        "url": service.url.rstrip("/"),
        "sm4": service.sm4,
        "private": service.private,
        "nightly": service.nightly,
        "days": service.days,
        "mend": service.mend,
        "destination": line,
    }
    insert = (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(hospital_queries)
    row = values | {
        "hospital_code": service.hospital_code,
        "asked_for": "",
        "created_at": time.time_ns() // 10**6,
    }
    connection.execute(
        insert.values(row).on_conflict_do_update(index_elements=["hospital_code"], set_=values)
    )
    found = get_service(connection, service.hospital_code)
    if found is None:
        raise HospitalError("登记未成")
    return found


def remove_service(connection: Connection, hospital_code: str) -> bool:
    """True when there was one."""
    mine = hospital_queries.c.hospital_code == hospital_code
    return connection.execute(delete(hospital_queries).where(mine)).rowcount > 0


def get_service(connection: Connection, hospital_code: str) -> QueryService | None:
    return next(iter(list_services(connection, hospital_code)), None)


def list_services(connection: Connection, hospital_code: str | None = None) -> Sequence[QueryService]:
    """All by hospital, or the one of a hospital."""
    h = hospital_queries.c
    statement = select(hospital_queries).order_by(h.hospital_code)
    if hospital_code is not None:
        statement = statement.where(h.hospital_code == hospital_code)
    return [
        QueryService(
            row.hospital_code,
            row.url,
            row.sm4,
            row.private,
            row.nightly,
            row.days,
            row.mend,
            row.destination,
            row.asked_for,
        )
        for row in connection.execute(statement)
    ]


def claim_night(connection: Connection, hospital_code: str, day: str) -> bool:
    """Whether the nightly comparison of `day` is still to be asked for, and by us."""
    h = hospital_queries.c
    mine = (h.hospital_code == hospital_code, h.asked_for < day)
    return connection.execute(update(hospital_queries).where(*mine).values(asked_for=day)).rowcount > 0


def _address(url: str) -> tuple[str, str, int]:
    """Scheme, host, port. Raises HospitalError."""
    try:
        parts = urlsplit(url.strip())
        port = parts.port or 0
    except ValueError as error:
        raise HospitalError(f"地址不对：{url}") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise HospitalError("查询接口地址应写作 http://主机:端口 或 https://主机:端口")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise HospitalError("查询接口地址中不能有用户名、密码、? 或 #")
    return parts.scheme, parts.hostname, port
