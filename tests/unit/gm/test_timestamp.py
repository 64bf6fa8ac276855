"""Time stamps (GM/T 0033, RFC 3161): the standard's tokens, ours, and one test for each thing that can be wrong."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.helpers.gm_samples import token_samples, vectors
from tests.helpers.pki import END, NOW, POLICY, START, Entity, later, make, world
from yingqiao.gm import certificates, cms, cms_writing, der, oids, signatures, timestamp
from yingqiao.gm.cms_writing import MessageSigner
from yingqiao.gm.errors import GmError
from yingqiao.gm.issuing import Profile
from yingqiao.gm.timestamp import Failure, Imprint, Request, Response, TimestampError
from yingqiao.gm.timestamp_writing import (
    Stamp,
    Stamper,
    imprint_of,
    write_refusal,
    write_request,
    write_response,
)

W = world()
STAMPER = Stamper(W.tsa.certificate, W.tsa.signer, POLICY, W.chain)
DATA = b"test"
STAMP = Stamp(imprint_of(DATA), 4711, NOW, 77, timedelta(seconds=1, milliseconds=2, microseconds=3))


def examine(raw: bytes, original: bytes | None = DATA, **more) -> timestamp.TokenFacts:
    return timestamp.examine(timestamp.parse_token(raw), original=original, **more)


def token(
    content: bytes, *, attributes: list[bytes] | None = None, signers: int = 1, by: Entity = W.tsa
) -> bytes:
    """A token over content our writer never makes."""
    basic = cms_writing.basic_attributes(oids.TST_INFO, content, NOW, oids.SM3)
    signer, algorithm = MessageSigner(by.certificate, by.signer), der.write_algorithm(oids.SM3)
    signed = basic if attributes is None else [*basic, *attributes]
    info = cms_writing.signer_info(signer, content, signed, algorithm)
    body = der.sequence(
        der.write_integer(3),
        der.set_of([algorithm]),
        cms_writing.content_info(oids.TST_INFO, der.write_octets(content)),
        cms_writing.certificate_set([by.certificate], ()),
        der.element(der.SET, info * signers),
    )
    return cms_writing.content_info(oids.PKCS7_SIGNED_DATA, body)


def info_of(raw: bytes) -> bytes:
    content = cms.parse(raw).content
    assert content is not None
    return content


@pytest.mark.parametrize("position", [0, 1])
def test_tokens_of_the_standard(position: int):
    """四(二)4(4)3 and 4: RSA, messageDigest and imprint of `test` are right. The certificate within is misprinted
    in its CA's signature, so the signed ESSCertID cannot be of it.
    """
    sample, raw = vectors()["timestamp_token"][position], token_samples()[position]
    found = examine(raw, sample["oriData_utf8"].encode(), nonce=int(sample["nonce_hex"], 16))
    info = found.token.info
    assert f"{info.gen_time:%Y%m%d%H%M%SZ}" == sample["genTime"]
    assert info.serial == int(sample["serial_hex"], 16)
    assert (info.policy, info.tsa) == ("1.2", "C=CN, O=BJCA, OU=111111, CN=rsa1024")
    assert (found.signed, found.imprint_ok, found.nonce_ok) == (True, True, True)
    assert (found.purpose_ok, found.certificate_in_time, found.bound) == (True, True, False)
    assert found.certificate is not None
    assert found.certificate.key.raw == _base64(sample["tsa_public_key_spki_base64"])
    assert found.oddities == ("RSA 密钥只有 1024 位",)
    assert examine(raw, b"other").imprint_ok is False


def _base64(text: str) -> bytes:
    import base64

    return base64.b64decode(text)


@pytest.mark.parametrize("attach", [True, False])
def test_what_we_emit(attach: bool):
    """CMS version 3, 501 bare, contentType, signingTime, messageDigest, signingCertificateV2, algorithm protection."""
    raw = STAMPER.stamp(STAMP, attach=attach)
    found = examine(raw, nonce=77, known=[W.tsa.certificate])
    info, message = found.token.info, found.token.message
    assert (message.gm, message.version, message.content_type) == (False, 3, oids.TST_INFO)
    assert (info.serial, info.gen_time, info.nonce, info.policy) == (4711, NOW, 77, POLICY)
    assert info.accuracy == STAMP.accuracy
    assert info.tsa == str(W.tsa.certificate.subject)
    assert (found.signed, found.bound, found.imprint_ok, found.nonce_ok) == (True, True, True, True)
    assert (found.purpose_ok, found.certificate_in_time, found.oddities) == (True, True, ())
    assert found.signer.algorithms_ok is True
    assert len(message.certificates) == (3 if attach else 0)
    assert der.write_algorithm(oids.SM2_SM3) in raw
    named = {oid for oid, _ in found.signer.info.attributes or ()}
    assert named == {
        oids.CONTENT_TYPE,
        oids.SIGNING_TIME,
        oids.MESSAGE_DIGEST,
        oids.SIGNING_CERTIFICATE_V2,
        oids.ALGORITHM_PROTECTION,
    }


def test_without_certificate_it_has_to_be_known():
    """`attachCert` false: nothing is right without the authority's certificate (-5)."""
    raw = STAMPER.stamp(STAMP, attach=False)
    found = examine(raw)
    assert (found.certificate, found.signed, found.purpose_ok, found.certificate_in_time) == (
        None,
        False,
        None,
        None,
    )
    assert len(raw) < 1000 * 3 // 4


def test_response_and_token_are_both_taken():
    raw = STAMPER.stamp(STAMP)
    inside = timestamp.parse_token(write_response(raw))
    assert inside.response is not None
    assert (inside.response.status, inside.response.token) == (timestamp.Status.GRANTED, raw)
    assert timestamp.parse_token(raw).response is None
    assert examine(write_response(raw)).signed


def test_gm_outer_type_and_301_1_are_taken():
    signer = Stamper(W.tsa.certificate, cms_writing.gm_signer(W.tsa.private), POLICY)
    raw = signer.stamp(STAMP)
    outer = der.parse(raw).children()
    gm = der.sequence(der.write_oid(oids.GM_SIGNED_DATA), outer[1].raw)
    assert examine(gm).signed
    assert examine(gm).token.message.gm


def test_imprint_of_another_original():
    """-2."""
    found = examine(STAMPER.stamp(STAMP), b"Test")
    assert (found.imprint_ok, found.signed) == (False, True)
    assert timestamp.examine(found.token).imprint_ok is None
    assert timestamp.examine(found.token, imprint=imprint_of(DATA, oids.SHA256)).imprint_ok is False
    assert timestamp.examine(found.token, imprint=STAMP.imprint).imprint_ok is True


def test_another_nonce():
    assert examine(STAMPER.stamp(STAMP), nonce=78).nonce_ok is False
    assert examine(STAMPER.stamp(replace(STAMP, nonce=None)), nonce=78).nonce_ok is False


def test_info_changed_after_signing():
    """-1: the digest no longer is of the content."""
    raw = STAMPER.stamp(STAMP)
    changed = raw.replace(b"20260301040506Z", b"20260301040507Z")
    found = examine(changed)
    assert (found.signed, found.signer.digest_ok, found.signer.signature.valid) == (False, False, True)


def test_signed_without_attributes_is_not_signed():
    """RFC 3161 2.4.2 requires them."""
    info = cms_writing.signer_info(
        MessageSigner(W.tsa.certificate, W.tsa.signer), info_of(STAMPER.stamp(STAMP)), None, b"\x30\0"
    )
    assert info
    raw = STAMPER.stamp(STAMP)
    message = timestamp.parse_token(raw)
    bare = replace(message.message.signers[0], attributes=None)
    forged = replace(message, message=replace(message.message, signers=(bare,)))
    assert not timestamp.examine(forged).signed


def test_certificate_not_named_by_the_attributes():
    """-1: ESSCertID absent, or of another certificate."""
    content = info_of(STAMPER.stamp(STAMP))
    absent = examine(token(content))
    assert (absent.signed, absent.signer.certificate_named_ok, absent.bound) == (True, None, False)
    named = der.sequence(der.write_algorithm(oids.SM3), der.write_octets(bytes(32)))
    other = cms_writing.attribute(oids.SIGNING_CERTIFICATE_V2, der.sequence(der.sequence(named)))
    wrong = examine(token(content, attributes=[other]))
    assert (wrong.signer.certificate_named_ok, wrong.bound) == (False, False)
    broken = cms_writing.attribute(oids.SIGNING_CERTIFICATE_V2, der.write_null())
    assert examine(token(content, attributes=[broken])).bound is False


def test_essential_hash_defaults():
    """Version 1 is SHA-1 (RFC 2634), version 2 without algorithm SHA-256 (RFC 5035)."""
    content, raw = info_of(STAMPER.stamp(STAMP)), W.tsa.certificate.raw
    for oid, algorithm in ((oids.SIGNING_CERTIFICATE, oids.SHA1), (oids.SIGNING_CERTIFICATE_V2, oids.SHA256)):
        named = der.sequence(der.write_octets(signatures.digest(algorithm, raw)))
        value = cms_writing.attribute(oid, der.sequence(der.sequence(named)))
        assert examine(token(content, attributes=[value])).bound


def test_algorithms_not_as_protected():
    """RFC 6211."""
    value = der.sequence(der.write_algorithm(oids.SHA256), b"\xa1" + der.write_algorithm(oids.SM2_SM3)[1:])
    protection = cms_writing.attribute(oids.ALGORITHM_PROTECTION, value)
    found = examine(token(info_of(STAMPER.stamp(STAMP)), attributes=[protection]))
    assert (found.signer.algorithms_ok, found.signed) == (False, False)


def test_certificate_not_for_time_stamps():
    """-1: extended key usage missing; the writer refuses such a certificate at once."""
    found = examine(token(info_of(STAMPER.stamp(STAMP)), by=W.doctor))
    assert (found.signed, found.purpose_ok) == (True, False)
    with pytest.raises(TimestampError):
        Stamper(W.doctor.certificate, W.doctor.signer, POLICY)


def test_time_outside_the_certificate():
    """-4 and -6; the writer makes no such token."""
    raw = STAMPER.stamp(STAMP)
    for moment in (START - timedelta(seconds=1), END + timedelta(seconds=1)):
        with pytest.raises(TimestampError):
            STAMPER.stamp(replace(STAMP, gen_time=moment))
        written = der.write_generalized_time(moment)
        content = info_of(raw).replace(der.write_generalized_time(NOW), written)
        assert examine(token(content)).certificate_in_time is False
    assert examine(STAMPER.stamp(replace(STAMP, gen_time=END))).certificate_in_time is True


def test_several_signers_are_refused():
    """RFC 3161 2.4.2: the authority's signature alone."""
    parsed = timestamp.parse_token(token(info_of(STAMPER.stamp(STAMP)), signers=2))
    with pytest.raises(TimestampError, match="2 个"):
        timestamp.examine(parsed)


def test_fractions_and_ordering():
    moment = later(microseconds=250_000)
    found = examine(STAMPER.stamp(replace(STAMP, gen_time=moment, ordering=True, accuracy=None)))
    assert (found.token.info.gen_time, found.token.info.ordering) == (moment, True)
    assert found.token.info.accuracy is None


@pytest.mark.parametrize("algorithm", [oids.SM3, oids.SHA256, oids.SHA512])
def test_imprints_of_other_algorithms(algorithm: str):
    stamp = replace(STAMP, imprint=imprint_of(DATA, algorithm))
    assert examine(STAMPER.stamp(stamp)).imprint_ok


def test_weak_and_unknown_imprints_are_noted():
    assert (
        "消息摘要使用 SHA-1"
        in examine(STAMPER.stamp(replace(STAMP, imprint=imprint_of(DATA, oids.SHA1)))).oddities
    )
    unknown = examine(STAMPER.stamp(replace(STAMP, imprint=Imprint("1.2.3", b"x"))))
    assert unknown.imprint_ok is False
    assert "不支持的杂凑算法 1.2.3" in unknown.oddities


REQUESTS = [
    Request(imprint_of(DATA)),
    Request(imprint_of(DATA, oids.SHA256), POLICY, 2**64, wants_certificate=True),
]


@pytest.mark.parametrize("request_", REQUESTS)
def test_requests_go_round(request_: Request):
    assert timestamp.parse_request(write_request(request_)) == request_


BAD_REQUESTS = {
    "version 2": write_request(REQUESTS[0]).replace(b"\x02\x01\x01", b"\x02\x01\x02"),
    "short digest": write_request(Request(Imprint(oids.SM3, b"x" * 31))),
    "cut": write_request(REQUESTS[0])[:-1],
    "more": der.sequence(write_request(REQUESTS[0])[2:], der.write_null()),
    "token": STAMPER.stamp(STAMP),
}


@pytest.mark.parametrize("raw", BAD_REQUESTS.values(), ids=BAD_REQUESTS.keys())
def test_bad_requests(raw: bytes):
    with pytest.raises(GmError):
        timestamp.parse_request(raw)


@pytest.mark.parametrize("failure", Failure)
def test_refusals_go_round(failure: Failure):
    raw = write_refusal(failure, "不支持")
    assert timestamp.parse_response(raw) == Response(2, "不支持", (failure,), None)
    with pytest.raises(TimestampError, match="状态 2"):
        timestamp.parse_token(raw)


BAD_TOKENS = {
    "certificate": W.tsa.certificate.raw,
    "nothing": b"",
    "plain data": cms_writing.gm_signed_data(DATA, [MessageSigner(W.doctor.certificate, W.doctor.signer)]),
    "version 2": token(info_of(STAMPER.stamp(STAMP)).replace(b"\x02\x01\x01", b"\x02\x01\x02", 1)),
    "info of another shape": token(der.sequence(der.write_integer(1))),
    "negative accuracy": token(
        info_of(STAMPER.stamp(replace(STAMP, accuracy=timedelta(seconds=5)))).replace(
            b"\x02\x01\x05", b"\x02\x01\xff"
        )
    ),
    "too large": bytes(timestamp.MAX_TOKEN + 1),
}


@pytest.mark.parametrize("raw", BAD_TOKENS.values(), ids=BAD_TOKENS.keys())
def test_bad_tokens(raw: bytes):
    """-1: the structure."""
    with pytest.raises(GmError):
        timestamp.parse_token(raw)


def test_another_purpose_beside_time_stamping():
    """RFC 3161 2.3: alone and critical."""
    tsa = make(Profile.TSA, "又一个", W.ca)
    for facts in (
        replace(tsa.certificate.facts, extended_usage_critical=False),
        replace(tsa.certificate.facts, extended_usage=(oids.TIME_STAMPING, oids.CLIENT_AUTH)),
    ):
        certificate = replace(tsa.certificate, facts=facts)
        parsed = timestamp.parse_token(
            Stamper(tsa.certificate, tsa.signer, POLICY).stamp(STAMP, attach=False)
        )
        assert timestamp.examine(parsed, known=[certificate]).purpose_ok is False
    assert certificates.parse(tsa.certificate.raw) == tsa.certificate
