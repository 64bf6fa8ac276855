"""急诊 first, also when it is told late: an exam that arrives, or becomes urgent, after its images were asked for."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from sqlalchemy import ColumnElement, Connection, select

from yingqiao.exchange.link import ExamFacts
from yingqiao.exchange.work import OPEN_STATES, Priority
from yingqiao.store.expectations import chunks
from yingqiao.store.image_lists import FETCH, DueList, is_emergency, work_key
from yingqiao.store.pacs import list_nodes
from yingqiao.store.pulls import PULL, emergencies, key_of
from yingqiao.store.schema import image_lists, work, work_destinations
from yingqiao.store.work.actions import Action, Order, act

_OPEN = sorted(OPEN_STATES)
_HURRY = Order(Action.PRIORITY, Priority.EMERGENCY)


def hurry(connection: Connection, changed: Sequence[ExamFacts]) -> int:
    """Puts the open pulls and fetches of those exams that are 急诊 before all others, in the caller's transaction,
    in which the exams' keys are written already. Returns how many pieces of work. Raises StoreUnavailable.
    """
    urgent_ids = emergencies(connection, {exam.id for exam in changed})
    urgent = [exam for exam in changed if exam.id in urgent_ids]
    if not urgent:
        return 0
    numbers = _open(connection, PULL, _pulls(connection, urgent))
    numbers += _open(connection, FETCH, _fetches(connection, urgent))
    return len(act(connection, _HURRY, sorted(numbers))) if numbers else 0


def _pulls(connection: Connection, urgent: Sequence[ExamFacts]) -> list[str]:
    names: dict[str, list[str]] = {}
    for node in list_nodes(connection):
        names.setdefault(node.hospital_code, []).append(node.name)
    return [key_of(exam.id, name) for exam in urgent for name in names.get(exam.hospital_code, ())]


def _fetches(connection: Connection, urgent: Sequence[ExamFacts]) -> list[str]:
    lists = [one for exam in urgent for one in _lists(connection, exam) if is_emergency(connection, one)]
    lines: dict[str, list[str]] = {}
    for code in {one.hospital_code for one in lists}:
        of_it = select(work_destinations.c.name).where(work_destinations.c.hospital_code == code)
        lines[code] = list(connection.scalars(of_it))
    return [work_key(one.id, line) for one in lists for line in lines[one.hospital_code]]


def _lists(connection: Connection, exam: ExamFacts) -> Iterable[DueList]:
    """Lists that name the exam's study or its access number (T95)."""
    c = image_lists.c
    found: dict[int, DueList] = {}
    for column, values in ((c.study_uid, exam.study_uids), (c.accession_number, exam.accession_numbers)):
        found |= {one.id: one for one in _lists_where(connection, exam.hospital_code, column.in_(values))}
    return found.values()


def _lists_where(connection: Connection, code: str, condition: ColumnElement[bool]) -> Iterable[DueList]:
    columns = [image_lists.c[name] for name in DueList.__dataclass_fields__]
    wanted = select(*columns).where(image_lists.c.hospital_code == code, condition)
    return (DueList(*row) for row in connection.execute(wanted))


def _open(connection: Connection, kind: str, keys: Collection[str]) -> list[int]:
    """The open work with these keys that is not hurried yet, locked by id upwards as people's actions do."""
    found: list[int] = []
    for part in chunks(sorted(keys)):
        wanted = select(work.c.id).where(work.c.kind == kind, work.c.key.in_(part), work.c.state.in_(_OPEN))
        late = wanted.where(work.c.priority > int(Priority.EMERGENCY)).order_by(work.c.id)
        found += connection.scalars(late.with_for_update())
    return found
