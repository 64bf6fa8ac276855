"""Signatures of reports on both databases: due once when audited and signed, judged, shown, due again."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime

from sqlalchemy import insert, select

from tests.helpers import pki
from tests.helpers.trust import crl_of
from yingqiao.exchange.profile import Profile
from yingqiao.exchange.receive import HospitalEntry
from yingqiao.gm import sm2
from yingqiao.signing.trust import Role
from yingqiao.store.compression import compress
from yingqiao.store.database import Database
from yingqiao.store.linkage import link_all
from yingqiao.store.report_signatures import due_signatures, mark_due, signature_facts, signatures_of
from yingqiao.store.schema import reports, submissions
from yingqiao.store.trust import TrustStore
from yingqiao.tasks.signatures import SignatureWatch

W = pki.world()
CONTENT = "影像诊断".encode()
NOW = datetime.now(UTC)
RECORD = {
    "CAData": CONTENT.decode(),
    "ClientCert": base64.b64encode(W.doctor.certificate.raw).decode(),
    "SignType": 1,
    "SignValue": base64.b64encode(sm2.sign(W.doctor.private, CONTENT)).decode(),
}


class Registry:
    """One hospital, by this profile."""

    def __init__(self, profile: str = "{}") -> None:
        self._profile = Profile.from_json(profile)

    def get(self, code: str) -> HospitalEntry | None:
        return HospitalEntry(code, "某某医院", False, (), self._profile)


def keep_report(database: Database, number: int, **changes: object) -> None:
    """A report as the ledger leaves it: its version in `submissions`, its columns in `reports`."""
    body = json.dumps(RECORD, ensure_ascii=False).encode()
    submission = {
        "id": number,
        "hospital_code": "H1",
        "interface": "report-sync",
        "received_at": 1,
        "peer": "",
        "outcome": "accepted",
        "exam_key": "",
        "report_key": f"R{number}",
        "last_change_time": "",
        "message": "",
        "body_kind": "record",
        "body": compress(body),
        "digest": b"",
        "edition": "",
    }
    texts = [c.name for c in reports.columns if str(c.type) in ("VARCHAR", "TEXT") and not c.nullable]
    row = dict.fromkeys(texts, "") | {
        "hospital_code": "H1",
        "record_num": f"R{number}",
        "submission_id": number,
        "report_status": 2,
        "deleted": False,
        "signed": True,
        "first_received_at": 1,
        "updated_at": 1,
        "link_due": True,
        "parked": True,
    }
    with database.write() as connection:
        connection.execute(insert(submissions).values(submission))
        connection.execute(insert(reports).values(row | changes))


def watch(database: Database, store: TrustStore, profile: str = "{}") -> SignatureWatch:
    return SignatureWatch(database, Registry(profile), store.current)


def verdict(database: Database, record: str) -> tuple[str, str]:
    with database.read() as connection:
        (row,) = signatures_of(connection, "H1", record)
        return row.state, row.indication


def test_the_linker_asks_for_those_that_are_audited_and_signed(database: Database):
    keep_report(database, 1)
    keep_report(database, 2, signed=False)
    keep_report(database, 3, report_status=1)
    keep_report(database, 4, deleted=True)
    link_all(database)
    with database.read() as connection:
        assert [one.record_num for one in due_signatures(connection, 10)] == ["R1"]
        ids = connection.scalars(select(reports.c.id)).all()
    with database.write() as connection:
        mark_due(connection, ids[:1])  # once more: nothing new
    with database.read() as connection:
        assert len(due_signatures(connection, 10)) == 1


def test_judged_and_judged_again_when_more_is_trusted(database: Database):
    """Unknown without trust; passed once the chain and its list are there; a line of the timeline."""
    keep_report(database, 1)
    link_all(database)
    store = TrustStore(database)
    assert watch(database, store).turn() == 1
    assert verdict(database, "R1") == ("done", "unknown")
    ids = store.add(W.chain, Role.CA)
    store.add_list(ids[0], crl_of(W.ca, at=NOW).raw)
    assert verdict(database, "R1") == ("due", "unknown")
    fresh = TrustStore(database)
    assert watch(database, fresh).turn() == 1
    assert verdict(database, "R1") == ("done", "passed")
    assert watch(database, fresh).turn() == 0
    with database.read() as connection:
        (line,) = signature_facts(connection, "H1", "R1")
    assert line.words == "报告签名验证通过"


def test_a_profile_may_ask_for_none(database: Database):
    keep_report(database, 1)
    link_all(database)
    assert watch(database, TrustStore(database), '{"grades": {"signature": "off"}}').turn() == 1
    assert verdict(database, "R1") == ("off", "")


def test_a_profile_may_judge_otherwise(database: Database):
    """The hospital's own policy: an unknown CA is noted only."""
    keep_report(database, 1)
    link_all(database)
    lenient = '{"verification": {"chain-missing": "warn", "revocation-missing": "warn"}}'
    watch(database, TrustStore(database), lenient).turn()
    assert verdict(database, "R1") == ("done", "passed")
