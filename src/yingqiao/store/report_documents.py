"""A report version's PDF that has to be brought from its pdf_path (T24): what was asked for and what came."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, select, update

from yingqiao.exchange.fetch import FileState, how_to_register, state_of
from yingqiao.exchange.timeline import DocumentFacts, ReportState, report_state
from yingqiao.exchange.work import WorkError
from yingqiao.store.ledger_rows import DOCUMENT_DUE
from yingqiao.store.link_rows import report_facts
from yingqiao.store.report_seals import mark_due as mark_seals_due
from yingqiao.store.schema import report_documents, reports
from yingqiao.store.text import storable


@dataclass(frozen=True, slots=True)
class WantedDocument:
    id: int
    hospital_code: str
    record_num: str
    submission_id: int
    url: str
    state: str


_COLUMNS = [report_documents.c[name] for name in WantedDocument.__dataclass_fields__]


def due_documents(connection: Connection, limit: int) -> list[WantedDocument]:
    """Documents no work was made for yet, oldest first."""
    wanted = select(*_COLUMNS).where(report_documents.c.state == DOCUMENT_DUE)
    return [
        WantedDocument(*row)
        for row in connection.execute(wanted.order_by(report_documents.c.id).limit(limit))
    ]


def read_document(connection: Connection, document_id: int) -> WantedDocument | None:
    row = connection.execute(select(*_COLUMNS).where(report_documents.c.id == document_id)).first()
    return WantedDocument(*row) if row is not None else None


def await_document(connection: Connection, document_id: int) -> None:
    """Work was made for it."""
    _change(connection, document_id, state=str(FileState.PENDING), error_class="", reason="")


def refuse_document(connection: Connection, document_id: int, error: WorkError) -> None:
    """It did not come."""
    _change(
        connection,
        document_id,
        state=str(state_of(error)),
        error_class=str(error.error_class),
        reason=storable(error.reason),
    )


def keep_document(connection: Connection, wanted: WantedDocument, digest: str, size: int) -> None:
    """It is in the object store as `digest`; the report shows it, if that version is still the one shown."""
    _change(
        connection,
        wanted.id,
        state=str(FileState.DONE),
        object=digest,
        byte_count=size,
        error_class="",
        reason="",
    )
    shown = (
        (reports.c.hospital_code == wanted.hospital_code)
        & (reports.c.record_num == wanted.record_num)
        & (reports.c.submission_id == wanted.submission_id)
    )
    connection.execute(update(reports).where(shown, reports.c.pdf_object == "").values(pdf_object=digest))
    rows = connection.execute(select(reports).where(shown)).all()
    audited = [row.id for row in rows if report_state(report_facts(row)) is ReportState.AUDITED]
    mark_seals_due(connection, audited)


def documents_of(connection: Connection, hospital_code: str, record_num: str) -> list[Row[Any]]:
    """All that was asked for for a report's versions, newest version first."""
    c = report_documents.c
    wanted = select(report_documents).where(c.hospital_code == hospital_code, c.record_num == record_num)
    return list(connection.execute(wanted.order_by(c.submission_id.desc())))


def mend_of(row: Row[Any]) -> str:
    """What the operator does about a document whose address may not be fetched; '' for others."""
    if row.state != str(FileState.REFUSED):
        return ""
    command = how_to_register(row.hospital_code, row.url)
    return f"用 {command} 登记后自动取回" if command else "请医疗机构改正 pdf_path"


def document_facts(connection: Connection, hospital_code: str, record_num: str) -> list[DocumentFacts]:
    """The same for an exam's timeline."""
    return [
        DocumentFacts(
            row.updated_at,
            record_num,
            row.submission_id,
            row.state == str(FileState.DONE),
            row.reason,
            mend_of(row),
        )
        for row in documents_of(connection, hospital_code, record_num)
    ]


def _change(connection: Connection, document_id: int, **values: Any) -> None:
    now = time.time_ns() // 10**6
    mine = report_documents.c.id == document_id
    connection.execute(update(report_documents).where(mine).values(**values, updated_at=now))
