"""Certificates as they are met (GB/T 20518-2018, GM/T 0015) and as issued: one test for each tolerance."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509

from tests.helpers.gm_samples import pkcs7_sample, token_samples
from tests.helpers.pki import (
    CRL_URL,
    END,
    NOW,
    POLICY,
    START,
    key_of,
    name,
    order,
    rsa_entity,
    rsa_key,
    world,
)
from yingqiao.gm import certificates, chain, cms, crl, der, issuing, names, oids, signatures, sm2
from yingqiao.gm.certificates import CertificateError
from yingqiao.gm.errors import GmError
from yingqiao.gm.issuing import Authority, Profile
from yingqiao.gm.signatures import PreImage, SubjectKey

W = world()
SM2_NULL = der.write_algorithm(oids.SM2_SM3, [der.write_null()])
SM2_BARE = der.write_algorithm(oids.SM2_SM3)


def forged(
    *,
    serial: bytes = b"\x01",
    inner: bytes = SM2_BARE,
    outer: bytes = SM2_BARE,
    validity: bytes | None = None,
    subject: bytes | None = None,
    spki: bytes | None = None,
    extensions: tuple[bytes, ...] = (),
    version: bytes = b"\xa0\x03\x02\x01\x02",
    sign=None,
) -> bytes:
    """A certificate by the test CA with parts in forms our issuer never writes."""
    validity = validity or der.sequence(der.write_time(START), der.write_time(END))
    more = der.explicit(3, der.sequence(*extensions)) if extensions else b""
    tbs = der.sequence(
        version,
        der.element(der.INTEGER, serial),
        inner,
        W.ca.certificate.subject.raw,
        validity,
        subject or name("某人").raw,
        spki or W.doctor.certificate.key.raw,
        more,
    )
    return der.sequence(tbs, outer, der.write_bits((sign or W.ca.signer.sign)(tbs)))


def test_profile_of_a_signing_certificate():
    """GB/T 20518-2018: version 3, 501 twice, keyUsage 06C0 critical, key identifiers, CRL addresses, identities."""
    found = W.doctor.certificate
    assert found.version == 3
    assert found.algorithm == oids.SM2_SM3
    assert found.facts.key_usage == {"digitalSignature", "nonRepudiation"}
    usage = next(one for one in found.extensions if one.oid == oids.KEY_USAGE)
    assert (usage.critical, usage.value.hex()) == (True, "030206c0")
    assert found.facts.authority_key_id == W.ca.certificate.facts.subject_key_id
    assert found.facts.crl_points == (CRL_URL, "ldap://ca.example/cn=crl")
    assert found.facts.policies == (POLICY,)
    assert found.facts.identity(oids.IDENTIFY_CODE) == "140101199001011234"
    assert found.facts.identity(oids.HEALTH_ENTITY) == "张三的标识"
    assert found.facts.identity(oids.TAXATION_NUMBER) == ""
    assert str(found.subject) == "C=CN, ST=山西省, O=影桥测试, CN=张三"
    assert found.oddities == ()
    assert found.may_sign
    assert not found.is_ca
    assert found.signed_by(W.ca.certificate.key).pre_image is PreImage.RULE
    assert not found.signed_by(W.root.certificate.key).valid


PROFILES = {
    Profile.SIGNING: ({"digitalSignature", "nonRepudiation"}, False, None),
    Profile.AUTOMATIC: ({"digitalSignature", "nonRepudiation"}, False, None),
    Profile.ENCRYPTION: ({"keyEncipherment", "dataEncipherment", "keyAgreement"}, False, None),
    Profile.CA: ({"keyCertSign", "cRLSign"}, True, None),
    Profile.TSA: ({"digitalSignature", "nonRepudiation"}, False, (oids.TIME_STAMPING,)),
    Profile.SEAL_MAKER: ({"digitalSignature", "nonRepudiation"}, False, None),
}


@pytest.mark.parametrize("profile", Profile)
def test_profiles_are_read_alike_by_cryptography(profile: Profile):
    usages, ca, purposes = PROFILES[profile]
    raw = issuing.issue(order(profile, name("甲"), W.doctor.certificate.key), W.ca.authority)
    facts = certificates.parse(raw).facts
    assert (facts.key_usage, facts.ca, facts.extended_usage) == (usages, ca, purposes)
    other = x509.load_der_x509_certificate(raw)
    assert other.serial_number == certificates.parse(raw).serial
    assert other.not_valid_after_utc == END
    assert other.extensions.get_extension_for_class(x509.BasicConstraints).value.ca is ca
    usage = other.extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.content_commitment is ("nonRepudiation" in usages)
    assert usage.key_cert_sign is ("keyCertSign" in usages)


IMPOSSIBLE = {
    "serial 0": {"serial": 0},
    "serial of 21 octets": {"serial": 1 << 160},
    "ends before it begins": {"not_after": START},
    "path of a signer": {"path_length": 1},
    "nobody": {"subject": names.build([])},
}


@pytest.mark.parametrize("change", IMPOSSIBLE.values(), ids=IMPOSSIBLE.keys())
def test_impossible_orders_are_refused(change):
    wanted = replace(order(Profile.SIGNING, name("甲"), W.doctor.certificate.key), **change)
    with pytest.raises(CertificateError):
        issuing.issue(wanted, W.ca.authority)


def test_serials_are_new_and_positive():
    serials = {issuing.new_serial() for _ in range(1000)}
    assert len(serials) == 1000
    assert all(0 < serial < 1 << 127 for serial in serials)


def test_algorithm_with_null_is_read():
    """17 of 46 certificates examined carry NULL."""
    found = certificates.parse(forged(inner=SM2_NULL, outer=SM2_NULL))
    assert found.signed_by(W.ca.certificate.key).valid
    assert "签名算法带有 NULL 参数" in found.oddities


def test_algorithms_that_differ_are_noted():
    found = certificates.parse(forged(inner=SM2_NULL))
    assert "内外两处签名算法不一致" in found.oddities


def test_key_under_the_curve_as_algorithm_is_read():
    """SPKI algorithm 301, as OpenSSL 3 and Tongsuo write; with the curve or nothing as parameter."""
    point = W.doctor.certificate.key.point
    for parameters in ([der.write_oid(oids.SM2)], []):
        spki = der.sequence(der.write_algorithm(oids.SM2, parameters), der.write_bits(point))
        found = certificates.parse(forged(spki=spki))
        assert found.key.kind is signatures.KeyKind.SM2
        assert found.key.point == point
        assert any("301" in oddity for oddity in found.oddities)


SERIALS = {
    "20 octets": (b"\x7f" + b"\1" * 19, None),
    "negative": (b"\xff\x01", "序列号编码为负数"),
    "not shortest": (b"\0\x01", "序列号不是最短编码"),
    "25 octets": (b"\x01" * 25, "序列号超过 20 字节"),
}


@pytest.mark.parametrize(("serial", "oddity"), SERIALS.values(), ids=SERIALS.keys())
def test_odd_serials_are_read(serial: bytes, oddity: str | None):
    found = certificates.parse(forged(serial=serial))
    assert found.serial_raw == serial
    assert found.serial_hex == serial.hex().upper()
    assert found.oddities == ((oddity,) if oddity else ())


def test_both_times_are_read():
    validity = der.sequence(
        b"\x17\x0d260101000000Z", der.write_generalized_time(datetime(2060, 1, 1, tzinfo=UTC))
    )
    found = certificates.parse(forged(validity=validity))
    assert (found.not_before, found.not_after.year) == (START, 2060)
    assert found.valid_at(START)
    assert not found.valid_at(START - timedelta(seconds=1))
    assert found.valid_at(found.not_after)


def test_validity_that_ends_before_it_begins_is_noted():
    validity = der.sequence(der.write_time(END), der.write_time(START))
    assert certificates.parse(forged(validity=validity)).oddities == ("有效期的终止早于起始",)


def test_unknown_critical_extensions_are_facts():
    """Unknown is not broken: what it means is for the policy."""
    unknown = issuing.extension("1.2.3.4", b"\x05\0", critical=True)
    broken = issuing.extension(oids.BASIC_CONSTRAINTS, b"\x01\x02", critical=True)
    harmless = issuing.extension("1.2.3.5", b"?")
    found = certificates.parse(forged(extensions=(unknown, broken, harmless)))
    assert found.facts.unknown_critical == ("1.2.3.4", oids.BASIC_CONSTRAINTS)
    assert "基本限制" in found.oddities[0]
    assert found.facts.ca is None


def test_repeated_extensions_are_noted():
    one, other = (
        issuing.extension(oids.BASIC_CONSTRAINTS, der.sequence(*([der.write_boolean(True)] * ca)))
        for ca in (0, 1)
    )
    found = certificates.parse(forged(extensions=(one, other)))
    assert found.facts.ca is False
    assert found.oddities == ("扩展 基本限制 重复",)


IDENTITIES = {
    "PrintableString": der.write_printable("SF1234"),
    "UTF8String": der.write_utf8("SF1234"),
    "no tag": b"SF1234",
    "within a sequence": der.sequence(der.write_utf8("SF1234")),
    "explicit": der.explicit(0, der.write_printable("SF1234")),
}


@pytest.mark.parametrize("value", IDENTITIES.values(), ids=IDENTITIES.keys())
def test_chinese_extensions_in_every_form(value: bytes):
    """GB/T 20518-2018 5.2.4.3; sometimes raw bytes without a tag."""
    found = certificates.parse(forged(extensions=(issuing.extension(oids.IDENTIFY_CODE, value),)))
    assert found.facts.identity(oids.IDENTIFY_CODE) == "SF1234"


def test_names_with_wrong_strings_and_repeated_attributes():
    """UTF-8 in IA5String, GB18030 in PrintableString, the same attribute twice; compared by bytes."""
    parts = [
        (oids.EMAIL, der.element(der.IA5, "张@x".encode())),
        (oids.UNIT, der.element(der.PRINTABLE, "放射科".encode("gb18030"))),
        (oids.UNIT, der.element(der.BMP, "二科".encode("utf-16-be"))),
        ("2.5.4.45", der.write_utf8("唯一")),
        (oids.COMMON_NAME, der.element(der.UTF8, b"\xff")),
        (oids.TITLE, der.element(der.TELETEX, "主任".encode("gb18030"))),
    ]
    raw = der.sequence(*(der.set_of([der.sequence(der.write_oid(oid), value)]) for oid, value in parts))
    found = certificates.parse(forged(subject=raw)).subject
    assert [attribute.text for attribute in found.attributes] == [
        "张@x",
        "放射科",
        "二科",
        "唯一",
        "ÿ",
        "主任",
    ]
    assert found.get(oids.UNIT) == "二科"
    assert found.raw == raw
    assert len(found.oddities) == 3


def test_the_misprinted_name_of_the_standard_is_kept():
    """四(二)4(5)2: a letter of the issuer's name within the sample's certificate is wrong; all else is read."""
    found = cms.parse(pkcs7_sample()).certificates[0]
    assert found.issuer.broken
    assert found.subject.common_name == "cai"
    assert found.facts.identity("1.2.86.11.7.1.8") == "正常传先oid"


def test_the_time_stamping_certificate_of_the_standard():
    """四(二)4(4): RSA 1024, a directory name and an address in the CRL points, BJCA's own extension."""
    found = cms.parse(token_samples()[0]).certificates[0]
    assert found.key.kind is signatures.KeyKind.RSA
    assert found.facts.crl_points[0].startswith("dir:C=CN, O=BJCA")
    assert found.facts.crl_points[1] == "http://ldap.bjca.org.cn/crl/ptca/ca4crl4.crl"
    assert found.facts.extended_usage == (oids.TIME_STAMPING,)
    assert found.facts.unknown_critical == ()


def self_signed(e_of) -> bytes:
    """By the doctor's key, over a digest of the caller's making."""
    private = W.doctor.private
    return forged(sign=lambda tbs: sm2.sign_digest(private, e_of(private.public(), tbs)))


CONVENTIONS = {
    PreImage.RULE: lambda public, tbs: sm2.digest_for(public, tbs),
    PreImage.EMPTY_ID: lambda public, tbs: sm2.digest_for(public, tbs, b""),
    PreImage.NO_Z: lambda public, tbs: signatures.digest(oids.SM3, tbs),
}


@pytest.mark.parametrize("pre_image", CONVENTIONS)
def test_other_pre_images_are_named_and_accepted_only_on_request(pre_image: PreImage):
    """OpenSSL 3 without `distid`, Tongsuo's no-Z certificates."""
    found = certificates.parse(self_signed(CONVENTIONS[pre_image]))
    examined = found.signed_by(W.doctor.certificate.key)
    assert examined.pre_image is pre_image
    assert examined.valid is (pre_image is PreImage.RULE)
    assert examined.oddities == (() if examined.valid else (pre_image.words,))
    assert found.signed_by(W.doctor.certificate.key, accepted=frozenset(PreImage)).valid


def test_digest_signed_and_raw_form_are_named():
    """KMS in digest mode; r‖s of 64 bytes instead of DER."""
    key, private, digest = W.doctor.certificate.key, W.doctor.private, bytes(range(32))
    as_digest = signatures.examine(key, oids.SM2_SM3, digest, sm2.sign_digest(private, digest))
    assert (as_digest.valid, as_digest.pre_image) == (False, PreImage.AS_DIGEST)
    raw = signatures.examine(key, oids.SM2_SM3, b"m", sm2.der_to_raw(sm2.sign(private, b"m")))
    assert raw.valid
    assert raw.oddities == ("签名值是 64 字节的 r‖s，不是 DER 编码",)
    assert signatures.examine(key, oids.SM2_SM3, b"m", b"\x30\x03").oddities
    assert not signatures.examine(key, oids.SM2_SM3, b"m", bytes(64)).valid


def test_algorithm_must_fit_the_key():
    signature = W.doctor.signer.sign(b"m")
    assert not signatures.examine(W.doctor.certificate.key, oids.SHA256_RSA, b"m", signature).valid
    assert not signatures.examine(rsa_entity()[0].key, oids.SM2_SM3, b"m", signature).valid
    other = SubjectKey(b"", signatures.KeyKind.OTHER, "1.2.3", b"")
    assert signatures.examine(other, "1.2.3", b"m", signature).oddities == ("不支持的公钥算法 1.2.3",)


def test_rsa_certificates_and_digest_signed():
    """SHA256WithRSA (5.5); the digest signed instead of the message is named."""
    certificate, signer = rsa_entity()
    assert certificate.signed_by(W.ca.certificate.key).valid
    assert signatures.examine(certificate.key, oids.SHA256_RSA, b"m", signer.sign(b"m")).valid
    digest = signatures.digest(oids.SHA256, b"m")
    found = signatures.examine(certificate.key, oids.SHA256_RSA, digest, signer.sign(b"m"))
    assert (found.valid, found.pre_image) == (False, PreImage.AS_DIGEST)
    assert not signatures.examine(certificate.key, oids.SHA256_RSA, b"n", signer.sign(b"m")).valid
    assert rsa_key().key_size == 2048


def test_point_off_the_curve_is_refused():
    spki = der.sequence(
        der.write_algorithm(oids.EC_PUBLIC_KEY, [der.write_oid(oids.SM2)]), der.write_bits(b"\4" + bytes(64))
    )
    found = certificates.parse(forged(spki=spki))
    assert not signatures.examine(found.key, oids.SM2_SM3, b"m", W.doctor.signer.sign(b"m")).valid
    with pytest.raises(GmError):
        signatures.sm2_key(bytes(64))


REFUSED = {
    "version 4": {"version": b"\xa0\x03\x02\x01\x03"},
    "no serial": {"serial": b""},
    "serial of 65 octets": {"serial": b"\1" * 65},
}


@pytest.mark.parametrize("change", REFUSED.values(), ids=REFUSED.keys())
def test_what_no_certificate_can_be_is_refused(change):
    with pytest.raises(GmError):
        certificates.parse(forged(**change))


def test_ber_around_is_not_inside():
    """Certificates are DER only."""
    raw = W.doctor.certificate.raw
    with pytest.raises(der.DerError, match="不是 DER"):
        certificates.parse(b"\x30\x80" + raw[4:] + b"\0\0")


def test_keys_by_themselves():
    """64 and 65 bytes of point and a whole SPKI are the same key (四(二)4(5))."""
    point = W.doctor.certificate.key.point
    assert signatures.sm2_key(point) == signatures.sm2_key(point[1:]) == key_of(W.doctor.private)
    assert signatures.read_key(der.parse(W.doctor.certificate.key.raw)).point == point


def test_an_imported_ca_keeps_its_key_identifier():
    """A CA made elsewhere has an identifier by another rule: what it issues names that one."""
    private = sm2.generate()
    other = der.write_octets(b"another rule")
    extensions = (
        issuing.extension(oids.SUBJECT_KEY_ID, other),
        issuing.extension(oids.BASIC_CONSTRAINTS, der.sequence(der.write_boolean(True)), critical=True),
    )
    ca = certificates.parse(forged(spki=key_of(private).raw, extensions=extensions))
    authority = Authority.of(ca, signatures.sm2_signer(private))
    wanted = order(Profile.SIGNING, name("己"), W.doctor.certificate.key)
    issued = certificates.parse(issuing.issue(wanted, authority))
    assert issued.facts.authority_key_id == b"another rule"
    listed = crl.parse(crl.issue(authority, [], 1, NOW, END))
    assert listed.authority_key_id == b"another rule"
    assert chain.build(issued, [], [ca])[0].sound


def test_moment_of_tests_is_inside():
    assert W.doctor.certificate.valid_at(NOW)
