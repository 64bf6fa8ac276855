"""The phone API on both databases, with the executable reference of the phone: activation, log-in, signing; and each
server's row of gm-signing 4.5.
"""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import event

from tests.helpers import sm2_reference as reference
from tests.helpers.coss import APP, SECRET, job, signed
from tests.helpers.phone import PhoneApp, PhoneRefused, b64, unb64
from tests.integration.store.test_signing_people import ENTRIES, HOSPITAL, _pem
from yingqiao.gm import certificates, crl, sm2
from yingqiao.gm.cooperative import MAX_FAILURES
from yingqiao.gm.issuing import Profile
from yingqiao.gm.keystore import MasterKey, new_master_key
from yingqiao.settings import CossSettings, PhoneSettings
from yingqiao.signing.applications import AppSettings
from yingqiao.signing.certificates.authority import IssuingRule, root_certificate
from yingqiao.signing.certificates.states import add_months
from yingqiao.signing.clock import TrustedClock
from yingqiao.signing.enrolment.case import CaseState
from yingqiao.signing.errors import SigningRefused
from yingqiao.signing.moments import milliseconds, moment
from yingqiao.signing.private_keys import SOFTWARE, PrivateKeys
from yingqiao.signing.trust import NOTHING, Role
from yingqiao.spec import load_edition
from yingqiao.store.applications import AppRegistry
from yingqiao.store.database import Database, open_database
from yingqiao.store.errors import StoreUnavailable
from yingqiao.store.hospitals import HospitalRegistry
from yingqiao.store.objects import LocalObjects
from yingqiao.store.signing import retention
from yingqiao.store.signing.cases import Cases
from yingqiao.store.signing.personal import PersonalData
from yingqiao.store.signing.phone_desk import open_desk
from yingqiao.store.tokens import TokenJournal
from yingqiao.store.trust import TrustStore
from yingqiao.web.coss import CossParts, services
from yingqiao.web.coss.phone import Phone, PhoneParts
from yingqiao.web.coss.timestamps import Timestamps
from yingqiao.web.service import Posted
from yingqiao.web.visit import Visit

DAY = 24 * 3600 * 1000
PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.peer)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    where = str(tmp_path)
    if request.param == "postgresql":
        where = str(request.getfixturevalue("postgres_url"))
    opened = open_database(where)
    opened.migrate()
    yield opened
    opened.close()


class _Nobody:
    """No time stamping authority: these tests ask for no stamps."""

    def current(self) -> None:
        return None

    def roots(self) -> tuple[()]:
        return ()

    known = roots

    def revoked(self, *_: object) -> bool:
        return False


class World:
    """A gateway's signing services on one database, without its sockets; a clock that the test sets."""

    def __init__(
        self, database: Database, folder: Path, *, keys: PrivateKeys = SOFTWARE, **phone: Any
    ) -> None:
        self.database = database
        self.now = 1_795_000_000_000
        self.origin = "http://gateway"
        self.sent: list[tuple[str, str]] = []
        self.master_key = MasterKey(new_master_key())
        HospitalRegistry(database, self.master_key).add(HOSPITAL, "太原市第一医院", "00" * 16)
        self.apps = AppRegistry(database, self.master_key)
        self.apps.add(APP, SECRET, name="放射科 PACS", settings=AppSettings())
        settings = PhoneSettings(**({"peer_rate": 0.0, "download_by_mobile": True} | phone))
        self.desk = open_desk(
            database,
            self.master_key,
            LocalObjects(folder / "objects"),
            settings,
            IssuingRule(),
            self,
            self.clock,
            keys,
        )
        personal = PersonalData(database, self.master_key)
        self.cases = Cases(database, personal, self.desk.doctors, self.clock)
        self.ca = self.desk.authority.start("测试 CA")
        phone_api = Phone(PhoneParts(self.desk, settings, CossSettings()))
        served, self.phone_answers = phone_api.services(), phone_api.answers()
        stamps = Timestamps(_Nobody(), TokenJournal(database), TrustedClock(0, 1.0), _Nobody())
        parts = CossParts(
            database, load_edition("shanxi/v2_1"), self.apps, stamps, CossSettings(), self.clock
        )
        self.services = {one.path.rpartition("/")[2]: one for one in (*served, *services(parts))}

    def clock(self) -> int:
        return self.now

    def send(self, mobile: str, code: str) -> None:
        """As the sender of verification codes."""
        self.sent.append((mobile, code))

    def post(self, name: str, given: dict[str, Any]) -> dict[str, Any]:
        async def ask() -> bytes:
            posted = Posted((orjson.dumps(given),), "10.0.0.1", self.origin, Visit(name, "10.0.0.1"))
            return (await self.services[name].handle(posted)).body()

        answer: dict[str, Any] = json.loads(asyncio.run(ask()))
        return answer

    def enrol(self, **changed: str) -> int:
        case = self.cases.submit("doctor", HOSPITAL, ENTRIES | changed, "经办甲")
        doctor_id = self.cases.approve(case, "审批乙").doctor_id
        assert doctor_id is not None
        return doctor_id

    def activated(self, **changed: str) -> PhoneApp:
        phone = PhoneApp(self.post)
        phone.activate(self.desk.activations.give(self.enrol(**changed))[0])
        return phone

    def push(self, **more: Any) -> tuple[str, str]:
        """A job by the PACS: its signDataId and its ticket."""
        answer = self.post("addSignJob", signed(job(**more)))
        assert answer["status"] == 200, answer
        return answer["data"]["signDataId"], json.loads(answer["data"]["qrCode"])["o"]

    def result(self, number: str) -> dict[str, Any]:
        data: dict[str, Any] = self.post("getAuthSignResult", signed({"signDataId": number}))["data"]
        return data


@pytest.fixture
def world(database: Database, tmp_path: Path) -> World:
    return World(database, tmp_path)


MESSAGE = base64.b64decode(job()["data"])
OTHER = {"idNumber": "440524198001010013", "mobile": "13900139000", "userId": "U8", "name": "李医生"}


def refusal(act: Any, *given: Any, **named: Any) -> str:
    with pytest.raises(PhoneRefused) as refused:
        act(*given, **named)
    assert refused.value.words
    assert 400 <= refused.value.status < 500
    return str(refused.value.code)


def test_from_activation_to_the_signature_the_pacs_gets(world: World, tmp_path: Path) -> None:
    """四(二)4: activation, certificate (judge: OpenSSL), log-in, job, signature, FINISH; the code is good once."""
    doctor_id = world.enrol()
    code, _ = world.desk.activations.give(doctor_id)
    phone = PhoneApp(world.post)
    looked = phone.call("lookActivation", code=code.lower())
    assert (looked["name"], looked["hospital"]) == ("王医生", "太原市第一医院")
    done = phone.activate(code)
    certificate = unb64(done["certificate"])
    assert certificates.parse(unb64(done["encryptionCertificate"])).subject.common_name == "王医生"
    assert (done["state"], done["stateWords"]) == ("normal", "正常")
    (tmp_path / "root.pem").write_bytes(_pem(world.ca.certificate.raw))
    (tmp_path / "doctor.pem").write_bytes(_pem(certificate))
    at = str((world.now + DAY) // 1000)
    options = ["-attime", at, "-vfyopt", "distid:1234567812345678", "-CAfile", "root.pem", "doctor.pem"]
    judged = subprocess.run(
        ["openssl", "verify", *options], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert judged.stdout == "doctor.pem: OK\n", judged.stderr
    assert refusal(PhoneApp(world.post).make_key, code=code) == "activation-unknown"
    phone.with_token("logout")
    assert refusal(phone.with_token, "jobs") == "token"
    said = phone.log_in()
    assert (said["name"], said["certificateState"]) == ("王医生", "normal")
    number, ticket = world.push(authorizedUserId="U7", description="胸部 CT")
    assert phone.call("ticket", o=ticket)["appName"] == "放射科 PACS"
    (listed,) = phone.with_token("jobs", search="胸部")["jobs"]
    assert (listed["id"], listed["size"], listed["state"]) == (number, len(MESSAGE), "UNSIGN")
    assert phone.with_token("jobs", search="头颅")["jobs"] == []
    detail = phone.with_token("job", id=number)
    assert (unb64(detail["data"]), detail["contentType"]) == (MESSAGE, "text/plain")
    result = phone.sign(f"job:{number}", MESSAGE)
    told = world.result(number)
    assert (told["jobStatus"], told["result"], told["msspId"]) == ("FINISH", "true", "U7")
    assert (told["signResult"], told["signCert"]) == (result["signature"], result["certificate"])
    assert unb64(result["certificate"]) == certificate
    public = sm2.PublicKey(certificates.parse(certificate).key.point)
    assert sm2.verify(public, MESSAGE, unb64(result["signature"]))
    assert phone.with_token("jobs", state="FINISH")["jobs"][0]["result"] is True


def test_hash_jobs_sign_the_value_itself(world: World) -> None:
    """T120: of dataType HASH the value is e."""
    phone = world.activated()
    number, _ = world.push(dataType="HASH", data=b64(bytes(range(32))), authorizedUserId="U7")
    done = phone.sign_digest(f"job:{number}", bytes(range(32)))
    public = sm2.PublicKey(certificates.parse(unb64(done["certificate"])).key.point)
    assert sm2.verify_digest(public, bytes(range(32)), unb64(done["signature"]))


# --- gm-signing 4.5, the server's rows -----------------------------------------------------------------------------


def test_points_have_to_be_on_the_curve(world: World) -> None:
    phone = world.activated()
    code, _ = world.desk.activations.give(1)
    for point in (b"\x04" + bytes(64), b"\x04" + b"\xff" * 64, bytes(65)):
        offer = b64(point + bytes(96))
        given = {"code": code, "session": "s", "offer": offer}
        assert refusal(phone.call, "makeKey", **given) == "key-offer"
    number, _ = world.push(authorizedUserId="U7")
    name, e = f"job:{number}", phone.digest(MESSAGE)
    good = phone.phone.offer_signature(name, 1, e)
    bad = good[:4] + b"\x04" + bytes(64) + good[69:]
    given = {"keyId": phone.key_id, "job": name, "token": phone.token, "offer": b64(bad)}
    assert refusal(phone.call, "offer", **given) == "share-tag"


def test_a_job_is_signed_by_whom_it_is_for_only(world: World) -> None:
    """U8 neither sees nor signs what U7 is asked for; whoever scans first has what is for nobody (T121)."""
    first, second = world.activated(), world.activated(**OTHER)
    number, _ = world.push(authorizedUserId="U7")
    for act in ("job", "refuse"):
        assert refusal(second.with_token, act, id=number, reason="不是我的") == "no-job"
    assert refusal(second.sign, f"job:{number}", MESSAGE) == "no-job"
    assert second.with_token("jobs")["jobs"] == []
    free, ticket = world.push()
    assert second.with_token("jobs")["jobs"] == []
    second.with_token("ticket", o=ticket)
    assert [one["id"] for one in second.with_token("jobs")["jobs"]] == [free]
    assert refusal(first.with_token, "ticket", o=ticket) == "not-yours"
    assert refusal(first.sign, f"job:{free}", MESSAGE) == "no-job"
    second.sign(f"job:{free}", MESSAGE)
    assert world.result(free)["userId"] == "U8"


def test_the_same_user_id_in_another_hospital_is_somebody_else(world: World) -> None:
    HospitalRegistry(world.database, world.master_key).add("H2", "另一家医院", "00" * 16)
    world.apps.add("APP_2", SECRET, hospital_code="H2", settings=AppSettings())
    phone = world.activated()
    answer = world.post("addSignJob", signed(job(authorizedUserId="U7"), app="APP_2"))
    number = answer["data"]["signDataId"]
    assert phone.with_token("jobs")["jobs"] == []
    assert refusal(phone.sign, f"job:{number}", MESSAGE) == "no-job"


def test_a_job_that_is_over_is_not_signed(world: World) -> None:
    """Expired, signed, refused; expired between answer and end, too."""
    phone = world.activated()
    number, _ = world.push(authorizedUserId="U7", expiryDate="1")
    name, e = f"job:{number}", phone.digest(MESSAGE)
    answer = phone.offer(name, e)
    world.now += 60_000
    assert refusal(phone.finish, name, e, answer) == "job-expired"
    assert refusal(phone.sign, name, MESSAGE) == "job-expired"
    assert world.result(number)["jobStatus"] == "EXPIRE"
    world.now += 60_000
    again, _ = world.push(authorizedUserId="U7")
    phone.with_token("refuse", id=again, reason="影像不清楚")
    assert world.result(again)["result"] == "false"
    assert refusal(phone.sign, f"job:{again}", MESSAGE) == "job-over"
    assert refusal(phone.with_token, "refuse", id=number, reason=" ") == "reason"


def test_a_certificate_that_may_not_be_used_signs_nothing(world: World) -> None:
    """Annex 7: revoked, expired, expired for good; each with its reason; renewal from expiring to a month after."""
    phone = world.activated()
    number, _ = world.push(authorizedUserId="U7")
    issued = world.desk.authority.of_doctor(1, Profile.SIGNING)[0]
    assert refusal(phone.renew) == "not-renewable"
    world.now = (issued.not_after or 0) - 10 * DAY
    phone.log_in()
    newer = phone.renew()
    assert refusal(phone.log_in) == "certificate-replaced"
    assert refusal(phone.with_token, "jobs") in ("token", "certificate-replaced")
    issued = world.desk.authority.of_doctor(1, Profile.SIGNING)[0]
    world.now = (issued.not_after or 0) + DAY
    assert newer.log_in()["certificateState"] == "renewable"
    assert refusal(newer.with_token, "jobs") == "certificate-renewable"
    assert len(newer.with_token("certificates")["certificates"]) == 4
    newest = newer.renew()
    number, _ = world.push(authorizedUserId="U7")
    name, e = f"job:{number}", newest.digest(MESSAGE)
    answer = newest.offer(name, e)
    world.desk.authority.revoke(
        world.desk.authority.of_doctor(1, Profile.SIGNING)[0].id, crl.Reason.KEY_COMPROMISE
    )
    assert refusal(newest.finish, name, e, answer) == "certificate-revoked"
    assert refusal(newest.log_in) == "certificate-revoked"
    assert world.result(number)["jobStatus"] == "UNSIGN"


def test_the_states_change_at_their_edges(world: World) -> None:
    """证书更新: a month before the end, the end, a month after it, to the second; what each lets a phone do."""
    phone = world.activated()
    end = moment(world.desk.authority.of_doctor(1, Profile.SIGNING)[0].not_after or 0)
    second = timedelta(seconds=1)
    edges = (
        (add_months(end, -1), "normal"),
        (add_months(end, -1) + second, "expiring"),
        (end, "expiring"),
        (end + second, "renewable"),
        (add_months(end, 1), "renewable"),
    )
    for now, state in edges:
        world.now = milliseconds(now)
        assert phone.log_in()["certificateState"] == state, now
        may_list = phone.with_token if state != "renewable" else lambda name: refusal(phone.with_token, name)
        assert may_list("jobs") in ({"jobs": []}, "certificate-renewable")
    world.now = milliseconds(add_months(end, 1) + second)
    assert refusal(phone.log_in) == "certificate-expired"
    assert refusal(phone.renew) == "certificate-expired"


def test_what_is_shown_is_what_is_signed(world: World) -> None:
    """e is computed by the server from the job; a phone with another one gets no answer."""
    phone = world.activated()
    number, _ = world.push(authorizedUserId="U7")
    assert refusal(phone.sign, f"job:{number}", MESSAGE + b"!") == "content-differs"


def test_an_attempt_answers_one_request(world: World) -> None:
    """The same again gets the stored bytes; another Q1 another attempt with another nonce; an old number nothing."""
    phone = world.activated()
    number, _ = world.push(authorizedUserId="U7")
    name, e = f"job:{number}", phone.digest(MESSAGE)
    given = {"keyId": phone.key_id, "job": name, "token": phone.token}
    asked = b64(phone.phone.offer_signature(name, 1, e))
    first = phone.call("offer", **given, offer=asked)
    assert phone.call("offer", **given, offer=asked) == first
    other = b64(phone.phone.offer_signature(name, 1, e))
    assert refusal(phone.call, "offer", **given, offer=other) == "attempt-answered"
    phone.numbers[name] = 1
    answer = phone.offer(name, e)
    assert answer != unb64(first["answer"])
    assert refusal(phone.call, "offer", **given, offer=asked) == "attempt-old"
    phone.finish(name, e, answer)


def test_attempts_are_remembered_when_the_key_turned_to_another_job(world: World) -> None:
    phone = world.activated()
    number, _ = world.push(authorizedUserId="U7")
    name, e = f"job:{number}", phone.digest(MESSAGE)
    asked = b64(phone.phone.offer_signature(name, 1, e))
    given = {"keyId": phone.key_id, "job": name, "token": phone.token}
    phone.call("offer", **given, offer=asked)
    other, _ = world.push(authorizedUserId="U7", title="另一份")
    assert refusal(phone.sign, f"job:{other}", MESSAGE) == "session-open"
    world.now += 61_000
    phone.sign(f"job:{other}", MESSAGE)
    assert refusal(phone.call, "offer", **given, offer=asked) == "attempt-old"
    phone.numbers[name] = 1
    phone.sign(name, MESSAGE)


def test_a_wrong_final_signature_finishes_nothing(world: World) -> None:
    phone = world.activated()
    number, _ = world.push(authorizedUserId="U7")
    name, e = f"job:{number}", phone.digest(MESSAGE)
    answer = phone.offer(name, e)
    given = {"keyId": phone.key_id, "job": name, "token": phone.token}
    final = (1).to_bytes(4, "big") + reference.b32(12345)
    assert refusal(phone.call, "finish", **given, finish=b64(final)) == "signature-wrong"
    assert refusal(phone.finish, name, e, answer) == "attempt-closed"
    assert world.result(number)["jobStatus"] == "UNSIGN"
    phone.sign(name, MESSAGE)


def test_wrong_pins_are_counted_and_lock(world: World) -> None:
    """Five wrong PINs in a row, over log-ins and jobs: no answer to test a guess by, then none at all."""
    phone = world.activated()
    number, _ = world.push(authorizedUserId="U7")
    guess = phone.wrong_pin()
    for _ in range(MAX_FAILURES - 1):
        assert refusal(guess.sign, f"job:{number}", MESSAGE) == "share-tag"
    phone.sign(f"job:{number}", MESSAGE)
    for _ in range(MAX_FAILURES):
        assert refusal(guess.log_in) == "share-tag"
    assert refusal(phone.log_in) == "key-locked"


def test_a_signature_has_an_end_that_outlives_a_crash(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed before the commit, nothing happened, and the same last message is the end; told again when it was lost."""
    phone = world.activated()
    number, _ = world.push(authorizedUserId="U7")
    name, e = f"job:{number}", phone.digest(MESSAGE)
    final = phone.phone.finish(phone.offer(name, e), 1, e)
    given = {"keyId": phone.key_id, "job": name, "token": phone.token, "finish": b64(final)}
    with monkeypatch.context() as crashing:
        crashing.setattr("yingqiao.store.signing.cosigning.sign_jobs.finish_in", _crash)
        with pytest.raises(StoreUnavailable):
            phone.call("finish", **given)
    assert world.result(number)["jobStatus"] == "UNSIGN"
    done = phone.call("finish", **given)
    assert phone.call("finish", **given) == done
    assert world.result(number)["signResult"] == done["signature"]
    with world.database.read() as connection:
        kept = connection.exec_driver_sql("select state from shared_keys").scalars().all()
    assert all(unb64(done["signature"])[4:20] not in bytes(one) for one in kept)


def _crash(*_: object, **__: object) -> None:
    raise StoreUnavailable("gone")


def test_two_phones_with_one_code(world: World) -> None:
    """Both make a key; the first to end has the certificate, the other nothing."""
    code, _ = world.desk.activations.give(world.enrol())
    phones = [PhoneApp(world.post), PhoneApp(world.post)]
    infos = [phone.make_key(code=code) for phone in phones]
    phones[0].token = phones[0].sign(f"csr:{phones[0].key_id}", infos[0])["token"]
    late = refusal(phones[1].sign, f"csr:{phones[1].key_id}", infos[1])
    assert late in ("activation-unknown", "key-erased")
    assert len(phones[0].with_token("certificates")["certificates"]) == 2


def test_two_requests_at_once_get_one_answer(world: World) -> None:
    """Two attempts with one number at the same moment: one nonce at most leaves."""
    phone = world.activated()
    number, _ = world.push(authorizedUserId="U7")
    name, e = f"job:{number}", phone.digest(MESSAGE)
    given = {"keyId": phone.key_id, "job": name, "token": phone.token}
    asked = [b64(phone.phone.offer_signature(name, 1, e)) for _ in range(4)]
    told: list[dict[str, Any]] = []
    threads = [
        threading.Thread(target=lambda one=one: told.append(world.post("offer", {**given, "offer": one})))
        for one in asked
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer["status"] for answer in told) == [200, 400, 400, 400], told


def test_a_new_phone_ends_the_old_ones_key(world: World) -> None:
    old = world.activated()
    newer = PhoneApp(world.post)
    newer.activate(world.desk.activations.give(1)[0])
    assert refusal(old.log_in) == "certificate-replaced"
    assert refusal(old.with_token, "jobs") == "certificate-replaced"
    assert newer.with_token("jobs")["jobs"] == []


def test_a_disabled_doctor_is_out_at_once(world: World) -> None:
    phone = world.activated()
    world.desk.doctors.set_disabled(1, disabled=True)
    assert refusal(phone.with_token, "jobs") == "disabled"
    assert refusal(phone.log_in) == "disabled"


def test_the_self_service_session_is_no_phone(world: World) -> None:
    """A password alone neither reads jobs nor switches automatic signing on."""
    world.activated()
    _, token = world.desk.doctors.log_in("13800138000", "31002X")
    phone = PhoneApp(world.post)
    phone.token = token
    assert refusal(phone.with_token, "jobs") == "token"
    assert refusal(phone.with_token, "setAutoSign", enabled=True) == "token"


def test_a_challenge_is_used_once_and_ends(world: World) -> None:
    phone = world.activated()
    asked = phone.call("challenge", keyId=phone.key_id)
    name, data = f"login:{asked['challenge']}", unb64(asked["data"])
    phone.sign(name, data)
    assert refusal(phone.sign, name, data) == "challenge"
    asked = phone.call("challenge", keyId=phone.key_id)
    world.now += 6 * 60_000
    assert refusal(phone.sign, f"login:{asked['challenge']}", unb64(asked["data"])) == "challenge"


# --- the rest ------------------------------------------------------------------------------------------------------


def test_an_offline_certificate_is_waited_for(world: World) -> None:
    """Annex 7: 证书尚未生成，请等待证书导入; then log-in works."""
    elsewhere = sm2.generate()
    from yingqiao.gm.issuing import Authority
    from yingqiao.gm.signatures import sm2_key, sm2_signer
    from yingqiao.signing.certificates.authority import IssuingRule, Subject, doctor_certificate

    signer = sm2_signer(elsewhere)
    der = root_certificate("外部 CA", sm2_key(elsewhere.public().point), signer, moment(world.now))
    world.desk.authority.start_offline(der)
    phone = PhoneApp(world.post)
    done = phone.activate(world.desk.activations.give(world.enrol())[0])
    assert (done["certificate"], done["token"], done["state"]) == (None, None, None)
    assert "等待证书导入" in done["stateWords"]
    assert refusal(phone.log_in) == "certificate-waiting"
    point = reference.encode(phone.phone.public)
    made = doctor_certificate(
        Profile.SIGNING,
        Subject("医院", "王医生"),
        sm2_key(point),
        Authority.of(certificates.parse(der), signer),
        IssuingRule(),
        moment(world.now),
    )
    world.desk.authority.import_certificate(made)
    assert phone.log_in()["certificateState"] == "normal"


def test_a_certificate_by_mobile_number(world: World) -> None:
    """Annex 7, row 8: a code to the number, an activation code for it; five guesses, five minutes, once a minute."""
    world.enrol()
    phone = PhoneApp(world.post)
    assert phone.call("phoneCode", mobile="13800138000") == {}
    assert refusal(phone.call, "phoneCode", mobile="13800138000") == "too-many"
    assert phone.call("phoneCode", mobile="13800138001") == {}
    ((mobile, code),) = world.sent
    assert (mobile, len(code)) == ("13800138000", 6)
    given = {"mobile": mobile, "verificationCode": code}
    wrong = given | {"verificationCode": "x"}
    assert refusal(phone.call, "phoneDownload", **wrong) == "verification-code"
    activation = phone.call("phoneDownload", **given)["code"]
    assert refusal(phone.call, "phoneDownload", **given) == "verification-code"
    assert phone.activate(activation)["state"] == "normal"
    world.desk.codes.send(mobile)
    guessed = given | {"verificationCode": world.sent[-1][1]}
    for _ in range(5):
        assert refusal(phone.call, "phoneDownload", **wrong) == "verification-code"
    assert refusal(phone.call, "phoneDownload", **guessed) == "verification-code"
    for _ in range(20):
        world.desk.codes.send(mobile)
    assert len(world.sent) == 10


def test_a_seal_is_reviewed(world: World) -> None:
    """Annex 7, row 18: the change shows after the review; a newer one takes the place of the waiting one."""
    phone = world.activated()
    assert phone.with_token("seal") == {"picture": None, "waiting": None}
    assert refusal(phone.with_token, "setSeal", picture=b64(b"GIF89a")) == "picture"
    for _ in range(2):
        assert phone.with_token("setSeal", picture=b64(PICTURE)) == {"applied": False}
    (waiting,) = world.cases.list(state=CaseState.SUBMITTED, form="sample")
    assert phone.with_token("seal") == {"picture": None, "waiting": b64(PICTURE)}
    world.cases.approve(waiting.id, "审批乙")
    assert phone.with_token("seal") == {"picture": b64(PICTURE), "waiting": None}


def test_a_seal_without_review(database: Database, tmp_path: Path) -> None:
    phone = World(database, tmp_path, seal_review=False).activated()
    assert phone.with_token("setSeal", picture=b64(PICTURE)) == {"applied": True}
    assert phone.with_token("seal")["picture"] == b64(PICTURE)


def test_automatic_signing(world: World) -> None:
    """Annex 7, row 19, version above 2.0: 24 hours by default, 30 days at most, a key and certificate of its own."""
    phone = world.activated()
    assert phone.with_token("autoSign") == {"enabled": False, "until": None, "maxMinutes": 43200}
    before, _ = world.push(authorizedUserId="U7")
    world.now += 1
    for until in (world.now, world.now + 30 * DAY + 6 * 60_000):
        assert refusal(phone.with_token, "setAutoSign", enabled=True, until=until) == "until"
    ahead = phone.with_token("setAutoSign", enabled=True, until=world.now + 30 * DAY + 60_000)
    assert ahead["until"] == world.now + 30 * DAY, "a phone's clock may be ahead"
    on = phone.with_token("setAutoSign", enabled=True)
    assert on == {"enabled": True, "until": world.now + DAY, "maxMinutes": 43200}
    number, _ = world.push(authorizedUserId="U7")
    free, _ = world.push()
    assert world.desk.automatic.turn() == 1
    told = world.result(number)
    certificate = certificates.parse(unb64(told["signCert"]))
    assert told["jobStatus"] == "FINISH"
    assert certificate.key.point != reference.encode(phone.phone.public)
    assert sm2.verify(sm2.PublicKey(certificate.key.point), MESSAGE, unb64(told["signResult"]))
    assert {world.result(one)["jobStatus"] for one in (before, free)} == {"UNSIGN"}
    assert [one["id"] for one in phone.with_token("jobs", state="FINISH")["jobs"]] == [number]
    world.now += DAY
    late, _ = world.push(authorizedUserId="U7")
    assert world.desk.automatic.turn() == 0
    assert world.result(late)["jobStatus"] == "UNSIGN"
    phone.log_in()
    assert phone.with_token("autoSign")["enabled"] is False
    world.now += 1
    phone.with_token("setAutoSign", enabled=True)
    world.push(authorizedUserId="U7", title="又一份")
    revoked = world.desk.authority.of_doctor(1, Profile.AUTOMATIC)
    assert len(revoked) == 1, "the certificate is kept"
    world.desk.authority.revoke(revoked[0].id, crl.Reason.CESSATION_OF_OPERATION)
    assert world.desk.automatic.turn() == 0


def test_automatic_signing_by_the_office(database: Database, tmp_path: Path) -> None:
    """Annex 7, row 19, versions up to 2.0: the service switches, the doctor sets a deadline 1 to 24 hours away."""
    world = World(database, tmp_path, auto_sign_by="office")
    phone, automatic, hour = world.activated(), world.desk.automatic, 3_600_000
    assert phone.call("getServiceInfo")["version"] == "2.0"
    assert phone.with_token("autoSign") == {"enabled": False, "until": None, "maxMinutes": 1440}
    assert refusal(phone.with_token, "setAutoSign", enabled=True) == "automatic-managed"
    for _ in range(2):
        automatic.switch(1, enabled=True)
    assert phone.with_token("autoSign") == {"enabled": True, "until": None, "maxMinutes": 1440}
    world.push(authorizedUserId="U7")
    assert automatic.turn() == 0, "no deadline yet"
    world.now += 1
    assert refusal(phone.with_token, "setAutoSign", enabled=False) == "automatic-managed"
    for until in (world.now + hour - 6 * 60_000, world.now + DAY + 6 * 60_000):
        assert refusal(phone.with_token, "setAutoSign", enabled=True, until=until) == "until"
    said = phone.with_token("setAutoSign", enabled=True, until=world.now + hour)
    assert said == {"enabled": True, "until": world.now + hour, "maxMinutes": 1440}
    world.push(authorizedUserId="U7", title="另一份")
    assert automatic.turn() == 1
    world.now += hour
    assert phone.with_token("autoSign") == {"enabled": True, "until": None, "maxMinutes": 1440}
    phone.with_token("setAutoSign", enabled=True, until=world.now + 2 * hour)
    automatic.switch(1, enabled=False)
    assert (
        refusal(phone.with_token, "setAutoSign", enabled=True, until=world.now + hour) == "automatic-managed"
    )


def test_automatic_signing_by_the_doctor_is_not_switched_on_by_the_office(world: World) -> None:
    phone = world.activated()
    with pytest.raises(SigningRefused, match="医师在手机上开启"):
        world.desk.automatic.switch(1, enabled=True)
    phone.with_token("setAutoSign", enabled=True)
    world.desk.automatic.switch(1, enabled=False)
    assert phone.with_token("autoSign")["enabled"] is False


def test_own_ca_is_trusted_with_its_lists(world: World) -> None:
    """The CA that issues here is trusted as `ca` without being added, and what it revoked is known."""
    phone = world.activated()
    trust = TrustStore(world.database).current()
    (entry,) = trust.entries
    assert (entry.role, entry.certificate.raw) == (Role.CA, world.ca.certificate.raw)
    assert NOTHING.entries == ()
    issued = world.desk.authority.of_doctor(1, Profile.SIGNING)[0]
    world.desk.authority.revoke(issued.id, crl.Reason.KEY_COMPROMISE)
    later = TrustStore(world.database).current()
    mine = certificates.parse(issued.certificate or b"")
    found = later.revocation(mine, world.ca.certificate, moment(world.now + 2000), ())
    assert found.state is crl.State.REVOKED
    assert refusal(phone.log_in) == "certificate-revoked"


@pytest.mark.parametrize(
    ("name", "given", "code"),
    [
        ("ticket", {}, "field"),
        ("ticket", {"o": "x" * 24}, "ticket"),
        ("ticket", {"o": 5}, "field"),
        ("challenge", {"keyId": "nobody"}, "no-key"),
        ("makeKey", {"code": "AAAA", "session": "s", "offer": "!!"}, "field"),
        ("makeKey", {"code": "AAAA", "session": "s", "offer": "AAAA"}, "message-size"),
        ("offer", {"keyId": "k", "job": "rm -rf", "offer": b64(bytes(133))}, "field"),
        ("offer", {"keyId": "k", "job": "csr:other", "offer": b64(bytes(133))}, "field"),
        ("finish", {"keyId": "k", "job": "job:x", "finish": b64(bytes(36))}, "token"),
        ("jobs", {"token": "guess"}, "token"),
        ("logout", {}, "field"),
        ("phoneCode", {"mobile": "12"}, "field"),
    ],
)
def test_what_is_no_request(world: World, name: str, given: dict[str, Any], code: str) -> None:
    assert refusal(PhoneApp(world.post).call, name, **given) == code


def test_a_signature_takes_few_statements(world: World) -> None:
    """Issue 5, what a signature costs the server: each step looks once at all it stands on and keeps it in one transaction."""
    phone = world.activated()
    number, _ = world.push(authorizedUserId="U7")
    name, e = f"job:{number}", phone.digest(MESSAGE)
    asked: list[str] = []
    ended: list[None] = []

    def count(_connection: Any, _cursor: Any, statement: str, *_: object) -> None:
        asked.append(statement.split()[0])

    event.listen(world.database.engine, "before_cursor_execute", count)
    event.listen(world.database.engine, "commit", lambda _: ended.append(None))
    answer = phone.offer(name, e)
    assert asked == ["SELECT"] * 3 + ["UPDATE", "INSERT"]
    asked.clear()
    phone.finish(name, e, answer)
    assert asked == ["SELECT"] * 2 + ["UPDATE", "UPDATE"]
    assert len(ended) == 2
    event.remove(world.database.engine, "before_cursor_execute", count)


def test_attempts_are_forgotten_when_no_job_can_ask_for_them(world: World) -> None:
    """A number answered is refused for as long as its job lives (three days at most), and not kept for ever."""
    phone = world.activated()
    number, _ = world.push(authorizedUserId="U7", expiryDate="4320")
    phone.offer(f"job:{number}", phone.digest(MESSAGE))
    assert retention.forget_attempts(world.database, world.now + 4 * DAY) == 0
    assert retention.forget_attempts(world.database, world.now + 8 * DAY) >= 1
