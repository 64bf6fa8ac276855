"""Seals judged (GB/T 38540-2020, GM/T 0031): rows 1 to 9 with codes 1002 to 1010, one defect a test, first failing decides."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from tests.helpers import pki, seals
from tests.helpers.trust import crl_of
from yingqiao.gm import crl, der, oids, ses, sm2, sm3
from yingqiao.gm.issuing import Profile
from yingqiao.gm.ses import CertificateDigest
from yingqiao.signing.seals.context import RegistrySilentError, SealContext
from yingqiao.signing.seals.judge import judge_seal, judge_signature
from yingqiao.signing.seals.rows import ROWS
from yingqiao.signing.seals.states import SealState, Stop
from yingqiao.signing.seals.verdict import Verdict
from yingqiao.signing.trust import Entry, Role, Trust
from yingqiao.signing.verification.policy import Policy
from yingqiao.signing.verification.report import Indication

W, P = seals.seal_world(), pki.world()
DIGEST = sm3.digest(seals.DOCUMENT)
STAMPED = seals.SIGNED_AT + timedelta(seconds=3)
OTHER = pki.make(Profile.SIGNING, "另一家医院", P.ca)
STRANGER_CA = pki.make(Profile.CA, "陌生 CA")


def context(trust: Trust | None = None, **more: object) -> SealContext:
    return SealContext(trust or seals.seal_trust(), more.pop("at", pki.NOW), **more)  # type: ignore[arg-type]


def judge(raw: bytes, digest: bytes | None = DIGEST, trust: Trust | None = None, **more: object) -> Verdict:
    return judge_signature(raw, digest, context(trust, **more))


def wrong_rows(verdict: Verdict) -> list[int]:
    return [ROWS[step.name].code for step in verdict.report.steps if step.indication is not Indication.PASSED]


def decided(verdict: Verdict) -> tuple[str, int, str]:
    return str(verdict.report.indication), verdict.code, verdict.report.deciding.reason


def signed_by(entity: pki.Entity, **more: object) -> bytes:
    """A right seal signature of `entity`, whom the seal names."""
    seal = seals.make_seal(seals.info(certificates=(entity.certificate.raw,)))
    return seals.make_signature(seal, signer=entity, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("stamped", [None, STAMPED])
@pytest.mark.parametrize("raw_form", [False, True])
@pytest.mark.parametrize("version", [4, 5])
def test_a_right_one_passes_every_row(stamped: datetime | None, raw_form: bool, version: int):
    """r‖s of 64 bytes is met in production seals and passes with a note."""
    seal = seals.make_seal(version=version, raw_form=raw_form)
    verdict = judge(seals.make_signature(seal, stamped=stamped, raw_form=raw_form))
    assert decided(verdict) == ("passed", 0, "ok")
    assert [ROWS[step.name].code for step in verdict.report.steps] == list(range(1002, 1011))
    assert (verdict.time, verdict.report.reference_by) == (
        (STAMPED, "token") if stamped else (seals.SIGNED_AT, "claimed")
    )
    assert verdict.signed_at == ("2026-03-01 10:05:09" if stamped else "2026-03-01 10:05:06")
    assert verdict.signer_name == "影桥测试医院"
    assert "电子签章验证通过" in verdict.report.text()
    assert ("r‖s" in verdict.report.text()) == raw_form


def test_version_1_passes_with_the_signers_own_time():
    assert decided(judge(seals.make_signature_1())) == ("passed", 0, "ok")


def test_version_1_passes_with_a_token_over_the_document():
    token = seals.stamp(seals.DOCUMENT, seals.SIGNED_AT)
    verdict = judge(seals.make_signature_1(time_info=token))
    assert decided(verdict) == ("passed", 0, "ok")
    assert verdict.report.reference_by == "token"
    wrong = judge(seals.make_signature_1(time_info=seals.stamp(b"another", seals.SIGNED_AT)))
    assert decided(wrong)[1] == 1009


def test_a_seal_may_name_its_signers_by_digests():
    """certListType 2, the algorithm in several spellings."""
    value = sm3.digest(W.signer.certificate.raw)
    for kind in ("SM3", "sm3", oids.SM3):
        said = seals.info(certificates=(), digests=(CertificateDigest(kind, value),))
        assert judge(seals.make_signature(seals.make_seal(said))).code == 0


def _half(message: bytes) -> bytes:
    return message[:-1] + bytes((message[-1] ^ 1,))


def _version(written: bytes) -> bytes:
    """TBS_Sign that says 5 over a seal of version 4."""
    inside = [node.raw for node in der.parse(written).children()]
    return der.sequence(der.write_integer(5), *inside[1:])


def _in_rsa_terms() -> bytes:
    return seals.make_signature(algorithm=oids.SHA256_RSA)


EXPIRING = pki.make(
    Profile.SIGNING, "过期医院", P.ca, not_before=pki.START, not_after=seals.SIGNED_AT - timedelta(days=1)
)
ENCRYPTING = pki.make(Profile.ENCRYPTION, "加密证书", P.ca)
UNKNOWN_SIGNER = pki.make(Profile.SIGNING, "陌生医院", STRANGER_CA)
UNKNOWN_MAKER = pki.make(Profile.SEAL_MAKER, "陌生制章者", STRANGER_CA)
CA_MAKER = pki.make(Profile.SEAL_MAKER, "普通 CA 下的制章者", P.ca)
STAMPING_MAKER = pki.make(Profile.TSA, "时间戳机构", W.maker_root)
OLD_MAKER = pki.make(
    Profile.SEAL_MAKER, "过期制章者", W.maker_root, not_after=seals.CREATED - timedelta(days=1)
)

ONE_DEFECT: dict[str, tuple[Callable[[], bytes], tuple[str, int, str]]] = {
    "structure": (lambda: seals.make_signature()[:-1], ("failed", 1002, "unreadable")),
    "header is not ES": (
        lambda: seals.make_signature(seals.make_seal(seals.info(header_id="EX"))),
        ("failed", 1002, "header-id"),
    ),
    "versions differ": (lambda: seals.make_signature(tbs=_version), ("failed", 1002, "versions-differ")),
    "signer's signature": (lambda: seals.make_signature(over=_half), ("failed", 1003, "signature-mismatch")),
    "signer's signature without Z": (
        lambda: _resigned(lambda tbs: sm2.sign_digest(W.signer.private, sm3.digest(tbs))),
        ("failed", 1003, "pre-image"),
    ),
    "algorithm of another key": (_in_rsa_terms, ("failed", 1003, "signature-mismatch")),
    "signer not in the seal": (lambda: seals.make_signature(signer=OTHER), ("failed", 1004, "not-in-seal")),
    "signer not among the digests": (
        lambda: seals.make_signature(seals.make_seal(seals.info(**seals.by_digest(OTHER.certificate)))),
        ("failed", 1004, "not-in-seal"),
    ),
    "maker's signature": (
        lambda: seals.make_signature(seals.make_seal(over=_half)),
        ("failed", 1005, "signature-mismatch"),
    ),
    "maker nobody trusts": (
        lambda: seals.make_signature(seals.make_seal(maker=UNKNOWN_MAKER)),
        ("unknown", 1006, "no-trusted-chain"),
    ),
    "maker of a CA that issues signers only": (
        lambda: seals.make_signature(seals.make_seal(maker=CA_MAKER)),
        ("unknown", 1006, "no-trusted-chain"),
    ),
    "maker is a time stamping authority": (
        lambda: seals.make_signature(seals.make_seal(maker=STAMPING_MAKER)),
        ("failed", 1006, "key-usage"),
    ),
    "signer is a time stamping authority": (lambda: signed_by(P.tsa), ("failed", 1008, "key-usage")),
    "maker expired when the seal was made": (
        lambda: seals.make_signature(seals.make_seal(maker=OLD_MAKER)),
        ("failed", 1006, "expired"),
    ),
    "seal not yet valid": (
        lambda: seals.make_signature(seals.make_seal(seals.info(valid_from=pki.NOW + timedelta(days=1)))),
        ("failed", 1007, "seal-expired"),
    ),
    "seal expired": (
        lambda: seals.make_signature(
            seals.make_seal(seals.info(valid_to=seals.SIGNED_AT - timedelta(seconds=1)))
        ),
        ("failed", 1007, "seal-expired"),
    ),
    "signer expired": (lambda: signed_by(EXPIRING), ("failed", 1008, "expired")),
    "signer nobody trusts": (lambda: signed_by(UNKNOWN_SIGNER), ("unknown", 1008, "no-trusted-chain")),
    "signer may not sign": (lambda: signed_by(ENCRYPTING), ("failed", 1008, "key-usage")),
    "time in the future": (
        lambda: seals.make_signature(at=pki.NOW + timedelta(hours=1)),
        ("unknown", 1009, "in-the-future"),
    ),
    "stamp of another signature": (
        lambda: seals.make_signature(stamped=seals.stamp(b"another", STAMPED)),
        ("failed", 1009, "imprint-mismatch"),
    ),
    "no stamp at all": (lambda: seals.make_signature(stamped=b"\x30\0"), ("failed", 1009, "not-a-timestamp")),
    "stamp long after": (
        lambda: seals.make_signature(at=seals.SIGNED_AT - timedelta(days=3), stamped=STAMPED),
        ("unknown", 1009, "times-apart"),
    ),
    "stamp before": (
        lambda: seals.make_signature(stamped=seals.SIGNED_AT - timedelta(minutes=30)),
        ("unknown", 1009, "times-apart"),
    ),
    "another document": (
        lambda: seals.make_signature(digest=sm3.digest(b"another")),
        ("failed", 1010, "hash-mismatch"),
    ),
}


def _resigned(sign: Callable[[bytes], bytes]) -> bytes:
    tbs = ses.to_sign(seals.make_seal(), seals.SIGNED_AT, DIGEST, seals.PROPERTY)
    return ses.signature(tbs, W.signer.certificate.raw, sign(tbs))


@pytest.mark.parametrize(("made", "expected"), ONE_DEFECT.values(), ids=ONE_DEFECT.keys())
def test_one_defect_gives_its_own_code(made: Callable[[], bytes], expected: tuple[str, int, str]):
    verdict = judge(made())
    assert decided(verdict) == expected
    assert wrong_rows(verdict) == [expected[1]]
    assert "请" in verdict.report.words


def test_each_row_has_a_test_of_its_own():
    assert {code for _, (_, code, _) in ONE_DEFECT.values()} >= set(range(1002, 1011))


def test_a_ca_of_signers_does_not_make_its_signers_seal_makers():
    """Trusted for both roles, as where one CA issues everything: only a maker that is named himself makes seals."""
    both = seals.seal_trust(makers=[P.ca.certificate])
    by_doctor = seals.make_signature(seals.make_seal(maker=P.doctor), stamped=STAMPED)
    by_maker = seals.make_signature(seals.make_seal(maker=CA_MAKER), stamped=STAMPED)
    for raw in (by_doctor, by_maker):
        assert decided(judge(raw, trust=both)) == ("unknown", 1006, "maker-not-named")
    named = seals.seal_trust(makers=[P.ca.certificate, CA_MAKER.certificate])
    assert decided(judge(by_maker, trust=named)) == ("passed", 0, "ok")
    assert judge(by_doctor, trust=named).code == 1006
    alone = seals.seal_trust(makers=[CA_MAKER.certificate])
    assert decided(judge(by_maker, trust=alone)) == ("passed", 0, "ok")
    assert decided(judge(by_doctor, trust=alone)) == ("unknown", 1006, "no-trusted-chain")


def _revoked(at: datetime, **more: object) -> crl.Entry:
    return crl.Entry(W.signer.certificate.serial, at, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("revoked", "stamped", "expected"),
    [
        (seals.SIGNED_AT - timedelta(days=1), None, ("failed", 1008, "revoked")),
        (seals.SIGNED_AT - timedelta(days=1), STAMPED, ("failed", 1008, "revoked")),
        (pki.NOW - timedelta(minutes=5), STAMPED, ("passed", 0, "ok")),
        (pki.NOW - timedelta(minutes=5), None, ("unknown", 1008, "revoked-no-proof")),
    ],
)
def test_a_signer_revoked_before_and_after(revoked: datetime, stamped: datetime | None, expected):
    """What was signed before a revocation stays good where a time stamp proves it; a stated time proves nothing."""
    trust = seals.seal_trust(crl_of(P.ca, _revoked(revoked)))
    verdict = judge(seals.make_signature(stamped=stamped), trust=trust)
    assert decided(verdict) == expected
    assert wrong_rows(verdict) == [expected[1]][: expected[1]]


@pytest.mark.parametrize(
    ("revoked", "stamped", "expected"),
    [
        (seals.CREATED - timedelta(days=1), STAMPED, ("failed", 1006, "revoked")),
        (seals.CREATED + timedelta(days=1), STAMPED, ("unknown", 1006, "revoked-no-proof")),
        (pki.NOW - timedelta(minutes=5), STAMPED, ("passed", 0, "ok")),
        (pki.NOW - timedelta(minutes=5), None, ("unknown", 1006, "revoked-no-proof")),
    ],
)
def test_a_maker_revoked_before_and_after(revoked: datetime, stamped: datetime | None, expected):
    """A maker could state any date of making: the seal existed when a stamped signature used it."""
    trust = seals.seal_trust(crl_of(W.maker_root, crl.Entry(W.maker.certificate.serial, revoked)))
    assert decided(judge(seals.make_signature(stamped=stamped), trust=trust)) == expected


def _trusted_alone(*lists: crl.RevocationList, root: bool = True) -> Trust:
    """The maker's certificate itself, trusted by hand; `root` that issued it known as some CA only."""
    given = seals.seal_trust(makers=[W.maker.certificate]).entries
    more = [Entry(W.maker_root.certificate, Role.CA)] if root else []
    return Trust((*given, *more), (crl_of(P.ca), *lists))


@pytest.mark.parametrize(
    ("revoked", "stamped", "expected"),
    [
        (seals.CREATED - timedelta(days=1), STAMPED, ("failed", 1006, "revoked")),
        (seals.CREATED + timedelta(days=1), STAMPED, ("unknown", 1006, "revoked-no-proof")),
        (pki.NOW - timedelta(minutes=5), STAMPED, ("passed", 0, "ok")),
        (pki.NOW - timedelta(minutes=5), None, ("unknown", 1006, "revoked-no-proof")),
    ],
)
def test_a_maker_trusted_by_itself_is_looked_up_all_the_same(
    revoked: datetime, stamped: datetime | None, expected
):
    """2.7 row 5: no chain leads to it, but the list of its issuer is known; and what we revoked ourselves needs no list."""
    raw = seals.make_signature(stamped=stamped)
    listed = crl_of(W.maker_root, crl.Entry(W.maker.certificate.serial, revoked))
    assert decided(judge(raw, trust=_trusted_alone(listed))) == expected
    own = crl.revoked(revoked, crl.Reason.KEY_COMPROMISE)
    alone = seals.seal_trust(makers=[]).with_more([Entry(W.maker.certificate, Role.SEAL_MAKER, own)])
    assert decided(judge(raw, trust=alone)) == expected


def test_a_maker_trusted_by_itself_is_unknown_where_its_list_cannot_say():
    """2.7 row 5: stale, or not to be checked: never passed, never failed. Without any list there is nothing to ask."""
    raw = seals.make_signature(stamped=STAMPED)
    assert decided(judge(raw, trust=_trusted_alone(crl_of(W.maker_root)))) == ("passed", 0, "ok")
    stale = crl_of(W.maker_root, at=seals.CREATED - timedelta(days=9))
    assert decided(judge(raw, trust=_trusted_alone(stale))) == ("unknown", 1006, "crl-stale")
    nobodys = _trusted_alone(crl_of(W.maker_root), root=False)
    assert decided(judge(raw, trust=nobodys)) == ("unknown", 1006, "crl-unusable")
    impostor = pki.make(Profile.CA, "影桥测试制章根")
    assert decided(judge(raw, trust=_trusted_alone(crl_of(impostor)))) == ("unknown", 1006, "crl-unusable")
    unlisted = judge(raw, trust=_trusted_alone())
    assert decided(unlisted) == ("passed", 0, "ok")
    assert "没有其颁发者的吊销列表可查" in unlisted.report.text()


def test_unknown_is_never_passed_and_never_failed():
    """No list, a stale list, no document."""
    no_lists = Trust(seals.seal_trust().entries)
    assert decided(judge(seals.make_signature(), trust=no_lists)) == ("unknown", 1006, "no-crl")
    stale = seals.seal_trust(crl_of(P.ca, days=0.5))
    assert decided(judge(seals.make_signature(), trust=stale)) == ("unknown", 1008, "crl-stale")
    assert decided(judge(seals.make_signature(), None)) == ("unknown", 1010, "no-content")
    assert "一起验证" in judge(seals.make_signature(), None).report.words


def test_a_signature_stays_good_after_its_certificates_expired():
    """With a time stamp, or by the stated time with a note."""
    later = pki.END + timedelta(days=1)
    for stamped, note in ((STAMPED, False), (None, True)):
        lists = (crl_of(P.ca, at=later), crl_of(W.maker_root, at=later))
        verdict = judge(seals.make_signature(stamped=stamped), trust=seals.seal_trust(*lists), at=later)
        assert decided(verdict) == ("passed", 0, "ok")
        assert ("没有可信时间戳证明" in verdict.report.text()) == note
    firm = Policy.of({"unproven-expired": "fail"})
    lists = (crl_of(P.ca, at=later), crl_of(W.maker_root, at=later))
    trust = seals.seal_trust(*lists)
    assert judge(seals.make_signature(), trust=trust, at=later, policy=firm).code == 1006


BEFORE, AFTER = seals.SIGNED_AT - timedelta(days=1), seals.SIGNED_AT + timedelta(minutes=30)
LIFTED = seals.SIGNED_AT + timedelta(minutes=60)


@pytest.mark.parametrize("state", [SealState.SUSPENDED, SealState.LOST, SealState.RENEWED, SealState.REVOKED])
@pytest.mark.parametrize(
    ("since", "until", "stamped", "expected"),
    [
        (BEFORE, None, STAMPED, ("failed", 1007, "seal-standing")),
        (BEFORE, None, None, ("failed", 1007, "seal-standing")),
        (BEFORE, LIFTED, STAMPED, ("failed", 1007, "seal-standing")),
        (BEFORE, LIFTED, None, ("failed", 1007, "seal-standing")),
        (BEFORE, seals.SIGNED_AT - timedelta(hours=1), None, ("passed", 0, "ok")),
        (BEFORE, seals.SIGNED_AT + timedelta(milliseconds=300), None, ("passed", 0, "ok")),
        (AFTER, None, STAMPED, ("passed", 0, "ok")),
        (AFTER, None, None, ("unknown", 1007, "revoked-no-proof")),
        (AFTER, LIFTED, STAMPED, ("passed", 0, "ok")),
        (pki.NOW + timedelta(days=1), None, None, ("passed", 0, "ok")),
    ],
)
def test_a_seal_is_judged_by_its_state_when_it_was_used(state, since, until, stamped, expected):
    """2.7, row 6: a stop since lifted counts for what was sealed within it; one after the moment of judging never does."""
    stops = (Stop(state, since, until),)
    verdict = judge(seals.make_signature(stamped=stamped), stops=lambda _: stops)
    assert decided(verdict) == expected
    assert (state.words in verdict.report.text()) == (expected[1] != 0 or (since == AFTER and bool(stamped)))


@pytest.mark.parametrize(
    ("state", "expected"),
    [(SealState.SUSPENDED, ("passed", 0, "ok")), (SealState.LOST, ("unknown", 1007, "revoked-no-proof"))],
)
def test_a_stated_time_is_believed_across_a_suspension_but_not_across_a_loss(state, expected):
    """Nobody but the holder had a suspended seal; whoever found a lost one could state any time."""
    stops = (Stop(state, AFTER, LIFTED),)
    assert decided(judge(seals.make_signature(), stops=lambda _: stops)) == expected


def test_one_stop_after_another_leaves_no_second_between():
    """Suspended, then reported lost within the second that the signature names."""
    between = seals.SIGNED_AT + timedelta(milliseconds=300)
    stops = (Stop(SealState.SUSPENDED, BEFORE, between), Stop(SealState.LOST, between))
    verdict = judge(seals.make_signature(stamped=STAMPED), stops=lambda _: stops)
    assert decided(verdict) == ("failed", 1007, "seal-standing")


def test_a_registry_that_does_not_answer_leaves_it_unknown():
    """Unknown is never passed and never failed (2.7); of seals that are not ours there is nothing to know."""

    def silent(_: object) -> tuple[Stop, ...]:
        raise RegistrySilentError

    verdict = judge(seals.make_signature(stamped=STAMPED), stops=silent)
    assert decided(verdict) == ("unknown", 1007, "registry-silent")
    assert judge(seals.make_signature(stamped=STAMPED), stops=lambda _: ()).code == 0


def test_a_bare_seal_is_judged_by_its_state_now():
    suspended = Stop(SealState.SUSPENDED, BEFORE)
    lifted = Stop(SealState.SUSPENDED, BEFORE, AFTER)
    for stop, code in ((suspended, 1007), (lifted, 0)):
        assert judge_seal(seals.make_seal(), context(stops=lambda _, one=stop: (one,))).code == code


def test_a_seal_made_after_its_use_is_only_a_note():
    """createDate is later than validStart by hours in production seals, so it is never required to be earlier."""
    seal = seals.make_seal(seals.info(created=seals.SIGNED_AT + timedelta(hours=1)))
    verdict = judge(seals.make_signature(seal))
    assert verdict.code == 0
    assert "晚于使用它的" in verdict.report.text()


def test_the_first_failing_row_decides_and_all_are_listed():
    seal = seals.make_seal(seals.info(valid_to=seals.SIGNED_AT - timedelta(1)), over=_half)
    verdict = judge(seals.make_signature(seal, signer=OTHER, digest=b"x" * 32))
    assert verdict.code == 1004
    assert wrong_rows(verdict) == [1004, 1005, 1007, 1010]


def test_failed_decides_before_unknown():
    """A changed document is no matter of opinion, whoever made the seal."""
    verdict = judge(seals.make_signature(seals.make_seal(maker=UNKNOWN_MAKER), digest=b"x" * 32))
    assert (verdict.code, wrong_rows(verdict)) == (1010, [1006, 1010])


def test_a_renewed_certificate_that_the_seal_does_not_name_is_explained():
    private = W.signer.private
    authority = P.ca.authority
    from yingqiao.gm import certificates, issuing

    renewed_order = pki.order(Profile.SIGNING, pki.name("影桥测试医院"), pki.key_of(private))
    renewed = pki.Entity(certificates.parse(issuing.issue(renewed_order, authority)), private)
    verdict = judge(seals.make_signature(signer=renewed))
    assert verdict.code == 1004
    assert "证书更新后印章没有更新" in verdict.report.words


def test_policy_weighs():
    """Constraints are data: a hospital may want a time stamp, or take what has none of a list."""
    bare = seals.make_signature()
    assert decided(judge(bare, policy=Policy.of({"seal-stamp-missing": "fail"}))) == (
        "failed",
        1009,
        "no-timestamp",
    )
    lenient = Policy.of({"revocation-missing": "warn"})
    assert judge(bare, trust=Trust(seals.seal_trust().entries), policy=lenient).code == 0


# Bare seals


def test_a_bare_seal_is_judged_as_far_as_it_goes():
    verdict = judge_seal(seals.make_seal(), context())
    assert decided(verdict) == ("passed", 0, "ok")
    assert [ROWS[step.name].code for step in verdict.report.steps] == [1002, 1005, 1006, 1007]
    assert verdict.report.subject == "电子印章"
    shown = verdict.shown()
    assert (shown["code"], shown["seal"], shown["signer"]) == (0, "影桥测试医院影像诊断专用章", "")
    for version in (1, 5):
        assert judge_seal(seals.make_seal(version=version), context()).code == 0


@pytest.mark.parametrize(
    ("seal", "code"),
    [
        (seals.make_seal()[:-3], 1002),
        (seals.make_seal(seals.info(header_id="XX")), 1002),
        (seals.make_seal(over=_half), 1005),
        (seals.make_seal(maker=UNKNOWN_MAKER), 1006),
        (seals.make_seal(seals.info(valid_to=pki.NOW - timedelta(days=1))), 1007),
    ],
)
def test_a_bare_seal_with_one_defect(seal: bytes, code: int):
    assert judge_seal(seal, context()).code == code


def test_a_maker_certificate_that_is_none_is_the_makers_fault():
    written = ses.seal_info(seals.info())
    seal = ses.seal(written, b"no certificate", seals.signed(W.maker, written))
    assert decided(judge_seal(seal, context())) == ("failed", 1005, "certificate-unreadable")
