"""The trust store on both databases: kept, given out, seen by other processes, unknown verdicts due again."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert, select

from tests.helpers import pki
from tests.helpers.trust import crl_of
from yingqiao.gm import crl
from yingqiao.gm.keystore import MasterKey, new_master_key
from yingqiao.signing import tsa
from yingqiao.signing.private_keys import held_here
from yingqiao.signing.trust import SIGNERS, Role, TrustError
from yingqiao.signing.verification.readings import Reading
from yingqiao.signing.verification.timestamp import verify_timestamp
from yingqiao.store import tokens
from yingqiao.store import trust as store_trust
from yingqiao.store.database import Database
from yingqiao.store.schema import report_signatures
from yingqiao.store.trust import TrustStore

W = pki.world()
NOW = datetime.now(UTC)


def test_added_listed_and_removed(database: Database):
    store = TrustStore(database)
    ids = store.add(W.chain, Role.CA)
    assert store.add(W.chain, Role.CA) == ids
    store.add_list(ids[0], crl_of(W.ca, at=NOW).raw)
    shown = store.shown()
    assert [one.id for one in shown] == ids
    assert [len(one.lists) for one in shown] == [1, 0]
    assert shown[0].lists[0].count == 0
    assert not shown[0].lists[0].stale
    current = store.current()
    assert current.anchors(SIGNERS) == (W.root.certificate,)
    answer = current.revocation(W.doctor.certificate, W.ca.certificate, NOW, ())
    assert answer.state is crl.State.GOOD
    assert store.remove(ids[0])
    assert not store.remove(ids[0])
    assert [one.id for one in store.shown()] == ids[1:]


def test_another_process_notices(database: Database, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(store_trust, "FRESH_S", 0.05)
    one, other = TrustStore(database), TrustStore(database)
    assert other.current().entries == ()
    one.add(W.chain, Role.TSA)
    time.sleep(0.06)
    assert {entry.role for entry in other.current().entries} == {Role.TSA}


def test_the_gateways_own_stamps_are_trusted(database: Database):
    """Reports come with time stamps of createAndGetTssInfo (四(二)4(3)): of the built-in authority they prove the time without
    a list, of an imported one when the list of its CA says so; a change is noticed.
    """
    key = MasterKey(new_master_key())
    own = tsa.make("影桥", NOW)
    store = TrustStore(database)
    assert judged(store, own) == ("unknown", "no-trusted-chain")
    tokens.keep_authority(database, key, own, "built-in")
    assert judged(TrustStore(database), own) == ("passed", "ok")
    given = tsa.TsaKey(W.tsa.certificate, W.chain, held_here(W.tsa.private))
    tokens.keep_authority(database, key, given, "imported")
    after = TrustStore(database)
    assert judged(after, own) == ("passed", "ok")
    assert judged(after, given) == ("unknown", "no-crl")
    (number,) = after.add([W.ca.certificate], Role.CA)
    after.add_list(number, crl_of(W.ca, at=NOW).raw)
    assert judged(TrustStore(database), given) == ("passed", "ok")


def judged(store: TrustStore, key: tsa.TsaKey) -> tuple[str, str]:
    raw, _ = tsa.Tsa(key, tsa.DEFAULT_POLICY).stamp(b"report", 7, NOW, attach=True)
    report = verify_timestamp(raw, [Reading(b"report")], store.current(), NOW).report
    return str(report.indication), report.deciding.reason


def test_lists_that_are_not_taken(database: Database):
    """Another issuer's, another key's, an older one."""
    store = TrustStore(database)
    (number,) = store.add([W.ca.certificate], Role.CA)
    with pytest.raises(TrustError, match="颁发者"):
        store.add_list(number, crl_of(W.root).raw)
    impostor = pki.Entity(W.ca.certificate, W.nurse.private)
    with pytest.raises(TrustError, match="签名"):
        store.add_list(number, crl_of(impostor).raw)
    store.add_list(number, crl_of(W.ca, at=NOW).raw)
    with pytest.raises(TrustError, match="旧"):
        store.add_list(number, crl_of(W.ca, at=NOW - timedelta(days=2)).raw)


def test_sources_become_due_and_come(database: Database):
    store = TrustStore(database)
    (number,) = store.add([W.ca.certificate], Role.CA)
    source = store.add_url(number, "http://ca.example/1.crl")
    now = time.time_ns() // 10**6
    assert store.due_lists(now) == [(source, "http://ca.example/1.crl")]
    store.postpone([source], now + 1000)
    assert store.due_lists(now) == []
    store.failed(source, "没有来", now)
    assert store.shown()[0].lists[0].error == "没有来"
    store.came(source, crl_of(W.ca, at=NOW).raw, now + 1000)
    assert store.shown()[0].lists[0].error == ""
    assert store.shown()[0].lists[0].count == 0


def test_unknown_verdicts_are_due_again(database: Database):
    """What could not be judged may be judged once more is trusted; what was judged stays."""
    row = {"hospital_code": "H", "state": "done", "step": "", "reason": "", "words": ""}
    rows = [
        row | {"submission_id": number, "record_num": str(number), "indication": indication}
        for number, indication in enumerate(("unknown", "passed", "failed"), 1)
    ]
    with database.write() as connection:
        connection.execute(insert(report_signatures), rows)
    TrustStore(database).add([W.ca.certificate], Role.CA)
    with database.read() as connection:
        c = report_signatures.c
        states = connection.execute(select(c.indication, c.state).order_by(c.submission_id)).all()
    assert [tuple(one) for one in states] == [("unknown", "due"), ("passed", "done"), ("failed", "done")]
