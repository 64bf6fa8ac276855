"""Staff, doctors, applications and the CA as kept, on both databases."""

from __future__ import annotations

import base64
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.helpers import sm2_reference as reference
from tests.helpers.sm2_reference import Phone
from yingqiao.gm import certificates, cooperative, crl, csr, names, oids, sm2
from yingqiao.gm.cooperative import Outcome, SignFinish, SignOffer
from yingqiao.gm.issuing import Authority, Profile
from yingqiao.gm.key_share import CooperativeError, KeyOffer
from yingqiao.gm.keystore import MasterKey, new_master_key
from yingqiao.gm.signatures import sm2_key, sm2_signer
from yingqiao.signing.certificates.authority import IssuingRule, Subject, doctor_certificate, root_certificate
from yingqiao.signing.certificates.states import CertificateState
from yingqiao.signing.enrolment.case import CaseState
from yingqiao.signing.errors import SigningRefused
from yingqiao.signing.moments import moment
from yingqiao.signing.passwords import LOCK_MS, MOST_FAILURES
from yingqiao.store.database import Database
from yingqiao.store.hospitals import HospitalRegistry
from yingqiao.store.signing.activations import Activations
from yingqiao.store.signing.authority import CertificateAuthority
from yingqiao.store.signing.cases import Cases, FormRefused
from yingqiao.store.signing.doctors import Doctors
from yingqiao.store.signing.logins import SESSION_MS, Sessions
from yingqiao.store.signing.personal import PersonalData
from yingqiao.store.signing.phone_codes import PhoneCodes
from yingqiao.store.signing.shared_keys import SharedKey, SharedKeys
from yingqiao.store.signing.staff import Role, Staff

HOSPITAL = "H1"
ID_NUMBER = "11010519491231002X"
ENTRIES = {
    "name": "王医生",
    "idNumber": ID_NUMBER,
    "mobile": "13800138000",
    "department": "放射科",
    "userId": "U7",
}
DAY = 24 * 3600 * 1000


class Office:
    """Everything of the signing office on one database, with a clock that a test sets."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.now = 1_795_000_000_000
        self.raw_master = new_master_key()
        self.master_key = MasterKey(self.raw_master)
        registry = HospitalRegistry(database, self.master_key)
        registry.add(HOSPITAL, "太原市第一医院", "00" * 16)
        self.personal = PersonalData(database, self.master_key)
        self.sessions = Sessions(database)
        self.staff = Staff(database, self.sessions, self.clock)
        self.doctors = Doctors(database, self.personal, self.sessions, self.clock)
        self.cases = Cases(database, self.personal, self.doctors, self.clock)
        rule = IssuingRule(crl_urls=("http://gateway/crl/1.crl",))
        self.authority = CertificateAuthority(database, self.master_key, rule, self.clock)
        self.activations = Activations(database, self.clock)
        self.keys = SharedKeys(database, self.master_key, self.clock)

    def clock(self) -> int:
        return self.now

    def enrol(self, **changed: str) -> int:
        """An approved doctor's id."""
        case = self.cases.submit("doctor", HOSPITAL, ENTRIES | changed, "经办甲")
        doctor = self.cases.approve(case, "审批乙").doctor_id
        assert doctor is not None
        return doctor

    def issue(self, doctor_id: int) -> tuple[sm2.PrivateKey, list[int]]:
        """Certificates over a key that, for this test, one side has whole."""
        private = sm2.generate()
        with self.database.write() as connection:
            made = self.authority.issue_pair(
                connection, self.doctors.get(doctor_id), f"k{self.now}", private.public(), b""
            )
        return private, list(made)


@pytest.fixture
def office(database: Database) -> Office:
    return Office(database)


def refusal(act: object, *given: object, **named: object) -> str:
    with pytest.raises(SigningRefused) as refused:
        act(*given, **named)  # type: ignore[operator]
    assert refused.value.reason
    return refused.value.code


# --- people --------------------------------------------------------------------------------------------------------


def test_an_approved_application_makes_a_doctor_who_can_log_in_once_with_the_last_six(office: Office) -> None:
    """四(二)4: mobile number and the last six of the identity number; an own password is forced."""
    doctor_id = office.enrol()
    doctor, _ = office.doctors.log_in("13800138000", "31002X")
    assert (doctor.id, doctor.name, doctor.id_number, doctor.must_change) == (
        doctor_id,
        "王医生",
        ID_NUMBER,
        True,
    )
    assert refusal(office.doctors.log_in, "13800138000", "31002x") == "wrong-password"
    assert refusal(office.doctors.set_password, doctor_id, "31002X") == "password-length"
    office.doctors.set_password(doctor_id, "radiology-2026")
    again, token = office.doctors.log_in("13800138000", "radiology-2026")
    assert not again.must_change
    assert office.sessions.who(token, office.now) == f"doctor:{doctor_id}"


@pytest.mark.parametrize("known", [False, True])
def test_any_act_may_be_a_process_first(office: Office, known: bool) -> None:
    """The key of the digests is read, or made, before the transaction that needs it: within one, its making would wait for
    itself for ever.
    """
    if known:
        office.personal.ready()
    for act in (
        lambda fresh: fresh.cases.approve(
            fresh.cases.submit("doctor", HOSPITAL, ENTRIES, "经办甲"), "审批乙"
        ),
        lambda fresh: fresh.doctors.by_mobile("13800138000"),
        lambda fresh: fresh.doctors.by_identity(HOSPITAL, ID_NUMBER),
        lambda fresh: fresh.doctors.log_in("13800138000", "31002X"),
        lambda fresh: fresh.codes.send("13800138000"),
        lambda fresh: refusal(fresh.codes.redeem, "13800138000", "not it"),
    ):
        act(Fresh(office))
    assert office.doctors.by_mobile("13800138000") is not None


class Fresh:
    """A process that was just started: nothing is read yet."""

    def __init__(self, office: Office) -> None:
        database, now = office.database, office.clock
        personal = PersonalData(database, office.master_key)
        self.doctors = Doctors(database, personal, office.sessions, now)
        self.cases = Cases(database, personal, self.doctors, now)
        self.codes = PhoneCodes(database, personal, self.doctors, office.activations, self, now)

    def send(self, mobile: str, code: str) -> None:
        """As the sender of codes."""


def test_a_write_within_a_write_is_an_error_and_no_wait(office: Office) -> None:
    """On SQLite the inner one would wait for the outer one for ever."""
    fresh = PersonalData(office.database, office.master_key)
    with office.database.write(), pytest.raises(RuntimeError, match="write within a write"):
        fresh.digest("mobile", "13800138000")
    assert fresh.digest("mobile", "13800138000") == office.personal.digest("mobile", "13800138000")


def test_who_handed_in_cannot_approve(office: Office) -> None:
    case = office.cases.submit("doctor", HOSPITAL, ENTRIES, "经办甲")
    assert refusal(office.cases.approve, case, "经办甲") == "four-eyes"
    assert office.cases.get(case).case.state is CaseState.SUBMITTED
    office.cases.reject(case, "审批乙", "身份证号与姓名不符")
    assert refusal(office.cases.approve, case, "审批丙") == "decided"
    assert office.doctors.list() == []


def test_a_wrong_form_says_everything_at_once(office: Office) -> None:
    with pytest.raises(FormRefused) as refused:
        office.cases.submit("doctor", HOSPITAL, {"name": "王"}, "经办甲")
    assert [p.field for p in refused.value.problems] == ["idNumber", "mobile", "department"]


def test_a_second_application_of_the_same_person_changes_what_is_known(office: Office) -> None:
    first = office.enrol()
    assert office.enrol(department="超声科", mobile="13900139000") == first
    known = office.doctors.get(first)
    assert (known.department, known.mobile) == ("超声科", "13900139000")
    assert office.doctors.by_mobile("13800138000") is None


def test_a_mobile_number_belongs_to_one_doctor(office: Office) -> None:
    office.enrol()
    case = office.cases.submit("doctor", HOSPITAL, ENTRIES | {"idNumber": "440524198001010013"}, "经办甲")
    assert refusal(office.cases.approve, case, "审批乙") == "doctor-taken"


def test_the_handwritten_signature_goes_to_its_doctor(office: Office) -> None:
    """Annex 4: sampled twice."""
    entries = {**ENTRIES, "picture1": "sha256:aa", "picture2": "sha256:bb"}
    early = office.cases.submit("sample", HOSPITAL, entries, "经办甲")
    assert refusal(office.cases.approve, early, "审批乙") == "no-doctor"
    doctor_id = office.enrol()
    office.cases.approve(early, "审批乙")
    assert office.doctors.get(doctor_id).sample == "sha256:aa"


def test_nothing_that_names_a_person_lies_open_in_the_database(office: Office) -> None:
    office.enrol()
    with office.database.read() as connection:
        for table in ("doctors", "cases"):
            for row in connection.execute(text(f"select * from {table}")):
                whole = b"|".join(v if isinstance(v, bytes) else str(v).encode() for v in map(_plain, row))
                assert ID_NUMBER.encode() not in whole
                assert b"13800138000" not in whole


def _plain(value: object) -> object:
    return bytes(value) if isinstance(value, memoryview) else value


def test_five_wrong_passwords_lock_an_account(office: Office) -> None:
    office.staff.add("审批乙", Role.APPROVER, "first-pass-1", HOSPITAL)
    for _ in range(MOST_FAILURES):
        assert refusal(office.staff.log_in, "审批乙", "guess") == "wrong-password"
    assert refusal(office.staff.log_in, "审批乙", "first-pass-1") == "locked"
    office.now += LOCK_MS
    account, token = office.staff.log_in("审批乙", "first-pass-1")
    assert account.must_change
    office.staff.set_password("审批乙", "second-pass-2", by_themselves=True)
    assert office.sessions.who(token, office.now) is None
    assert not office.staff.get("审批乙").must_change


def test_a_session_ends(office: Office) -> None:
    office.staff.add("管理员", Role.ADMIN, "first-pass-1")
    _, token = office.staff.log_in("管理员", "first-pass-1")
    assert office.sessions.who(token, office.now + SESSION_MS - 1) == "staff:管理员"
    assert office.sessions.who(token, office.now + SESSION_MS) is None
    assert office.sessions.who("guess", office.now) is None
    office.staff.set_disabled("管理员", disabled=True)
    assert office.sessions.who(token, office.now) is None
    assert refusal(office.staff.log_in, "管理员", "first-pass-1") == "disabled"


def test_an_account_belongs_to_a_hospital_there_is(office: Office) -> None:
    assert refusal(office.staff.add, "某某", Role.OPERATOR, "first-pass-1", "H9") == "no-hospital"
    office.staff.add("某某", Role.OPERATOR, "first-pass-1", HOSPITAL)
    assert refusal(office.staff.add, "某某", Role.OPERATOR, "first-pass-1") == "name-taken"
    assert [a.name for a in office.staff.list()] == ["某某"]


def test_an_activation_code_is_redeemed_once(office: Office) -> None:
    doctor_id = office.enrol()
    stale, _ = office.activations.give(doctor_id)
    code, _ = office.activations.give(doctor_id)
    assert refusal(office.activations.look, stale) == "activation-unknown"
    assert office.activations.look(code) == doctor_id
    with office.database.write() as connection:
        assert office.activations.redeem(connection, code) == doctor_id
        assert refusal(office.activations.redeem, connection, code) == "activation-unknown"


# --- the CA --------------------------------------------------------------------------------------------------------


def test_a_doctor_gets_two_certificates_that_openssl_accepts(office: Office, tmp_path: Path) -> None:
    """GB/T 20518: signing and encryption; the judge is OpenSSL's command line."""
    root = office.authority.start("测试 CA")
    _, made = office.issue(office.enrol())
    signing, encryption = (office.authority.get(number) for number in made)
    assert (signing.profile, encryption.profile) == (Profile.SIGNING, Profile.ENCRYPTION)
    assert signing.state is CertificateState.NORMAL
    read = certificates.parse(signing.certificate or b"")
    assert read.subject.common_name == "王医生"
    assert read.signed_by(root.certificate.key).valid
    (tmp_path / "root.pem").write_bytes(_pem(root.certificate.raw))
    (tmp_path / "doctor.pem").write_bytes(_pem(signing.certificate or b""))
    at = str((office.now + DAY) // 1000)
    command = [
        "openssl",
        "verify",
        "-attime",
        at,
        "-vfyopt",
        "distid:1234567812345678",
        "-CAfile",
        "root.pem",
        "doctor.pem",
    ]
    judged = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert judged.stdout == "doctor.pem: OK\n", judged.stderr


def _pem(der: bytes) -> bytes:
    lines = base64.encodebytes(der)
    return b"-----BEGIN CERTIFICATE-----\n" + lines + b"-----END CERTIFICATE-----\n"


def test_a_renewal_replaces_and_a_revocation_is_published_at_once(office: Office) -> None:
    current = office.authority.start("测试 CA")
    doctor_id = office.enrol()
    _, (old, _) = office.issue(doctor_id)
    office.now += 330 * DAY
    assert office.authority.get(old).state is CertificateState.NORMAL
    office.now += 20 * DAY
    assert office.authority.get(old).state is CertificateState.EXPIRING
    _, (new, _) = office.issue(doctor_id)
    assert office.authority.get(old).replaced_by == new
    assert [c.id for c in office.authority.of_doctor(doctor_id, Profile.SIGNING)] == [new, old]
    revoked = office.authority.revoke(new, crl.Reason.KEY_COMPROMISE)
    assert revoked.state is CertificateState.REVOKED
    content, due = office.authority.lists.newest(current.id) or (b"", 0)
    listed = crl.parse(content)
    at = moment(office.now) + timedelta(seconds=1)
    assert listed.signed_by(current.certificate.key).valid
    assert listed.check(certificates.parse(revoked.certificate or b""), at).state is crl.State.REVOKED
    assert due == office.now + 7 * DAY
    assert refusal(office.authority.revoke, new, crl.Reason.SUPERSEDED) == "revoked"
    assert refusal(office.authority.revoke, 99, crl.Reason.SUPERSEDED) == "no-certificate"


def test_offline_certificates_wait_until_they_are_imported(office: Office) -> None:
    """Annex 7: 证书尚未生成，请等待证书导入."""
    elsewhere = sm2.generate()
    signer = sm2_signer(elsewhere)
    der = root_certificate("外部 CA", sm2_key(elsewhere.public().point), signer, moment(office.now))
    office.authority.start_offline(der)
    doctor_id = office.enrol()
    private = sm2.generate()
    subject = names.build([(oids.COMMON_NAME, "王医生")])
    request = csr.build(subject, sm2_key(private.public().point), sm2_signer(private))
    with office.database.write() as connection:
        waiting, _ = office.authority.issue_pair(
            connection, office.doctors.get(doctor_id), "k", private.public(), request
        )
    assert office.authority.get(waiting).state is None
    assert office.authority.waiting_requests() == [(waiting, request)]
    outside = Authority.of(certificates.parse(der), signer)
    made = doctor_certificate(
        Profile.SIGNING,
        Subject("医院", "王医生"),
        sm2_key(private.public().point),
        outside,
        IssuingRule(),
        moment(office.now),
    )
    assert office.authority.import_certificate(made).id == waiting
    assert office.authority.get(waiting).state is CertificateState.NORMAL
    assert refusal(office.authority.import_certificate, made) == "no-request"
    assert office.authority.lists.publish(1) is None


def test_without_a_ca_nothing_is_issued(office: Office) -> None:
    doctor_id = office.enrol()
    assert refusal(office.issue, doctor_id) == "no-authority"


# --- shared keys ---------------------------------------------------------------------------------------------------


def test_a_phone_and_the_kept_half_sign_together(office: Office) -> None:
    """§4.5 of the reference: the answer is stored before it leaves; a retry gets the same one; a wrong PIN is counted."""
    doctor_id = office.enrol()
    phone = Phone(0x1234567890ABCDEF, f"doctor:{doctor_id}")
    with office.database.write() as connection:
        offer = KeyOffer.from_bytes(phone.offer_key("session"))
        key_id, answer = office.keys.make(connection, doctor_id, "手机", offer, "session")
    phone.take_key(answer.to_bytes(), "session")
    key = office.keys.get(key_id)
    e = sm2.digest_for(key.public, b"report")
    asked = SignOffer.from_bytes(phone.offer_signature("job", 1, e))

    def reply() -> tuple[SharedKey, Outcome]:
        read = office.keys.get(key_id)
        share = office.keys.open(read)
        return read, cooperative.answer(share, read.state, asked, job="job", used=0, e=e, now=0, lifetime=60)

    read, first = reply()
    _, late = reply()
    assert office.keys.keep(read, first)
    assert not office.keys.keep(read, late), "another step came first: its answer may not leave"
    assert reply()[1].answer == first.answer != late.answer
    assert first.answer is not None
    final = SignFinish.from_bytes(phone.finish(first.answer.to_bytes(), 1, e))
    answered = office.keys.get(key_id)
    done = cooperative.finish(key.public, answered.state, final, job="job", now=1)
    assert office.keys.keep(answered, done)
    assert sm2.verify(key.public, b"report", done.signature or b"")
    assert office.keys.get(key_id).state.attempt.answer is None  # type: ignore[union-attr]
    with office.database.write() as connection:
        office.keys.erase(connection, key_id)
    assert refusal(reply) == "key-erased"


def test_a_phone_without_proof_gets_no_key(office: Office) -> None:
    doctor_id = office.enrol()
    offer = KeyOffer(reference.encode(reference.G), bytes(64), bytes(32))
    with office.database.write() as connection, pytest.raises(CooperativeError):
        office.keys.make(connection, doctor_id, "手机", offer, "session")
