"""Pulls a person asks for: of an exam, or of whatever a node has under a number. For command line and API alike."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from yingqiao.exchange.pull import Query, QueryKind
from yingqiao.exchange.work import NewWork, Priority
from yingqiao.store.errors import HospitalError
from yingqiao.store.pacs import PacsNode, get_node, list_nodes
from yingqiao.store.pulls import PULL, key_of
from yingqiao.store.schema import exams
from yingqiao.store.work import ledger

_DAY = re.compile(r"\d{4}-?\d{2}-?\d{2}")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to pull: exactly one of exam, study, accession, patient (with day)."""

    exam: str = ""
    """risStudyId"""
    study: str = ""
    accession: str = ""
    patient: str = ""
    day: str = ""
    series: tuple[str, ...] = ()
    node: str = ""
    """'' = every enabled node of the hospital."""

    def query(self) -> Query:
        """As a C-FIND. Raises HospitalError when not exactly one thing is asked for, or it is an exam."""
        given = [name for name in ("exam", "study", "accession", "patient") if getattr(self, name)]
        if len(given) != 1 or self.exam:
            raise HospitalError("请指定其一：检查、Study UID、检查号，或患者编号加日期")
        if self.study:
            return Query(QueryKind.STUDY_UID, self.study)
        if self.accession:
            return Query(QueryKind.ACCESSION, self.accession)
        return Query(QueryKind.PATIENT_DAY, self.patient, _day(self.day))


def _day(text: str) -> str:
    if not _DAY.fullmatch(text):
        raise HospitalError("按患者编号查询须给出日期，如 2026-03-01")
    return text.replace("-", "")


def nodes_of(connection: Connection, hospital_code: str, name: str = "") -> Sequence[PacsNode]:
    """The named node, or all enabled ones. Raises HospitalError when there is none."""
    if name:
        return [get_node(connection, hospital_code, name)]
    nodes = list_nodes(connection, hospital_code, enabled_only=True)
    if not nodes:
        raise HospitalError(f"医疗机构 {hospital_code} 没有启用的 PACS 节点")
    return nodes


def ask(connection: Connection, hospital_code: str, wanted: Wanted) -> list[str]:
    """Asks for the pulls, one a node; their keys in the ledger of work. Raises HospitalError."""
    nodes = nodes_of(connection, hospital_code, wanted.node)
    if any(node.disabled for node in nodes):
        raise HospitalError(f"PACS 节点 {wanted.node} 已停用，先用 pacs enable 恢复")
    asked = [_work(connection, hospital_code, wanted, node) for node in nodes]
    ledger.add(connection, asked)
    return [one.key for one in asked]


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _work(connection: Connection, hospital_code: str, wanted: Wanted, node: PacsNode) -> NewWork:
    members: dict[str, object] = {"node": node.name}
    if wanted.exam:
        exam_id = connection.scalar(
            select(exams.c.id).where(
                exams.c.hospital_code == hospital_code, exams.c.ris_study_id == wanted.exam
            )
        )
        if exam_id is None:
            raise HospitalError(f"医疗机构 {hospital_code} 没有检查 {wanted.exam}")
        members |= {"exam": exam_id, "asked": True}
        key = key_of(exam_id, node.name) + "!"
    else:
        query = wanted.query()
        name = {"accession": "accession", "study-uid": "study", "patient-day": "patient"}[query.kind]
        members |= {name: query.value} | ({"day": query.day} if query.day else {})
        told = f"{hospital_code}|{query.value}|{query.day}"
        key = f"{name}:{_short(told)}@{node.name}"  # keys are logged; whose images they are is not
    if wanted.series:
        members["series"] = list(wanted.series)
        key += f"/{_short(','.join(wanted.series))}"
    return NewWork(
        PULL, key, hospital_code, node.destination, Priority.MANUAL, json.dumps(members, ensure_ascii=False)
    )
