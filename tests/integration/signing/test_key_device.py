"""Private keys in a device behind a program of its own: a real process, every way it can misbehave, and what callers hear."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from tests.helpers import seal_office
from tests.helpers.odd_device import OddDevice
from tests.helpers.phone import PhoneApp, PhoneRefused
from tests.integration.signing.test_phone import MESSAGE, World
from tests.integration.store.test_signing_people import _pem
from yingqiao.app.folder import StartError
from yingqiao.app.stores import open_stores
from yingqiao.gm import certificates, ses, sm2, timestamp
from yingqiao.gm.crl import Reason
from yingqiao.gm.issuing import Profile
from yingqiao.gm.keystore import KeystoreError, MasterKey, new_master_key
from yingqiao.settings import DeviceSettings, Settings
from yingqiao.signing import tsa
from yingqiao.signing.certificates.authority import IssuingRule
from yingqiao.signing.errors import SigningRefused
from yingqiao.signing.private_keys import DeviceError, PrivateKeys, Purpose
from yingqiao.signing.seals.states import Act, SealState
from yingqiao.store import tokens
from yingqiao.store.database import Database, open_database
from yingqiao.store.objects import LocalObjects
from yingqiao.store.schema import unit_certificates
from yingqiao.store.signing.authority import CertificateAuthority
from yingqiao.store.signing.office import office_of
from yingqiao.store.signing.unit_certificates import SEAL_CONTEXT
from yingqiao.tasks.revocation import ListPublisher

E = bytes(range(32))
ALL = tuple(Purpose)


@pytest.fixture
def odd(tmp_path: Path) -> Iterator[OddDevice]:
    made = OddDevice(tmp_path / "device")
    yield made
    made.device.close()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = open_database(tmp_path)
    opened.migrate()
    yield opened
    opened.close()


def code_of(act: object, *given: object) -> str:
    with pytest.raises(DeviceError) as refused:
        act(*given)  # type: ignore[operator]
    assert any("\u4e00" <= character <= "\u9fff" for character in refused.value.reason)
    return refused.value.code


# --- the process ----------------------------------------------------------------------------------------------------


def test_a_key_in_a_device_signs(odd: OddDevice):
    keys = PrivateKeys(odd.device, ALL)
    held = keys.make(Purpose.CA)
    assert held.in_device
    assert sm2.verify_digest(sm2.PublicKey(held.point), E, held.sign_digest(E))
    again = keys.open(held.handle)
    signature = again.signer.sign(b"message")
    assert sm2.verify(sm2.PublicKey(held.point), b"message", signature)
    assert odd.device.look().startswith("1 reference")
    keys.erase(held.handle)
    keys.erase(held.handle)
    assert code_of(again.sign_digest, E) == "device-no-key"


@pytest.mark.parametrize(
    "mode", ["hang", "end", "garbage", "long", "two", "refuse", "wrong", "short", "away"]
)
def test_whatever_it_does_is_refused_in_time_and_it_works_again_afterwards(odd: OddDevice, mode: str):
    held = PrivateKeys(odd.device, ALL).make(Purpose.TSA)
    odd.behave(mode)
    begun = time.monotonic()
    expected = {
        "refuse": "device-refused",
        "wrong": "device-wrong",
        "short": "device-wrong",
        "garbage": "device-wrong",
    }.get(mode, "device-away")
    assert code_of(held.sign_digest, E) == expected
    assert time.monotonic() - begun < 50
    odd.behave("")
    odd.later()
    assert sm2.verify_digest(sm2.PublicKey(held.point), E, held.sign_digest(E))


def test_after_a_failure_callers_are_answered_at_once(odd: OddDevice):
    held = PrivateKeys(odd.device, ALL).make(Purpose.TSA)
    odd.behave("hang")
    code_of(held.sign_digest, E)
    begun = time.monotonic()
    for _ in range(50):
        assert code_of(held.sign_digest, E) == "device-away"
    assert time.monotonic() - begun < 40


def test_a_program_that_ended_while_idle_is_started_again(odd: OddDevice):
    held = PrivateKeys(odd.device, ALL).make(Purpose.TSA)
    odd.behave("end")
    code_of(held.sign_digest, E)
    odd.behave("")
    odd.later()
    held.sign_digest(E)
    (running,) = odd.device._free.queue
    running._process.kill()
    running._process.wait()
    held.sign_digest(E)


def test_a_program_that_is_not_there_is_away(tmp_path: Path):
    settings = Settings(data=str(tmp_path), device=DeviceSettings(command=str(tmp_path / "nowhere")))
    with open_stores(settings, create=True) as opened:
        assert code_of(opened.keys.make, Purpose.CA) == "device-away"
    for wrong in (DeviceSettings(command="'"), DeviceSettings(command="x", purposes=("cash",))):
        with pytest.raises(StartError), open_stores(Settings(data=str(tmp_path), device=wrong)):
            pass


def test_keys_stay_where_they_were_made(odd: OddDevice):
    here, there = PrivateKeys(), PrivateKeys(odd.device, ALL)
    assert there.open(here.make(Purpose.CA).handle).sign_digest(E)
    held = there.make(Purpose.CA)
    assert PrivateKeys(odd.device, ()).open(held.handle).sign_digest(E)
    assert code_of(here.open(held.handle).sign_digest, E) == "device-away"
    for spoilt in (b"device\0", held.handle[:-3], held.handle + b"x", b"device\0" + bytes(66)):
        with pytest.raises(KeystoreError):
            there.open(spoilt)


# --- what stands behind it ------------------------------------------------------------------------------------------


def test_a_ca_in_a_device_issues_and_openssl_agrees(tmp_path: Path, odd: OddDevice, database: Database):
    world = World(database, tmp_path, keys=PrivateKeys(odd.device, ALL))
    phone = world.activated()
    assert phone.key_id
    (signing,) = (one for one in world.desk.authority.list() if one.profile == "signing")
    (tmp_path / "root.pem").write_bytes(_pem(world.ca.certificate.raw))
    (tmp_path / "doctor.pem").write_bytes(_pem(signing.certificate or b""))
    at = str((world.now + 86_400_000) // 1000)
    options = ["-attime", at, "-vfyopt", "distid:1234567812345678", "-CAfile", "root.pem", "doctor.pem"]
    judged = subprocess.run(
        ["openssl", "verify", *options], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert judged.stdout == "doctor.pem: OK\n", judged.stderr


def test_a_certificate_that_cannot_be_issued_now_is_issued_when_the_phone_asks_again(
    tmp_path: Path, odd: OddDevice, database: Database
):
    """Nothing is lost: code, key and attempt are as they were, and the same last message is good."""
    world = World(database, tmp_path, keys=PrivateKeys(odd.device, [Purpose.CA]))
    phone = PhoneApp(world.post)
    info = phone.make_key(code=world.desk.activations.give(world.enrol())[0])
    job, e = f"csr:{phone.key_id}", phone.digest(info)
    answer = phone.offer(job, e)
    odd.behave("away")
    with pytest.raises(PhoneRefused) as refused:
        phone.finish(job, e, answer)
    assert (refused.value.status, refused.value.code) == (503, "device-away")
    assert "稍后重试" in refused.value.words
    odd.behave("")
    assert phone.finish(job, e, answer)["state"] == "normal"


def test_a_shared_key_in_a_device_signs_and_an_answer_not_given_costs_nothing(
    tmp_path: Path, odd: OddDevice, database: Database
):
    """D2 in the device: form B by its program; the guards of gm-signing 4.5 stay here."""
    world = World(database, tmp_path, keys=PrivateKeys(odd.device, [Purpose.SHARED]))
    phone = world.activated()
    number, _ = world.push(authorizedUserId="U7")
    odd.behave("hang")
    with pytest.raises(PhoneRefused) as refused:
        phone.sign(f"job:{number}", MESSAGE)
    assert refused.value.status == 503
    odd.behave("")
    odd.later()
    phone.numbers.clear()  # the same number again: it was not answered
    phone.sign(f"job:{number}", MESSAGE)
    assert world.result(number)["jobStatus"] == "FINISH"
    with pytest.raises(PhoneRefused) as refused:
        phone.wrong_pin().log_in()
    assert refused.value.code == "share-tag"


def test_a_revocation_stands_and_its_list_follows(odd: OddDevice, database: Database, tmp_path: Path):
    world = World(database, tmp_path, keys=PrivateKeys(odd.device, [Purpose.CA]))
    world.activated()
    number = world.desk.authority.list()[0].id
    odd.behave("away")
    with pytest.raises(SigningRefused) as refused:
        world.desk.authority.revoke(number, Reason.KEY_COMPROMISE)
    assert (refused.value.code, refused.value.stands) == ("crl-later", True)
    assert world.desk.authority.get(number).revoked_at is not None
    publisher = ListPublisher(world.desk.authority.lists, 86_400_000, world.clock)
    with pytest.raises(DeviceError):
        publisher.turn()
    odd.behave("")
    assert publisher.turn()
    assert not publisher.turn()


def test_a_ca_whose_device_is_away_keeps_no_other_from_publishing(
    odd: OddDevice, database: Database, tmp_path: Path
):
    """An earlier CA in a device, the present one in a file: each list as soon as its own key is there."""
    world = World(database, tmp_path, keys=PrivateKeys(odd.device, [Purpose.CA]))
    world.activated()
    number, lists = world.desk.authority.list()[0].id, world.desk.authority.lists
    both = PrivateKeys(odd.device, [])
    CertificateAuthority(database, world.master_key, IssuingRule(), world.clock, both).start("测试 CA")
    odd.behave("away")
    with pytest.raises(SigningRefused) as refused:
        world.desk.authority.revoke(number, Reason.KEY_COMPROMISE)
    assert (refused.value.code, refused.value.stands) == ("crl-later", True)
    publisher = ListPublisher(lists, 86_400_000, world.clock)
    world.now += 86_400_000
    with pytest.raises(DeviceError):
        publisher.turn()
    earlier, current = lists.standing()
    assert ((earlier.this_update or 0) < world.now, current.this_update) == (True, world.now)
    odd.behave("")
    assert publisher.turn()
    assert lists.standing()[0].this_update == world.now
    assert not publisher.turn()


def test_time_stamps_by_a_device(odd: OddDevice, database: Database):
    master = _master()
    keys = PrivateKeys(odd.device, [Purpose.TSA])
    made = tsa.make("设备", datetime.now(UTC), keys)
    tokens.keep_authority(database, master, made, "built-in")
    found = tokens.authority(database, master, keys)
    assert found is not None
    stamping = tsa.Tsa(found.key, tsa.DEFAULT_POLICY)
    assert stamping.in_device
    token, _ = stamping.stamp(b"report", 1, datetime.now(UTC), attach=True)
    assert timestamp.examine(timestamp.parse_token(token), original=b"report").signed
    odd.behave("away")
    assert code_of(lambda: stamping.stamp(b"report", 2, datetime.now(UTC), attach=True)) == "device-away"


def test_automatic_signing_by_a_device_waits_for_it(odd: OddDevice, database: Database, tmp_path: Path):
    world = World(database, tmp_path, keys=PrivateKeys(odd.device, [Purpose.AUTOMATIC]))
    phone = world.activated()
    phone.with_token("setAutoSign", enabled=True)
    number, _ = world.push(authorizedUserId="U7")
    odd.behave("away")
    assert world.desk.automatic.turn() == 0
    assert world.result(number)["jobStatus"] == "UNSIGN"
    odd.behave("")
    assert world.desk.automatic.turn() == 1
    assert world.result(number)["jobStatus"] == "FINISH"


def test_a_seal_maker_in_a_device(odd: OddDevice, database: Database, tmp_path: Path):
    """GM/T 0031: the maker's signature over a seal comes from the device; away, nothing is made, revocations stand."""
    keys = PrivateKeys(odd.device, [Purpose.SEAL_MAKER, Purpose.CA])
    master, objects = _master(), LocalObjects(tmp_path / "objects")
    office = office_of(database, master, objects, IssuingRule(), lambda: 1_795_000_000_000, keys=keys)
    office.hospitals.add("H1", "太原市第一医院", "00" * 16)
    office.authority.start("设备 CA")
    odd.behave("away")
    with pytest.raises(DeviceError):
        seal_office.made(office)
    assert office.seals.list() == []
    odd.behave("")
    odd.later()
    made = seal_office.made(office, name="设备印章")
    seal = ses.parse_seal(made.esl)
    assert sm2.verify(sm2.PublicKey(certificates.parse(seal.maker).key.point), seal.signed, seal.signature)
    makers = select(unit_certificates.c.sealed).where(unit_certificates.c.profile == str(Profile.SEAL_MAKER))
    with database.read() as connection:
        (sealed,) = connection.scalars(makers)
    assert master.unseal(sealed, SEAL_CONTEXT).startswith(b"device"), "the gateway has a name, not a key"
    assert office.seals.open_seal(made.id).sign(b"x"), "the unit's own key is here, for the client's wallet"
    odd.behave("away")
    with pytest.raises(SigningRefused) as refused:
        office.seals.change(made.id, Act.REVOKE, "审批乙", "停用")
    assert refused.value.code == "crl-later"
    assert office.seals.get(made.id).standing(datetime.now(UTC)).state is SealState.REVOKED


def test_the_root_is_verified_like_any_other(odd: OddDevice, database: Database):
    keys = PrivateKeys(odd.device, [Purpose.CA])
    authority = CertificateAuthority(database, _master(), IssuingRule(), lambda: 1_795_000_000_000, keys)
    root = authority.start("设备 CA").certificate
    assert root.signed_by(root.key).valid
    assert certificates.parse(root.raw).is_ca


def _master() -> MasterKey:
    return MasterKey(new_master_key())
