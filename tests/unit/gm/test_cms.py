"""Signed messages (GM/T 0010, GB/T 35275, PKCS#7): the standard's sample, every variant seen, every departure."""

import pytest

from tests.helpers.gm_samples import pkcs7_sample, vectors
from tests.helpers.pki import NOW, Entity, rsa_entity, world
from yingqiao.gm import cms, cms_facts, der, oids, signatures, sm2
from yingqiao.gm.cms import CmsError
from yingqiao.gm.cms_facts import Content
from yingqiao.gm.cms_writing import MessageSigner, attribute, gm_signed_data, gm_signer
from yingqiao.gm.errors import GmError
from yingqiao.gm.signatures import PreImage

W = world()
DATA = "报告原文".encode()
NULL = der.write_null()


def attributes(content: bytes = DATA, content_type: str = oids.GM_DATA) -> list[bytes]:
    return [
        attribute(oids.CONTENT_TYPE, der.write_oid(content_type)),
        attribute(oids.MESSAGE_DIGEST, der.write_octets(signatures.digest(oids.SM3, content))),
    ]


def signer_info(
    entity: Entity = W.doctor,
    *,
    content: bytes = DATA,
    signed: list[bytes] | None = None,
    algorithm: bytes = der.write_algorithm(oids.SM2_SIGN, [NULL]),
    digest: bytes = der.write_algorithm(oids.SM3, [NULL]),
    identifier: bytes | None = None,
    sign=None,
    unsigned: bytes = b"",
) -> bytes:
    """One signer in any form; `signed` attributes stay in the order given."""
    certificate = entity.certificate
    serial = der.element(der.INTEGER, certificate.serial_raw)
    whole = content if signed is None else der.element(der.SET, b"".join(signed))
    return der.sequence(
        der.write_integer(1),
        identifier or der.sequence(certificate.issuer.raw, serial),
        digest,
        b"" if signed is None else b"\xa0" + whole[1:],
        algorithm,
        der.write_octets((sign or (lambda m: sm2.sign(entity.private, m)))(whole)),
        unsigned,
    )


def message(
    *infos: bytes,
    outer: str = oids.GM_SIGNED_DATA,
    inner: str = oids.GM_DATA,
    content: bytes | None = DATA,
    version: int = 1,
    certificates: tuple[Entity, ...] = (W.doctor, W.nurse),
    raw_content: bytes | None = None,
) -> bytes:
    if raw_content is None and content is not None:
        raw_content = der.write_octets(content)
    held = b"".join(one.certificate.raw for one in certificates)
    body = der.sequence(
        der.write_integer(version),
        der.element(der.SET, der.write_algorithm(oids.SM3)),
        der.sequence(der.write_oid(inner), b"" if raw_content is None else der.explicit(0, raw_content)),
        der.element(0xA0, held) if held else b"",
        der.element(der.SET, b"".join(infos)),
    )
    return der.sequence(der.write_oid(outer), der.explicit(0, body))


def facts(raw: bytes, original: bytes | None = DATA, **more) -> cms_facts.MessageFacts:
    return cms_facts.examine(cms.parse(raw), original, **more)


def test_the_sample_of_the_standard():
    """四(二)4(5)2: signs `123` with 301.3 and NULL; for the `12345678` printed beside it the answer is false."""
    sample = vectors()["sm2_pkcs7"][0]
    found = facts(pkcs7_sample(), sample["valid_for"].encode())
    assert (found.valid, found.content) == (True, Content.EMBEDDED)
    signer = found.signers[0]
    assert signer.signature.pre_image is PreImage.RULE
    assert signer.info.signature_algorithm == oids.SM2_ENCRYPT
    assert signer.certificate is not None
    assert signer.certificate.key.point[1:].hex() == sample["signer_public_key_hex_xy"]
    other = facts(pkcs7_sample(), b"12345678")
    assert (other.valid, other.content) == (False, Content.DIFFERENT)
    assert other.signers[0].signature.valid
    assert facts(pkcs7_sample(), None).valid


@pytest.mark.parametrize("detached", [False, True])
@pytest.mark.parametrize("signing_time", [None, NOW])
def test_what_we_emit(detached, signing_time):
    """Version 1, SM3 with NULL, inner 6.1.4.2.1, 301.1 with NULL, DER, the signer's certificate and chain."""
    signer = MessageSigner(W.doctor.certificate, gm_signer(W.doctor.private))
    raw = gm_signed_data(DATA, [signer], detached=detached, chain=W.chain, signing_time=signing_time)
    message_ = cms.parse(raw)
    assert (message_.gm, message_.version, message_.content_type) == (True, 1, oids.GM_DATA)
    assert der.write_algorithm(oids.SM2_SIGN, [NULL]) in raw
    assert der.write_algorithm(oids.SM3, [NULL]) in raw
    assert set(message_.certificates) == {W.doctor.certificate, *W.chain}
    found = cms_facts.examine(message_, DATA)
    assert found.valid
    assert found.content is (Content.DETACHED if detached else Content.EMBEDDED)
    assert (found.oddities, found.signers[0].oddities) == ((), ())
    assert found.signers[0].info.signing_time == signing_time
    assert not cms_facts.examine(message_, DATA + b" ").valid


@pytest.mark.parametrize("parameters", [[], [NULL]])
@pytest.mark.parametrize("algorithm", sorted(oids.SM2_SIGNATURES))
def test_signature_algorithms_of_sm2(algorithm: str, parameters: list[bytes]):
    """Rule 1: 501, 301.1, 301, 301.3; parameters and those of the digest absent or NULL."""
    written = der.write_algorithm(algorithm, parameters)
    info = signer_info(algorithm=written, digest=der.write_algorithm(oids.SM3, parameters))
    found = facts(message(info))
    assert found.valid
    assert found.signers[0].oddities == ()


def test_other_algorithms_are_not_taken():
    exchange = facts(message(signer_info(algorithm=der.write_algorithm(oids.SM2_EXCHANGE))))
    sha = facts(message(signer_info(digest=der.write_algorithm(oids.SHA256))))
    odd = facts(message(signer_info(algorithm=der.write_algorithm(oids.SM2_SM3, [der.write_integer(1)]))))
    assert (exchange.valid, sha.valid) == (False, False)
    assert sha.signers[0].signature.oddities == ("SM2 签名应使用 SM3 杂凑",)
    assert odd.signers[0].oddities == ("签名算法带有意外的参数",)


@pytest.mark.parametrize("outer", [oids.GM_SIGNED_DATA, oids.PKCS7_SIGNED_DATA])
@pytest.mark.parametrize("inner", [oids.GM_DATA, oids.PKCS7_DATA])
def test_types_of_both_families(outer: str, inner: str):
    assert facts(message(signer_info(), outer=outer, inner=inner)).valid


def test_signed_attributes_in_the_shape_of_yunnan():
    """Inner 7.1, attribute 6.1.4.2.1, detached: tolerated and noted (rule 3)."""
    found = facts(message(signer_info(signed=attributes()), inner=oids.PKCS7_DATA, content=None))
    assert found.valid
    assert found.signers[0].oddities == ("内容类型属性与内容的类型分属两种标准",)


def test_another_content_type_attribute_fails():
    found = facts(message(signer_info(signed=attributes(content_type=oids.TST_INFO))))
    assert (found.valid, found.signers[0].content_type_ok) == (False, False)
    absent = facts(message(signer_info(signed=attributes()[1:])))
    assert absent.signers[0].content_type_ok is False


def test_attributes_out_of_order_are_hashed_as_received():
    """Rule 2: never sorted again, noted."""
    backwards = sorted(attributes(), reverse=True)
    found = facts(message(signer_info(signed=backwards)))
    assert found.valid
    assert found.signers[0].oddities == ("签名属性未按 DER 排序，按收到的字节验证",)


def test_attributes_under_their_own_tag_are_wrong():
    """What is hashed has the tag of SET, not [0]."""
    private = W.doctor.private
    info = signer_info(signed=attributes(), sign=lambda whole: sm2.sign(private, b"\xa0" + whole[1:]))
    assert not facts(message(info)).valid


@pytest.mark.parametrize("content", [DATA + b"!", b""])
def test_message_digest_must_be_of_the_content(content: bytes):
    found = facts(message(signer_info(signed=attributes(content))))
    assert (found.valid, found.signers[0].digest_ok, found.signers[0].signature.valid) == (False, False, True)


def test_message_digest_missing_or_repeated_fails():
    kind, digest = attributes()
    for signed in ([kind], [kind, digest, digest]):
        assert facts(message(signer_info(signed=signed))).signers[0].digest_ok is False


def test_content_that_is_a_digest():
    """山东 OFD, 点聚 PDF: eContent is SM3 of the document, the value raw r‖s of 64 bytes."""
    digest, private = signatures.digest(oids.SM3, DATA), W.doctor.private
    info = signer_info(
        content=digest,
        algorithm=der.write_algorithm(oids.SM2_SM3),
        sign=lambda m: sm2.der_to_raw(sm2.sign(private, m)),
    )
    found = facts(message(info, content=digest))
    assert found.content is Content.EMBEDDED_DIGEST
    assert found.valid
    assert found.signers[0].signature.oddities == ("签名值是 64 字节的 r‖s，不是 DER 编码",)
    assert facts(message(info, content=digest), b"other").content is Content.DIFFERENT


def test_all_signers_have_to_be_right():
    """Rule 5."""
    right, wrong = signer_info(W.doctor), signer_info(W.nurse, content=b"other")
    assert facts(message(right, signer_info(W.nurse))).valid
    found = facts(message(right, wrong))
    assert [signer.valid for signer in found.signers] == [True, False]
    assert not found.valid
    assert not facts(message()).valid


def test_detached_needs_the_original():
    raw = message(signer_info(), content=None)
    assert facts(raw).content is Content.DETACHED
    missing = facts(raw, None)
    assert (missing.content, missing.valid) == (Content.MISSING, False)
    assert not facts(raw, b"other").valid


def test_header_and_content_hashed_together_is_wrong():
    """What GmSSL's cms.c does, and rule 7 warns of."""
    private = W.doctor.private
    info = signer_info(sign=lambda m: sm2.sign(private, der.write_octets(m)))
    assert not facts(message(info)).valid


PRE_IMAGES = {
    PreImage.EMPTY_ID: lambda private, m: sm2.sign(private, m, user_id=b""),
    PreImage.NO_Z: lambda private, m: sm2.sign_digest(private, signatures.digest(oids.SM3, m)),
}


@pytest.mark.parametrize("pre_image", PRE_IMAGES)
def test_wrong_pre_images_are_named(pre_image: PreImage):
    info = signer_info(sign=lambda m: PRE_IMAGES[pre_image](W.doctor.private, m))
    found = facts(message(info))
    assert not found.valid
    assert found.signers[0].signature.pre_image is pre_image
    assert facts(message(info), diagnose=False).signers[0].signature.pre_image is None
    assert facts(message(info), accepted=frozenset({pre_image}), diagnose=False).valid


def test_signer_by_key_identifier():
    """CMS allows it."""
    key_id = W.doctor.certificate.facts.subject_key_id
    assert key_id is not None
    assert facts(message(signer_info(identifier=der.element(0x80, key_id)))).valid


def test_signer_not_inside():
    """Found among certificates known elsewhere, or said to be missing."""
    raw = message(signer_info(), certificates=())
    assert facts(raw).signers[0].signature.oddities == ("找不到签名者的证书",)
    assert facts(raw, known=[W.doctor.certificate]).valid
    assert not facts(raw, known=[W.nurse.certificate]).valid


def test_issuer_written_otherwise():
    """As in the standard's sample: the serial number decides when only one certificate has it."""
    serial = der.element(der.INTEGER, W.doctor.certificate.serial_raw)
    info = signer_info(identifier=der.sequence(W.root.certificate.subject.raw, serial))
    found = facts(message(info))
    assert found.valid
    assert "颁发者" in found.signers[0].oddities[0]


def test_a_broken_certificate_beside_is_noted():
    body = message(signer_info()).replace(W.nurse.certificate.raw, b"\x31" + W.nurse.certificate.raw[1:])
    found = facts(body)
    assert found.valid
    assert "第 2 张证书无法解析" in found.oddities[0]


def test_version_and_ber_are_noted():
    found = facts(message(signer_info(), version=3))
    assert found.valid
    assert found.oddities == ("国密签名数据的版本应为 1，实为 3",)
    assert facts(message(signer_info(), outer=oids.PKCS7_SIGNED_DATA, version=3)).oddities == ()


def test_ber_content_in_pieces_is_put_together():
    pieces = b"\x24\x80" + der.write_octets(DATA[:5]) + der.write_octets(DATA[5:]) + b"\0\0"
    assert facts(message(signer_info(), raw_content=pieces)).valid


def test_content_that_is_no_octet_string():
    """[0] ANY of PKCS#7: the content octets are what is signed."""
    assert facts(message(signer_info(), raw_content=der.sequence(DATA)), None).valid


def test_rsa_with_digest_apart():
    """SHA256WithRSA as PKCS#7 writes it: rsaEncryption beside the digest (5.5)."""
    certificate, signer = rsa_entity()
    raw = gm_signed_data(DATA, [MessageSigner(certificate, signer)])
    assert facts(raw).valid
    plain = raw.replace(der.write_oid(oids.SHA256_RSA), der.write_oid(oids.RSA))
    found = facts(plain, known=[certificate])
    assert found.signers[0].signature.valid


def test_time_stamps_inside_are_handed_out():
    inside = der.sequence(der.write_integer(1))
    unsigned = der.element(0xA1, attribute(oids.SIGNATURE_TIME_STAMP, inside))
    assert cms.parse(message(signer_info(unsigned=unsigned))).signers[0].time_stamps == (inside,)


NOT_MESSAGES = {
    "enveloped": message(signer_info(), outer="1.2.156.10197.6.1.4.2.3"),
    "certificate": W.doctor.certificate.raw,
    "nothing": b"",
    "text": b"MIIDYgYKKoEcz1UGAQQCAqCC",
    "cut": message(signer_info())[:-1],
    "too many signers": message(*[signer_info()] * (cms.MAX_SIGNERS + 1)),
}


@pytest.mark.parametrize("raw", NOT_MESSAGES.values(), ids=NOT_MESSAGES.keys())
def test_no_message(raw: bytes):
    with pytest.raises(GmError) as refusal:
        cms.parse(raw)
    assert refusal.value.code in ("cms", "der")


def test_enveloped_data_is_named():
    with pytest.raises(CmsError, match="国密数字信封"):
        cms.parse(NOT_MESSAGES["enveloped"])
