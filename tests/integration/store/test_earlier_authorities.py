"""CAs that issue no more: their lists go on, what they issued is still judged by them. GB/T 20518 5.3, RFC 5280 6.3; the
platform asks a CA for its chain, its list and where the list is published (四(二)4, 接入申请材料清单).
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
import structlog

from tests.helpers.seal_office import made as seal_made
from tests.integration.store.test_signing_people import DAY, ENTRIES, HOSPITAL, refusal
from yingqiao.gm import certificates, crl, csr, names, oids, ses, sm2
from yingqiao.gm.issuing import Authority, Profile
from yingqiao.gm.keystore import MasterKey, new_master_key
from yingqiao.gm.signatures import sm2_key, sm2_signer
from yingqiao.signing.certificates.authority import (
    AUTHORITY_PLACE,
    IssuingRule,
    Subject,
    doctor_certificate,
    root_certificate,
)
from yingqiao.signing.moments import moment
from yingqiao.signing.seals.states import Act
from yingqiao.signing.trust import Entry, Trust
from yingqiao.signing.verification.asked import Asked, verify_certificates
from yingqiao.store.database import Database
from yingqiao.store.hospitals import HospitalRegistry
from yingqiao.store.objects import LocalObjects
from yingqiao.store.signing.office import Office, office_of
from yingqiao.store.trust import TrustStore
from yingqiao.tasks.revocation import ListPublisher

COMPROMISED = crl.Reason.KEY_COMPROMISE


class World:
    """An office with a first CA that issued a doctor's certificates, and a second that issues now."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.now = 1_795_000_000_000
        self.database = database
        master = MasterKey(new_master_key())
        HospitalRegistry(database, master).add(HOSPITAL, "太原市第一医院", "00" * 16)
        rule = IssuingRule(crl_urls=(f"http://gateway/crl/{AUTHORITY_PLACE}.crl",))
        self.office: Office = office_of(database, master, LocalObjects(folder), rule, self.clock)
        self.authority, self.lists = self.office.authority, self.office.authority.lists
        self.publisher = ListPublisher(self.lists, DAY, self.clock)
        case = self.office.cases.submit("doctor", HOSPITAL, ENTRIES, "经办甲")
        self.doctor = self.office.cases.approve(case, "审批乙").doctor_id or 0

    def clock(self) -> int:
        return self.now

    def issue(self, request: bytes = b"", key: sm2.PrivateKey | None = None) -> int:
        """A signing certificate of the doctor by the CA that issues now; its number."""
        public = (key or sm2.generate()).public()
        with self.database.write() as connection:
            doctor = self.office.doctors.get(self.doctor)
            return self.authority.issue_pair(connection, doctor, f"k{self.now}", public, request)[0]

    def renewed(self) -> int:
        """The first CA's certificate, after the second was started."""
        self.authority.start("测试 CA")
        issued = self.issue()
        self.authority.start("测试 CA")
        return issued

    def raw(self, issued: int) -> bytes:
        return self.authority.get(issued).certificate or b""

    def newest(self, authority: int) -> crl.RevocationList:
        return crl.parse((self.lists.newest(authority) or (b"", 0))[0])

    def judged(self, issued: int) -> tuple[str, str]:
        """By a process that has just been started."""
        at = moment(self.now) + timedelta(seconds=1)
        (report,) = verify_certificates(Asked(TrustStore(self.database).current(), at), [self.raw(issued)])
        return str(report.indication), report.deciding.reason


@pytest.fixture
def world(database: Database, tmp_path: Path) -> World:
    return World(database, tmp_path / "objects")


def outside(world: World, issued: int) -> tuple[str, str]:
    """What a verifier elsewhere says, who has the first CA's certificate and the list at the address the certificate names."""
    assert b"http://gateway/crl/1.crl" in world.raw(issued)
    root = certificates.parse(world.lists.standing()[0].certificate)
    trust = Trust([Entry(root)], [world.newest(1)])
    (report,) = verify_certificates(Asked(trust, moment(world.now)), [world.raw(issued)])
    return str(report.indication), report.deciding.reason


def test_a_revocation_under_an_earlier_ca_is_published_at_once(world: World) -> None:
    """RFC 5280 6.3.3: an outside verifier learns of it by the list of the CA that issued, and by no other."""
    issued = world.renewed()
    assert outside(world, issued) == ("passed", "ok")
    later = world.newest(2).raw
    world.now += DAY
    world.authority.revoke(issued, COMPROMISED)
    assert outside(world, issued)[1] == "revoked"
    assert world.newest(2).raw == later, "the CA that issues now has nothing to say about it"


def test_our_own_verdicts_keep_an_earlier_ca(world: World) -> None:
    """四(二)4: what it issued passes, and is revoked, stale or distrusted as anybody else's."""
    issued = world.renewed()
    assert world.judged(issued) == ("passed", "ok")
    world.now += 8 * DAY
    assert world.judged(issued) == ("unknown", "crl-stale")
    assert world.publisher.turn()
    assert world.judged(issued) == ("passed", "ok")
    other = world.issue()
    world.authority.revoke(issued, COMPROMISED)
    assert world.judged(issued)[1] == "revoked"
    assert world.judged(other) == ("passed", "ok")


def test_an_earlier_ca_whose_key_was_stolen_is_trusted_no_more(world: World) -> None:
    """And only then: the one that issues now cannot be distrusted, and lists for outside verifiers go on."""
    issued = world.renewed()
    assert refusal(world.authority.distrust, 2) == "current"
    assert refusal(world.authority.distrust, 9) == "no-authority"
    world.authority.distrust(1)
    assert refusal(world.authority.distrust, 1) == "withdrawn"
    assert world.judged(issued) == ("unknown", "no-trusted-chain")
    assert world.judged(world.issue()) == ("passed", "ok")
    world.now += DAY
    assert world.publisher.turn()
    assert world.newest(1).this_update == world.newest(2).this_update


def test_lists_go_on_until_one_is_made_after_the_last_certificate_ended(world: World) -> None:
    """5.3: daily; that last list answers for every moment before. A CA that issued nothing owes nobody a list."""
    issued = world.renewed()
    world.authority.start("测试 CA")
    end = world.authority.get(issued).not_after or 0
    assert [one.publishes for one in world.lists.standing()] == [True, False, True]
    world.now += DAY
    assert world.publisher.turn()
    assert not world.publisher.turn()
    world.now = end - DAY // 2
    assert world.publisher.turn()
    world.now = end + DAY
    assert world.publisher.turn()
    assert [one.publishes for one in world.lists.standing()] == [False, False, True]
    last = world.newest(1)
    assert last.this_update > moment(end)
    world.now += DAY
    assert world.publisher.turn()
    assert (world.newest(1).raw, world.newest(3).this_update) == (last.raw, moment(world.now))
    assert last.check(certificates.parse(world.raw(issued)), moment(end)).state is crl.State.GOOD


def test_the_alarm_rings_for_an_earlier_ca_too(world: World) -> None:
    """The gauge says which list ends first, of those still needed."""
    world.authority.start("测试 CA")
    world.issue()
    world.now += 6 * DAY
    world.authority.start("测试 CA")
    late = ListPublisher(world.lists, 100 * DAY, world.clock)
    assert late.gauges() == {"crl_seconds_left": DAY / 1000, "crl_imported_seconds_left": float("inf")}
    world.lists.publish(1)
    assert ListPublisher(world.lists, DAY, world.clock).gauges()["crl_seconds_left"] == 7 * DAY / 1000


def test_the_seal_of_an_earlier_ca_is_revoked_in_its_list(world: World) -> None:
    """2.7, row 8: a hospital's certificate ends with its seal, and is in the list of who issued it."""
    world.authority.start("测试 CA")
    seal = seal_made(world.office)
    world.authority.start("测试 CA")
    world.office.seals.change(seal.id, Act.REVOKE, "审批乙", "停业")
    (signer,) = (certificates.parse(one) for one in ses.parse_seal(seal.esl).info.certificates)
    assert world.newest(1).check(signer, moment(world.now)).state is crl.State.REVOKED
    world.office.units.revoke_maker(world.office.units.makers()[0].id, COMPROMISED)
    assert len(world.newest(1).entries) == 2
    assert not world.newest(2).entries


def test_cas_of_one_installation_have_names_of_their_own(world: World) -> None:
    """RFC 5280 4.1.2.4, 5.2.1: lists are found by the issuer's name, which one CA has."""
    named = [world.authority.start("影桥 CA").certificate.subject.common_name for _ in range(3)]
    assert named == ["影桥 CA", "影桥 CA 2", "影桥 CA 3"]


# --- offline -------------------------------------------------------------------------------------------------------


class Elsewhere:
    """A CA elsewhere."""

    def __init__(self, name: str, now: int) -> None:
        key = sm2.generate()
        self.certificate = root_certificate(name, sm2_key(key.public().point), sm2_signer(key), moment(now))
        self.by = Authority.of(certificates.parse(self.certificate), sm2_signer(key))

    def certify(self, key: sm2.PrivateKey, now: int) -> bytes:
        subject, point = Subject("太原市第一医院", "王医生"), sm2_key(key.public().point)
        return doctor_certificate(Profile.SIGNING, subject, point, self.by, IssuingRule(), moment(now))

    def list(self, now: int, *revoked: bytes) -> bytes:
        entries = [crl.Entry(certificates.parse(one).serial, moment(now), COMPROMISED) for one in revoked]
        return crl.issue(self.by, entries, 1, moment(now), moment(now) + timedelta(days=7))


def test_lists_of_cas_elsewhere_are_imported_also_of_earlier_ones(world: World) -> None:
    """Annex 7, 离线场景: the administrator brings certificates and lists; one waited for while the CA changed comes too."""
    old, new, stranger = (Elsewhere(name, world.now) for name in ("旧 CA", "新 CA", "别家 CA"))
    world.authority.start_offline(old.certificate)
    key = sm2.generate()
    request = csr.build(
        names.build([(oids.COMMON_NAME, "王医生")]), sm2_key(key.public().point), sm2_signer(key)
    )
    issued = world.issue(request, key)
    world.authority.start_offline(new.certificate)
    made = old.certify(key, world.now)
    assert refusal(world.authority.import_certificate, stranger.certify(key, world.now)) == "issuer"
    assert world.authority.import_certificate(made).id == issued
    assert world.judged(issued) == ("unknown", "no-crl")
    assert world.lists.take(old.list(world.now)) == 1
    assert world.judged(issued) == ("passed", "ok")
    assert world.lists.take(new.list(world.now)) == 2
    world.now += DAY
    assert world.lists.take(old.list(world.now, made)) == 1
    assert world.judged(issued)[1] == "revoked"
    assert refusal(world.lists.take, old.list(world.now - DAY)) == "list-old"
    assert refusal(world.lists.take, stranger.list(world.now)) == "list-issuer"
    assert not world.publisher.turn(), "others publish these"
    assert ListPublisher(world.lists, DAY, world.clock).gauges()["crl_seconds_left"] == float("inf")


def test_the_alarm_rings_when_an_imported_list_has_ended(world: World) -> None:
    """Annex 7, 离线场景: nobody else tells the administrator that the next list has not been brought."""

    def left() -> float:
        return ListPublisher(world.lists, DAY, world.clock).gauges()["crl_imported_seconds_left"]

    elsewhere = Elsewhere("外部 CA", world.now)
    world.authority.start_offline(elsewhere.certificate)
    assert left() == float("inf"), "none was brought: certificates are told to be without a list"
    world.lists.take(elsewhere.list(world.now))
    assert left() == 7 * DAY / 1000
    world.now += 8 * DAY
    with structlog.testing.capture_logs() as logged:
        assert left() == -DAY / 1000
    assert [(one["event"], one["seconds_left"]) for one in logged] == [("crl.import_overdue", -DAY // 1000)]
    world.lists.take(elsewhere.list(world.now))
    assert left() == 7 * DAY / 1000
    world.authority.start("测试 CA")
    assert left() == float("inf"), "it issued nothing that may still be asked about"


def test_an_online_ca_goes_on_publishing_after_the_office_went_offline(world: World) -> None:
    """Its list is no import: nobody replaces it by a file."""
    world.authority.start("测试 CA")
    issued = world.issue()
    world.authority.start_offline(Elsewhere("外部 CA", world.now).certificate)
    world.now += DAY
    assert world.publisher.turn()
    world.authority.revoke(issued, COMPROMISED)
    listed = world.newest(1)
    assert listed.check(certificates.parse(world.raw(issued)), moment(world.now)).state is crl.State.REVOKED
    assert refusal(world.lists.take, listed.raw) == "list-issuer"
