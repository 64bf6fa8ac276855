"""What a hospital may ask of its images lists: `POST /images/list/status`, in the envelope of /images/list.

Ours, not the standard's (T95): its data names a series (SERIESIUID) or a study (STUDYIUID). Nothing of the
question is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from yingqiao.exchange.receive import Answer, Question
from yingqiao.exchange.values import fold_name, text_of
from yingqiao.store.database import Database
from yingqiao.store.queries import ListDetail, status_of

PATH = "/images/list/status"
NAME = "images-list-status"
FILES_SHOWN = 1000
_KEYS = ("SERIESIUID", "STUDYIUID")


def asking(database: Database) -> Callable[[Question], Answer]:
    """Answers from the database; raises StoreUnavailable."""

    def ask(question: Question) -> Answer:
        series_uid, study_uid = _named(question.value)
        if not (series_uid or study_uid):
            return Answer(0, "请在 data 中给出 SERIESIUID 或 STUDYIUID", None)
        with database.read() as connection:
            found = status_of(connection, question.hospital_code, series_uid, study_uid)
        if not found:
            return Answer(0, f"没有收到过 {series_uid or study_uid} 的地址列表", {"lists": []})
        return Answer(1, _words(found), {"lists": [_shown(one) for one in found]})

    return ask


def _named(value: Any) -> tuple[str, str]:
    if not isinstance(value, dict):
        return "", ""
    folded = {fold_name(str(name)): text_of(member) or "" for name, member in value.items()}
    series_uid, study_uid = (folded.get(fold_name(key), "") for key in _KEYS)
    return series_uid, study_uid


def _words(found: tuple[ListDetail, ...]) -> str:
    done, count = sum(one.list.done for one in found), sum(one.list.file_count for one in found)
    return f"共 {count} 个文件，已取回 {done} 个"


def _shown(one: ListDetail) -> dict[str, Any]:
    listed = one.list
    return {
        "SERIESIUID": listed.series_uid,
        "STUDYIUID": listed.study_uid,
        "complete": listed.complete,
        "state": listed.state_name,
        "files": listed.file_count,
        "done": listed.done,
        "waiting": listed.waiting,
        "refused": listed.refused,
        "failed": listed.failed,
        "instances": listed.instance_count,
        "remaining": [
            {"url": file.url, "state": file.state_name, "reason": file.reason}
            for file in one.files[:FILES_SHOWN]
        ],
    }
