"""Receipts of what is kept: made from it, and verified against it and against the day's closed entry."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, select

from yingqiao.exchange.balance import EntryKind, digest_of
from yingqiao.exchange.clock import day_bounds, day_of_ms
from yingqiao.exchange.documents import REFERENCE
from yingqiao.exchange.model import Outcome
from yingqiao.exchange.receipt import Receipt, ReceiptKind, leaf_of
from yingqiao.gm import sm3
from yingqiao.store.compression import decompress
from yingqiao.store.errors import StoredBodyBroken
from yingqiao.store.landing import LandingReader
from yingqiao.store.objects import LocalObjects
from yingqiao.store.queries.common import Range, received_within
from yingqiao.store.schema import balance_entries, instances, series, studies, submissions

_PAGE = 500
_REFERENCE = REFERENCE.encode() + b"sha256:"
_HEX = 64


@dataclass(frozen=True, slots=True)
class Checked:
    """A receipt held against what is stored now."""

    receipt: Receipt
    faults: tuple[str, ...]
    """Chinese; none = everything is as it was received."""
    entry: str
    """Where it is bound: `第 3 条（2026-01-01 结账）`; '' when its day is not closed yet."""


def submission_receipt(connection: Connection, number: int) -> Receipt | None:
    """Of an accepted submission; None when there is none of this id. Raises StoredBodyBroken."""
    row = connection.execute(_submissions().where(submissions.c.id == number)).first()
    return None if row is None else _of_submission(row, decompress(row.body))


def instance_receipts(connection: Connection, sop_uid: str) -> list[Receipt]:
    """Of every content received under a SOP instance UID, oldest first."""
    statement = _instances().where(instances.c.sop_uid == sop_uid).order_by(instances.c.id)
    return [_of_instance(row) for row in connection.execute(statement)]


def record_receipts(
    connection: Connection, hospital_code: str, exam: str = "", report: str = ""
) -> list[Receipt]:
    """Of every accepted version of an exam or report, oldest first."""
    s = submissions.c
    named = s.exam_key == exam if exam else s.report_key == report
    statement = _submissions().where(s.hospital_code == hospital_code, named).order_by(s.id)
    return [_of_submission(row, decompress(row.body)) for row in connection.execute(statement)]


def of_day(connection: Connection, hospital_code: str, day: str) -> Iterator[Receipt]:
    """Of everything accepted from a hospital on a day (Beijing), by id; a page in memory at a time."""
    start, end = day_bounds(day)
    wanted = Range(start, end)
    s, i = submissions.c, instances.c
    when = received_within(connection, submissions, "received_at", wanted)
    paged = _submissions().where(s.hospital_code == hospital_code, *when).order_by(s.id).limit(_PAGE)
    last = 0
    while rows := connection.execute(paged.where(s.id > last)).all():
        last = rows[-1].id
        yield from (_of_submission(row, decompress(row.body)) for row in rows)
    when = received_within(connection, instances, "received_at", wanted)
    images = _instances().where(studies.c.hospital_code == hospital_code, *when).order_by(i.id).limit(_PAGE)
    last = 0
    while rows := connection.execute(images.where(i.id > last)).all():
        last = rows[-1].id
        yield from map(_of_instance, rows)


def verify_submission(connection: Connection, objects: LocalObjects, number: int) -> Checked | None:
    """What is stored now, against the digest taken on arrival and the day's entry; None = no such submission."""
    row = connection.execute(_submissions().where(submissions.c.id == number)).first()
    if row is None:
        return None
    found: list[str] = []
    try:
        body = decompress(row.body)
    except StoredBodyBroken as error:
        body = b""
        found.append(f"保存的内容已损坏：{error}")
    receipt = _of_submission(row, body)
    if not found and not receipt.documents and hashlib.sha256(body).digest() != row.digest:
        found.append("保存的内容与收到时的 SHA-256 不符，已被改动")
    found += [problem for digest in receipt.documents if (problem := _document(objects, digest))]
    return _bound(connection, receipt, found)


def verify_instance(connection: Connection, landing: LandingReader, receipt: Receipt) -> Checked:
    """The dataset as it lies in the landing area now, against the digest taken on arrival and the day's entry."""
    row = connection.execute(select(instances).where(instances.c.id == receipt.id)).one()
    found: list[str] = []
    running, other = hashlib.sha256(), sm3.new()
    try:
        size = row.length - row.dataset_offset
        for chunk in landing.chunks(row.segment, row.offset + row.dataset_offset, size):
            running.update(chunk)
            other.update(chunk)
    except (OSError, EOFError) as error:
        found.append(f"影像文件 {row.segment} 读不出来：{error}")
    else:
        receipt = _with_sm3(receipt, other.hexdigest())
        if running.digest() != row.digest:
            found.append("影像内容与收到时的 SHA-256 不符，已被改动")
    return _bound(connection, receipt, found)


def _with_sm3(receipt: Receipt, digest: str) -> Receipt:
    from msgspec import structs

    return structs.replace(receipt, sm3=digest)


def _bound(connection: Connection, receipt: Receipt, found: list[str]) -> Checked:
    """With what the hospital's chain says of it."""
    b = balance_entries.c
    day = day_of_ms(receipt.received_at)
    rows = connection.execute(
        select(b.sequence, b.kind, b.leaves, b.previous, b.content, b.digest)
        .where(b.day == day, b.hospital_code == receipt.hospital_code)
        .order_by(b.sequence)
    ).all()
    place = ""
    for row in rows:
        leaf = leaf_of(row.leaves, receipt.kind, receipt.id)
        if leaf is None:
            continue
        kind = "结账" if row.kind == EntryKind.CLOSE else "补记"
        place = f"第 {row.sequence} 条（{day} {kind}）"
        if leaf != receipt.leaf():
            found.append(f"与{place}中的凭证不符：编号、时间、来源或内容在那之后被改动")
        if row.digest != digest_of(row.previous, decompress(row.content), row.leaves):
            found.append(f"{place}自身已被改动")
        break
    if rows and not place:
        found.append(f"{day} 已结账，但其中没有这张凭证")
    return Checked(receipt, tuple(found), place)


def _document(objects: LocalObjects, digest: str) -> str:
    try:
        with objects.open(digest) as stream:
            actual = hashlib.sha256(stream.read()).hexdigest()
    except FileNotFoundError:
        return f"内嵌文档 {digest} 不在对象存储中"
    return "" if digest == f"sha256:{actual}" else f"内嵌文档 {digest} 的内容已被改动"


def _submissions() -> Select[Any]:
    return select(submissions).where(submissions.c.outcome == str(Outcome.ACCEPTED))


def _instances() -> Select[Any]:
    return (
        select(instances, studies.c.hospital_code)
        .join(series, series.c.id == instances.c.series_id)
        .join(studies, studies.c.id == series.c.study_id)
    )


def _of_submission(row: Row[Any], body: bytes) -> Receipt:
    return Receipt(
        ReceiptKind.SUBMISSION,
        row.id,
        row.hospital_code,
        row.received_at,
        row.peer,
        row.digest.hex(),
        sm3.digest(body).hex(),
        interface=row.interface,
        ris_study_id=row.exam_key,
        record_num=row.report_key,
        edition=row.edition,
        documents=_documents(body, row.digest),
    )


def _documents(body: bytes, digest: bytes) -> tuple[str, ...]:
    """Those taken out of it; a body that still is what was received had none, whatever it says."""
    if _REFERENCE not in body or hashlib.sha256(body).digest() == digest:
        return ()
    starts = body.split(b'"' + _REFERENCE)[1:]
    found = (part[:_HEX].decode("ascii", "replace") for part in starts if part[_HEX : _HEX + 1] == b'"')
    return tuple(dict.fromkeys(f"sha256:{one}" for one in found))


def _of_instance(row: Row[Any]) -> Receipt:
    return Receipt(
        ReceiptKind.INSTANCE,
        row.id,
        row.hospital_code,
        row.received_at,
        f"{row.calling_aet}@{row.peer}",
        row.digest.hex(),
        "",
        interface="C-STORE",
        sop_uid=row.sop_uid,
    )
