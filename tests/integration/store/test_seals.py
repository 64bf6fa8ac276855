"""Electronic seals as registered, on both databases: made, used, stopped, renewed, revoked, handed out."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path

import pytest

from tests.helpers.seal_office import UNIT, approved, made, stamp
from tests.helpers.seals import info, make_seal, png, seal_world
from yingqiao.gm import certificates, crl, seal_wallet, ses, sm2, sm3
from yingqiao.gm.keystore import MasterKey, new_master_key
from yingqiao.signing.certificates.authority import AUTHORITY_PLACE, IssuingRule
from yingqiao.signing.errors import SigningRefused
from yingqiao.signing.moments import moment
from yingqiao.signing.seals.context import MAKERS, RegistrySilentError, SealContext
from yingqiao.signing.seals.holders import certificate_rows
from yingqiao.signing.seals.making import Holders, Kind
from yingqiao.signing.seals.states import Act, SealState, Stop
from yingqiao.signing.verification.report import Indication
from yingqiao.store.database import Database
from yingqiao.store.errors import StoreUnavailable
from yingqiao.store.hospitals import HospitalRegistry
from yingqiao.store.objects import LocalObjects
from yingqiao.store.signing.office import Office, office_of
from yingqiao.store.signing.seal_making import Making
from yingqiao.store.signing.seal_uses import Result
from yingqiao.store.trust import TrustStore

DAY = 24 * 3600 * 1000
DOCUMENT = sm3.digest(b"report")


class World:
    """An office with a CA, and a clock that a test sets."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.now = 1_795_000_000_123
        self.database = database
        key = MasterKey(new_master_key())
        registry = HospitalRegistry(database, key)
        registry.add("H1", "太原市第一医院", "00" * 16)
        registry.add("H2", "大同市第二医院", "11" * 16)
        rule = IssuingRule(crl_urls=(f"http://gateway/crl/{AUTHORITY_PLACE}.crl",))
        self.office: Office = office_of(database, key, LocalObjects(folder), rule, lambda: self.now)
        self.root = self.office.authority.start("测试 CA").certificate


@pytest.fixture
def world(database: Database, tmp_path: Path) -> World:
    return World(database, tmp_path / "objects")


def refusal(act: object, *given: object, **named: object) -> str:
    with pytest.raises(SigningRefused) as refused:
        act(*given, **named)  # type: ignore[operator]
    assert refused.value.reason
    return refused.value.code


def test_a_seal_is_made_of_two_approved_applications(world: World) -> None:
    """GB/T 38540: signed by the maker, bound to the hospital's certificate; annex 5 says how long."""
    seal = made(world.office, kind=Kind.REPORT)
    read = ses.parse_seal(seal.esl)
    maker = certificates.parse(read.maker)
    assert maker.signed_by(world.root.key).valid
    assert sm2.verify(sm2.PublicKey.from_point(maker.key.point), read.signed, read.signature)
    info = read.info
    assert (info.es_id, info.name, info.type) == (seal.es_id, "太原市第一医院报告专用章", 4)
    assert (info.picture.data, info.picture.width, info.picture.height) == (png(), 42, 42)
    signer = certificates.parse(info.certificates[0])
    assert signer.signed_by(world.root.key).valid
    assert signer.subject.common_name == "太原市第一医院"
    assert "91350100M000100Y43" in str(signer.facts.identities)
    assert info.created == info.valid_from == moment(world.now).replace(microsecond=0)
    assert info.valid_to == signer.not_after
    assert timedelta(days=725) < info.valid_to - info.valid_from < timedelta(days=735)
    assert seal.standing(moment(world.now)).state is SealState.IN_FORCE


def test_a_seal_may_hold_digests_instead(world: World) -> None:
    """certListType 2."""
    seal = made(world.office, holders=Holders.DIGESTS)
    info = ses.parse_seal(seal.esl).info
    own = world.office.seals.certificate(seal)
    assert own is not None
    assert [(one.kind, one.value) for one in info.digests] == [("SM3", sm3.digest(own.raw))]


def test_a_seal_may_be_bound_to_a_key_elsewhere(world: World) -> None:
    """智能密码钥匙: the gateway has no key and does not seal."""
    outside = seal_world().signer.certificate
    world.now = int(outside.not_before.timestamp() * 1000) + 30 * DAY
    seal = made(world.office, certificates=(outside.raw,))
    assert ses.parse_seal(seal.esl).info.certificates == (outside.raw,)
    assert seal.certificate_id is None
    assert refusal(world.office.seals.open_seal, seal.id) == "key-elsewhere"
    assert refusal(world.office.seals.export, seal.id, "123456", "审批乙") == "key-elsewhere"


def test_who_handed_in_makes_no_seal(world: World) -> None:
    unit, sampled = approved(world.office, "unit", UNIT), approved(world.office, "stamp", stamp())
    make = world.office.seal_making.make
    assert refusal(make, Making(unit, sampled), "经办甲") == "four-eyes"
    assert refusal(make, Making(sampled, unit), "审批乙") == "case-form"
    waiting = world.office.cases.submit("unit", "H1", UNIT, "经办甲")
    assert refusal(make, Making(waiting, sampled), "审批乙") == "not-approved"
    other = approved(world.office, "unit", UNIT, "H2")
    assert refusal(make, Making(other, sampled), "审批乙") == "case-mismatch"
    renamed = approved(world.office, "unit", UNIT | {"unitName": "别的医院"})
    assert refusal(make, Making(renamed, sampled), "审批乙") == "case-mismatch"
    unlocking = approved(world.office, "unit", UNIT | {"business": "密码解锁"})
    assert refusal(make, Making(unlocking, sampled), "审批乙") == "business"
    assert refusal(make, Making(unit, sampled, replaces=1), "审批乙") == "business"
    assert refusal(make, Making(unit, sampled, name="12345"), "审批乙") == "seal-name"
    assert world.office.seals.list() == []


def test_an_application_makes_one_seal(world: World) -> None:
    seal = made(world.office)
    assert (
        refusal(world.office.seal_making.make, Making(seal.unit_case, seal.stamp_case), "审批乙")
        == "case-used"
    )
    assert [one.id for one in world.office.seal_making.ready("H1")] == [seal.stamp_case]
    assert world.office.seal_making.ready("H2") == []


def test_a_seal_is_stopped_by_anybody_and_started_by_another(world: World) -> None:
    seal, seals = made(world.office), world.office.seals
    assert seals.open_seal(seal.name).es_id == seal.es_id
    world.now += DAY
    stopped = seals.change(seal.id, Act.SUSPEND, "经办甲", "搬家")
    assert stopped.standing(moment(world.now)).state is SealState.SUSPENDED
    assert refusal(seals.open_seal, seal.id) == "seal-state"
    assert refusal(seals.change, seal.id, Act.RESUME, "经办甲", "回来") == "four-eyes"
    world.now += DAY
    seals.change(seal.id, Act.RESUME, "审批乙", "回来")
    assert seals.open_seal(seal.es_id).id == seal.id
    at = [moment(world.now - days * DAY) for days in (2, 1, 0)]
    assert [seals.get(seal.es_id).standing(one).state for one in at] == [
        SealState.IN_FORCE,
        SealState.SUSPENDED,
        SealState.RESUMED,
    ]
    assert [one.act for one in seals.get(seal.id).changes] == [Act.MAKE, Act.SUSPEND, Act.RESUME]


def test_who_judges_a_seal_is_told_when_it_was_stopped(world: World) -> None:
    """2.7, row 6. The registry speaks of the very seal that it made, not of one that bears its number."""
    seal, seals = made(world.office), world.office.seals
    read = ses.parse_seal(seal.esl)
    assert seals.stops(read) == []
    world.now += DAY
    seals.change(seal.id, Act.LOSE, "经办甲", "丢了")
    lost = moment(world.now)
    assert seals.stops(read) == [Stop(SealState.LOST, lost)]
    world.now += DAY
    seals.change(seal.id, Act.RESUME, "审批乙", "找回")
    assert seals.stops(read) == [Stop(SealState.LOST, lost, moment(world.now))]
    other = ses.parse_seal(make_seal(info(es_id=seal.es_id)))
    assert seals.stops(other) == ()
    assert seals.stops(ses.parse_seal(make_seal(info(es_id="\0")))) == ()


def test_a_registry_that_cannot_be_asked_says_so(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unknown, never failed (2.7)."""
    read = ses.parse_seal(made(world.office).esl)

    def away(*_: object) -> None:
        raise StoreUnavailable("away")

    monkeypatch.setattr(world.office.seals._database, "read", away)
    with pytest.raises(RegistrySilentError):
        world.office.seals.stops(read)


def test_a_revoked_seal_takes_its_certificate_along(world: World) -> None:
    seal, seals = made(world.office), world.office.seals
    own = seals.certificate(seal)
    assert own is not None
    world.now += DAY
    seals.change(seal.id, Act.REVOKE, "审批乙", "医院更名")
    assert refusal(seals.change, seal.id, Act.RESUME, "审批丙", "后悔") == "seal-state"
    content, _ = world.office.authority.lists.newest(1) or (b"", 0)
    found = crl.parse(content).check(own, moment(world.now) + timedelta(seconds=1))
    assert found.state is crl.State.REVOKED
    assert refusal(seals.open_seal, seal.id) == "seal-state"


def test_a_renewal_ends_the_seal_before(world: World) -> None:
    first, seals = made(world.office), world.office.seals
    world.now += 30 * DAY
    unit = approved(world.office, "unit", UNIT | {"business": "证书更新"})
    wanted = Making(unit, first.stamp_case, first.name, replaces=first.id)
    assert refusal(world.office.seal_making.make, Making(unit, first.stamp_case), "审批乙") == "business"
    second = world.office.seal_making.make(wanted, "审批乙")
    states = [seals.get(one.id).standing(moment(world.now)).state for one in (first, second)]
    assert states == [SealState.RENEWED, SealState.IN_FORCE]
    assert seals.get(first.name).id == second.id, "the name means the one in force"
    again = approved(world.office, "unit", UNIT | {"business": "证书更新"})
    assert refusal(
        world.office.seal_making.make, Making(again, first.stamp_case, replaces=first.id), "审批乙"
    ) in ("seal-state", "case-used")
    lost = approved(world.office, "unit", UNIT | {"business": "丢失补办"})
    world.office.seal_making.make(Making(lost, first.stamp_case, replaces=second.id), "审批乙")
    own = seals.certificate(second)
    assert own is not None
    content, _ = world.office.authority.lists.newest(1) or (b"", 0)
    found = crl.parse(content).check(own, moment(world.now) + timedelta(seconds=1))
    assert found.state is crl.State.REVOKED, "what was lost may be in other hands"


def test_every_use_is_journaled_before_and_after(world: World) -> None:
    seal, seals = made(world.office), world.office.seals
    with seals.use(seal.id, "api:pacs", DOCUMENT, "R-1", "api") as opened:
        (begun,) = seals.uses.list(seal_id=seal.id)
        assert (begun.result, begun.ended_at) == (Result.BEGUN, None)
        public = sm2.PublicKey.from_point(certificates.parse(opened.certificate).key.point)
        assert sm2.verify(public, b"to be signed", opened.sign(b"to be signed"))
    with pytest.raises(ZeroDivisionError), seals.use(seal.id, "甲", DOCUMENT, "R-2", "cli"):
        raise ZeroDivisionError
    seals.journal_use(seal.es_id, "客户端", sm3.digest(b"other"), "R-3", Result.SEALED)
    uses = seals.uses.list(hospital_code="H1")
    assert [(one.matter, one.result, one.channel) for one in uses] == [
        ("R-3", Result.SEALED, "client"),
        ("R-2", Result.FAILED, "cli"),
        ("R-1", Result.SEALED, "api"),
    ]
    assert uses[1].reason == "ZeroDivisionError"
    assert [one.matter for one in seals.uses.list(document=DOCUMENT)] == ["R-2", "R-1"]
    assert seals.uses.list(hospital_code="H2") == []
    seals.uses.end(uses[2].id, Result.FAILED, "again")
    assert seals.uses.list()[2].result is Result.SEALED, "said once"
    assert refusal(seals.uses.begin, seal.id, "甲", b"short", "", "api") == "document"
    seals.change(seal.id, Act.LOSE, "经办甲", "丢了")
    with pytest.raises(SigningRefused), seals.use(seal.id, "甲", DOCUMENT, "R-4", "api"):
        pass
    assert len(seals.uses.list()) == 3


def test_a_wallet_is_handed_out_once_noted(world: World) -> None:
    seal, seals = made(world.office), world.office.seals
    wallet = seal_wallet.read_wallet(seals.export(seal.id, "a1b2c3", "审批乙"))
    opened = seals.open_seal(seal.id)
    assert (wallet.esl, wallet.certificate, wallet.name) == (seal.esl, opened.certificate, seal.name)
    private = seal_wallet.open_wallet(wallet, "a1b2c3")
    assert private.public().point == certificates.parse(opened.certificate).key.point
    assert [(one.act, one.who) for one in seals.get(seal.id).changes][1:] == [(Act.EXPORT, "审批乙")]
    with pytest.raises(seal_wallet.WalletError):
        seals.export(seal.id, "123", "审批乙")
    assert len(seals.get(seal.id).changes) == 2


def test_a_maker_is_made_once_and_again_with_another_ca(world: World) -> None:
    makers = [ses.parse_seal(made(world.office).esl).maker for _ in range(2)]
    assert makers[0] == makers[1]
    world.office.authority.start("另一个 CA")
    assert ses.parse_seal(made(world.office).esl).maker != makers[0]


def test_a_revoked_maker_makes_no_more_seals_and_is_judged_by_that_at_once(world: World) -> None:
    """2.7 row 5: what was sealed before stays good where a time stamp proves it, what came later fails or is unknown. No
    list is asked for it: one may be late, and a CA of before publishes none.
    """
    office, trust = world.office, TrustStore(world.database)
    seal = made(office)
    old = certificates.parse(ses.parse_seal(seal.esl).maker)
    office.authority.start("另一个 CA")
    world.now += DAY
    revoked = office.units.revoke_maker(office.units.makers()[0].id, crl.Reason.KEY_COMPROMISE)
    assert (revoked.seals, revoked.revoked_at, revoked.revocation) == (
        1,
        world.now,
        crl.Reason.KEY_COMPROMISE,
    )
    at = moment(world.now)

    def of(made_at: timedelta, proof: timedelta) -> list[str]:
        context = SealContext(trust.current(), at + timedelta(days=2))
        steps, _ = certificate_rows(old, context, MAKERS, at + made_at, at + proof)
        return [step.reason for step in steps if step.indication is not Indication.PASSED]

    hour = timedelta(hours=1)
    assert of(-2 * hour, -hour) == []
    assert of(-2 * hour, hour) == ["revoked-no-proof"]
    assert of(hour, 2 * hour) == ["revoked"]
    assert refusal(office.units.revoke_maker, revoked.id, crl.Reason.SUPERSEDED) == "revoked"
    assert refusal(office.units.revoke_maker, seal.certificate_id, crl.Reason.SUPERSEDED) == "no-certificate"
    assert refusal(office.seals.open_seal, seal.id) == "maker-revoked"
    assert refusal(office.seals.export, seal.id, "12345678", "审批乙") == "maker-revoked"


def test_the_seal_after_a_revoked_maker_is_a_new_makers(world: World) -> None:
    """2.7 row 5, and the list that says so to everybody else."""
    office = world.office
    before = certificates.parse(ses.parse_seal(made(office).esl).maker)
    office.units.revoke_maker(office.units.makers()[0].id, crl.Reason.CESSATION_OF_OPERATION)
    content, _ = office.authority.lists.newest(1) or (b"", 0)
    assert crl.parse(content).check(before, moment(world.now)).state is crl.State.REVOKED
    after = made(office)
    assert ses.parse_seal(after.esl).maker != before.raw
    assert office.seals.open_seal(after.id).id == after.id
    assert [(one.seals, one.revoked_at is None) for one in office.units.makers()] == [(1, True), (1, False)]


def test_names_and_numbers_find_seals(world: World) -> None:
    made(world.office), made(world.office)
    assert refusal(world.office.seals.get, "太原市第一医院") == "seal-name"
    assert refusal(world.office.seals.get, 99) == "no-seal"
    assert refusal(world.office.seals.get, "没有的") == "no-seal"
    assert [one.id for one in world.office.seals.list()] == [2, 1]
    assert world.office.seals.list("H2") == []


def test_two_stop_a_seal_at_once(world: World) -> None:
    seal = made(world.office)
    results: list[str] = []

    def stop(who: str) -> None:
        try:
            world.office.seals.change(seal.id, Act.SUSPEND, who, "同时")
            results.append("done")
        except SigningRefused as refused:
            results.append(refused.code)

    threads = [threading.Thread(target=stop, args=(f"甲{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == ["done", "seal-state", "seal-state", "seal-state"]


def test_without_a_ca_or_with_one_elsewhere_no_seal_is_made(database: Database, tmp_path: Path) -> None:
    world = World(database, tmp_path / "objects")
    world.office.authority.start_offline(world.root.raw)
    unit, sampled = approved(world.office, "unit", UNIT), approved(world.office, "stamp", stamp())
    assert refusal(world.office.seal_making.make, Making(unit, sampled), "审批乙") == "offline"
    assert world.office.seals.list() == []
