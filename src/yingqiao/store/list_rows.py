"""An images list as database rows, put in beside its submission. Shared by the two databases' ledgers.

The driver's own connections are used, as for exams: one statement to find or make the list, one look at what
it has, one or two for what is new. All in the submission's transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from yingqiao.exchange.model import ImageList
from yingqiao.store.text import storable

PENDING, FAILING, REFUSED, DONE = "pending", "failing", "refused", "done"
"""exchange.fetch.FileState, of which the ledger needs these."""
LIST_COLUMNS = (
    "hospital_code",
    "series_uid",
    "study_uid",
    "accession_number",
    "patient_id",
    "patient_name",
    "modality",
    "study_date",
)
FILE_COLUMNS = ("list_id", "url_digest", "url", "state", "reason", "error_class", "updated_at")
FILE_ZEROS = "attempts, sop_uids, instance_count, byte_count"
_UPDATED = ("study_uid", "accession_number", "patient_id", "patient_name", "modality", "study_date")
_NOT_ALLOWED = "theirs"
"""exchange.work.ErrorClass of an address whose host is not registered."""


@dataclass(slots=True)
class ListRows:
    """The rows of one list; `known` is what a transaction found to be there already."""

    columns: tuple[str, ...]
    """Of LIST_COLUMNS."""
    files: dict[bytes, tuple[str, str]]
    """URL digest -> (URL, why it is refused or '')."""
    now: int
    size: int
    known: frozenset[bytes] = field(default=frozenset())
    """Digests of the request that were there, waiting or done."""

    @property
    def key(self) -> tuple[str, str]:
        return self.columns[0], self.columns[1]


def list_rows(images: ImageList, now: int) -> ListRows:
    columns = tuple(storable(getattr(images, name)) for name in LIST_COLUMNS)
    files = {file.digest: (storable(file.url), file.refused) for file in images.files}
    return ListRows(columns, files, now, sum(len(url) + 160 for url, _ in files.values()))


def upsert_sql(place: str) -> str:
    """INSERT … RETURNING id of the list; parameters: LIST_COLUMNS, submission id, now, now."""
    names = (*LIST_COLUMNS, "submission_id", "first_received_at", "updated_at", "file_count", "relay_due")
    values = ", ".join([place] * (len(names) - 2))
    sets = ", ".join(f"{name} = excluded.{name}" for name in (*_UPDATED, "submission_id", "updated_at"))
    return (
        f"INSERT INTO image_lists ({', '.join(names)}) VALUES ({values}, 0, false)"  # noqa: S608 our own names
        f" ON CONFLICT (hospital_code, series_uid) DO UPDATE SET {sets} RETURNING id"
    )


@dataclass(frozen=True, slots=True)
class Plan:
    """What a request changes in a list that has `states` already."""

    fresh: list[tuple[Any, ...]]
    """Rows of FILE_COLUMNS to insert."""
    reopened: list[bytes]
    """Digests of files given up that the hospital names again: tried anew."""
    known: frozenset[bytes]
    due: bool
    """There is something the relay has not looked at."""


def plan(rows: ListRows, list_id: int, states: dict[bytes, str]) -> Plan:
    fresh, reopened, known = [], [], set()
    due = False
    for digest, (url, refused) in rows.files.items():
        state = states.get(digest)
        if state is None:
            fresh.append(_file(list_id, digest, url, refused, rows.now))
            due = True  # refused ones too: their host may have been registered a moment ago
        elif state in (PENDING, FAILING, DONE):
            known.add(digest)
        elif not refused:
            reopened.append(digest)
            due = True
    return Plan(fresh, reopened, frozenset(known), due)


def _file(list_id: int, digest: bytes, url: str, refused: str, now: int) -> tuple[Any, ...]:
    if refused:
        return list_id, digest, url, REFUSED, refused, _NOT_ALLOWED, now
    return list_id, digest, url, PENDING, "", "", now


def in_order(entries: Collection[tuple[int, ListRows]]) -> Sequence[tuple[int, ListRows]]:
    """By key: two processes with the same lists then wait for each other, and do not deadlock."""
    return sorted(entries, key=lambda entry: entry[1].key)
