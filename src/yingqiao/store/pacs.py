"""The hospitals' Q/R nodes: registered, shown, disabled, and what was learned of them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, delete, false, insert, select, update
from sqlalchemy.exc import IntegrityError

from yingqiao.exchange.pacs import (
    NewPacsNode,
    PacsAddress,
    PacsError,
    PacsOptions,
    RetrieveBy,
    checked,
    destination_of,
)
from yingqiao.exchange.timeline import ExamState
from yingqiao.exchange.windows import WindowError
from yingqiao.exchange.work import LineLimits
from yingqiao.store.database import Database
from yingqiao.store.errors import HospitalError
from yingqiao.store.schema import exams, hospitals, pacs_nodes, work_destinations
from yingqiao.store.work.destinations import ensure, hold, resume

DISABLED = "PACS 节点已停用"


@dataclass(frozen=True, slots=True)
class PacsNode:
    """A registered node."""

    id: int
    hospital_code: str
    name: str
    address: PacsAddress
    calling_aet: str
    retrieve_by: RetrieveBy
    charset: str
    options: PacsOptions
    limits: LineLimits
    disabled: bool
    destination: str
    created_at: int


def add_node(database: Database, node: NewPacsNode) -> PacsNode:
    """Registers a node. Raises HospitalError (no such hospital, name taken, bad value), StoreUnavailable."""
    try:
        node = checked(node)
    except PacsError as error:
        raise HospitalError(str(error)) from error
    destination = destination_of(node.hospital_code, node.name)
    try:
        with database.write() as connection:
            _ensure_line(connection, node, destination)
            connection.execute(insert(pacs_nodes).values(_row(node, destination)))
            _catch_up(connection, node.hospital_code)
            return get_node(connection, node.hospital_code, node.name)
    except IntegrityError as error:
        raise HospitalError(f"医疗机构 {node.hospital_code} 已有 PACS 节点 {node.name}") from error


def _ensure_line(connection: Connection, node: NewPacsNode, destination: str) -> None:
    known = connection.scalar(select(hospitals.c.code).where(hospitals.c.code == node.hospital_code))
    if known is None:
        raise HospitalError(f"没有医疗机构 {node.hospital_code}")
    try:
        ensure(connection, destination, node.hospital_code, node.limits)
    except WindowError as error:
        raise HospitalError(str(error)) from error
    resume(connection, destination)


def list_nodes(
    connection: Connection, hospital_code: str = "", *, enabled_only: bool = False
) -> list[PacsNode]:
    """Nodes by hospital, in the order of their registration."""
    where: list[ColumnElement[bool]] = []
    if hospital_code:
        where.append(pacs_nodes.c.hospital_code == hospital_code)
    if enabled_only:
        where.append(pacs_nodes.c.disabled == false())
    rows = connection.execute(_NODES.where(*where).order_by(pacs_nodes.c.hospital_code, pacs_nodes.c.id))
    return [_node(row) for row in rows]


def find_node(connection: Connection, hospital_code: str, name: str) -> PacsNode | None:
    where = (pacs_nodes.c.hospital_code == hospital_code) & (pacs_nodes.c.name == name)
    row = connection.execute(_NODES.where(where)).first()
    return _node(row) if row is not None else None


def get_node(connection: Connection, hospital_code: str, name: str) -> PacsNode:
    """Raises HospitalError when there is none."""
    node = find_node(connection, hospital_code, name)
    if node is None:
        raise HospitalError(f"医疗机构 {hospital_code} 没有 PACS 节点 {name}")
    return node


def learn(database: Database, node: PacsNode, learned: str) -> None:
    """Keeps what was learned of the node (`PacsOptions.learned`). Raises StoreUnavailable."""
    options = replace(node.options, learned=learned).to_json()
    with database.write() as connection:
        connection.execute(update(pacs_nodes).where(pacs_nodes.c.id == node.id).values(options=options))


def remove_node(database: Database, hospital_code: str, name: str) -> int:
    """Takes a node away and cancels what was still to be pulled from it; how much that was.

    Raises HospitalError, StoreUnavailable.
    """
    from yingqiao.store.work.actions import (
        Action,
        Order,
        act_on_all,
    )  # they show exams, which show their pulls
    from yingqiao.store.work.queries import WorkFilter

    with database.write() as connection:
        node = get_node(connection, hospital_code, name)
        connection.execute(delete(pacs_nodes).where(pacs_nodes.c.id == node.id))
    return act_on_all(database, Order(Action.CANCEL), WorkFilter(destination=node.destination))


def set_disabled(database: Database, hospital_code: str, name: str, *, disabled: bool) -> None:
    """A disabled node is asked for nothing, and what waits for it waits. Raises HospitalError,
    StoreUnavailable."""
    with database.write() as connection:
        node = get_node(connection, hospital_code, name)
        connection.execute(update(pacs_nodes).where(pacs_nodes.c.id == node.id).values(disabled=disabled))
        if disabled:
            hold(connection, node.destination, DISABLED)
        elif node.disabled:
            resume(connection, node.destination)
            _catch_up(connection, hospital_code)


def _catch_up(connection: Connection, hospital_code: str) -> None:
    """Exams that wait for images are looked at again: a report audited before there was a node counts too."""
    waiting = (exams.c.state == str(ExamState.WAITING_IMAGES)) & (exams.c.hospital_code == hospital_code)
    connection.execute(update(exams).where(waiting).values(link_due=True))


def plain_node(node: PacsNode) -> Mapping[str, Any]:
    """The node as lists and the API show it: one level, no secrets in it."""
    options = {name: value for name, value in asdict(node.options).items() if name != "learned"}
    return {
        "hospital_code": node.hospital_code,
        "name": node.name,
        "address": str(node.address),
        "ae_title": node.address.ae_title,
        "host": node.address.host,
        "port": node.address.port,
        "calling_aet": node.calling_aet,
        "retrieve_by": str(node.retrieve_by),
        "learned": node.options.learned,
        "charset": node.charset,
        **options,
        **asdict(node.limits),
        "disabled": node.disabled,
        "destination": node.destination,
        "created_at": node.created_at,
    }


def _row(node: NewPacsNode, destination: str) -> dict[str, Any]:
    return {
        "hospital_code": node.hospital_code,
        "name": node.name,
        "ae_title": node.address.ae_title,
        "host": node.address.host,
        "port": node.address.port,
        "calling_aet": node.calling_aet,
        "retrieve_by": str(node.retrieve_by),
        "charset": node.charset,
        "options": node.options.to_json(),
        "disabled": False,
        "destination": destination,
        "created_at": time.time_ns() // 10**6,
    }


_NODES = select(
    pacs_nodes,
    work_destinations.c.max_parallel,
    work_destinations.c.bytes_per_second,
    work_destinations.c.windows,
).join(work_destinations, work_destinations.c.name == pacs_nodes.c.destination)


def _node(row: Row[Any]) -> PacsNode:
    return PacsNode(
        id=row.id,
        hospital_code=row.hospital_code,
        name=row.name,
        address=PacsAddress(row.ae_title, row.host, row.port),
        calling_aet=row.calling_aet,
        retrieve_by=RetrieveBy(row.retrieve_by),
        charset=row.charset,
        options=PacsOptions.from_json(row.options),
        limits=LineLimits(row.max_parallel, row.bytes_per_second, row.windows),
        disabled=row.disabled,
        destination=row.destination,
        created_at=row.created_at,
    )
