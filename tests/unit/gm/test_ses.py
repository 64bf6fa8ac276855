"""Seals and seal signatures read and written: GM/T 0031-2014 (v1), GB/T 38540-2020 (v4), GM/T 0031-2025 (v5)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers import pki, seals
from yingqiao.gm import der, oids, ses, signatures, sm3
from yingqiao.gm.certificates import parse as certificate
from yingqiao.gm.extensions import Extension
from yingqiao.gm.ses import CertificateDigest, Picture, SealInfo, SesError, Version

W = seals.seal_world()
_SECONDS = st.datetimes(datetime(1951, 1, 1), datetime(2999, 1, 1), timezones=st.just(UTC)).map(  # noqa: DTZ001 zoned by hypothesis
    lambda moment: moment.replace(microsecond=0)
)
_ASCII = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=40)
_TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
_EXTENSIONS = st.lists(
    st.builds(
        Extension,
        st.sampled_from(["1.2.156.10197.6.7.2.2.1", "1.2.3"]),
        st.booleans(),
        st.binary(max_size=20),
    ),
    max_size=3,
).map(tuple)
_PICTURES = st.builds(
    Picture,
    st.sampled_from(["PNG", "png", "GIF", "ofd"]),
    st.binary(min_size=1, max_size=300),
    st.integers(1, 500),
    st.integers(1, 500),
)


@st.composite
def _infos(draw: st.DrawFn) -> SealInfo:
    start = draw(_SECONDS)
    listed = draw(st.booleans())
    return SealInfo(
        es_id=draw(_ASCII),
        vid=draw(_ASCII),
        type=draw(st.integers(0, 99)),
        name=draw(_TEXT),
        created=draw(_SECONDS),
        valid_from=start,
        valid_to=start + timedelta(seconds=draw(st.integers(1, 10**9))),
        picture=draw(_PICTURES),
        certificates=(W.signer.certificate.raw,) * draw(st.integers(1, 3)) if listed else (),
        digests=() if listed else (CertificateDigest("SM3", draw(st.binary(min_size=32, max_size=32))),),
        extensions=draw(_EXTENSIONS),
    )


@settings(max_examples=80, deadline=None)
@given(
    _infos(),
    _SECONDS,
    st.binary(max_size=64),
    _ASCII,
    _EXTENSIONS,
    st.none() | st.binary(min_size=1, max_size=50),
)
def test_what_is_written_is_read_again_and_its_bytes_are_the_same(
    said: SealInfo,
    time: datetime,
    digest: bytes,
    words: str,
    more: tuple[Extension, ...],
    token: bytes | None,
):
    written = ses.seal_info(said)
    seal = ses.seal(written, b"maker", b"value")
    read = ses.parse_seal(seal)
    assert (read.info, read.signed, read.raw, read.version) == (said, written, seal, Version.V4)
    assert (read.maker, read.signature, read.algorithm) == (b"maker", b"value", oids.SM2_SM3)
    assert ses.seal(ses.seal_info(read.info), read.maker, read.signature) == seal
    tbs = ses.to_sign(seal, time, digest, words, more)
    signature = ses.signature(tbs, b"signer", b"signed", token)
    found = ses.parse_signature(signature)
    assert (found.raw, found.signed, found.seal.raw) == (signature, tbs, seal)
    assert (found.time, found.data_hash, found.property_info) == (time, digest, words)
    assert (found.certificate, found.signature, found.token, found.extensions) == (
        b"signer",
        b"signed",
        token,
        more,
    )
    again = ses.to_sign(found.seal.raw, time, found.data_hash, found.property_info, found.extensions)
    assert ses.signature(again, found.certificate, found.signature, found.token) == signature


@pytest.mark.parametrize("version", [1, 4, 5])
def test_the_makers_signature_is_over_the_bytes_received(version: int):
    """v1: information, certificate and algorithm together; v4 and v5: the information."""
    seal = ses.parse_seal(seals.make_seal(version=version))
    assert (seal.version, seal.info.header_version) == (version, version)
    key = certificate(seal.maker).key
    assert signatures.examine(key, seal.algorithm, seal.signed, seal.signature).valid
    assert not signatures.examine(key, seal.algorithm, seal.signed + b"\0", seal.signature).valid


def test_the_signers_signature_is_over_tbs_sign():
    found = ses.parse_signature(seals.make_signature(stamped=seals.SIGNED_AT))
    key = certificate(found.certificate).key
    assert signatures.examine(key, found.algorithm, found.signed, found.signature).valid
    assert (found.version, found.tbs_version, found.time) == (Version.V4, 4, seals.SIGNED_AT)
    assert found.token is not None
    assert found.seal.info == seals.info()


def test_a_false_that_is_written_out_stays_in_what_is_hashed():
    """BOOLEAN FALSE explicit in extDatas, as production seals have it: encoding again would drop it."""
    extension = der.sequence(der.write_oid("1.2.3"), der.write_boolean(False), der.write_octets(b"2.1"))
    written = seals.wrapped(ses.seal_info(seals.info()), der.sequence(extension))
    seal = ses.parse_seal(ses.seal(written, b"m", b"v"))
    assert seal.signed == written
    assert seal.info.extensions == (Extension("1.2.3", False, b"2.1"),)


def test_version_5_is_told_by_its_header_or_by_its_fifth_member():
    """GM/T 0031-2025: timeStamp [0] EXPLICIT BIT STRING OPTIONAL, also met under an implicit tag."""
    plain = seals.make_seal(version=5)
    assert ses.parse_seal(plain).token is None
    stamped = ses.parse_seal(seals.make_seal(version=5, token=b"token"))
    assert (stamped.version, stamped.token) == (Version.V5, b"token")
    implicit = ses.parse_seal(
        seals.wrapped(plain, der.element(der.context(0, constructed=False), b"\0token"))
    )
    assert implicit.token == b"token"
    signature = ses.parse_signature(seals.make_signature(plain))
    assert (signature.version, signature.tbs_version) == (Version.V5, 5)


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        (b"2020-01-25T07:31:56.377Z", datetime(2020, 1, 25, 7, 31, 56, 377000, UTC)),
        (b"20200125073156Z", datetime(2020, 1, 25, 7, 31, 56, tzinfo=UTC)),
        (b"200125073156Z", datetime(2020, 1, 25, 7, 31, 56, tzinfo=UTC)),
        (der.write_generalized_time(pki.NOW), pki.NOW),
        (b"yesterday", None),
        (b"", None),
    ],
)
def test_the_time_of_version_1_in_its_spellings(stated: bytes, expected: datetime | None):
    found = ses.parse_signature(seals.make_signature_1(time_info=stated))
    assert (found.version, found.time, found.time_token) == (Version.V1, expected, None)
    assert bool(found.oddities) == (expected is None)


def test_the_time_of_version_1_may_be_a_token():
    token = seals.stamp(sm3.digest(seals.DOCUMENT), pki.NOW)
    found = ses.parse_signature(seals.make_signature_1(time_info=token))
    assert (found.time, found.time_token) == (None, token)


@pytest.mark.parametrize(
    "changes",
    [
        {"certificates": ()},
        {"digests": (CertificateDigest("SM3", b""),)},
        {"valid_to": seals.VALID_FROM},
        {"name": ""},
        {"es_id": "章一"},
        {"picture": Picture("PNG", b"", 42, 42)},
        {"picture": Picture("PNG", b"x", 0, 42)},
        {"picture": Picture("图", b"x", 42, 42)},
        {"certificates": (b"x",) * 1001},
    ],
)
def test_what_no_seal_can_say_is_not_written(changes):
    with pytest.raises(SesError):
        ses.seal_info(replace(seals.info(), **changes))


def test_a_version_1_seal_signs_nothing_new():
    with pytest.raises(SesError, match="换发"):
        ses.to_sign(seals.make_seal(version=1), pki.NOW, b"", "x")
    with pytest.raises(SesError, match="ASCII"):
        ses.to_sign(seals.make_seal(), pki.NOW, b"", "保护范围")


def _members(structure: bytes) -> list[bytes]:
    return [node.raw for node in der.parse(structure).children()]


BROKEN = {
    "empty": b"",
    "no sequence": der.write_octets(b"x"),
    "three members": der.sequence(*_members(seals.make_seal())[:3]),
    "six members": seals.wrapped(seals.make_seal(), der.write_null(), der.write_null()),
    "bytes after": seals.make_seal() + b"\0",
    "indefinite length": b"\x30\x80" + seals.make_seal()[4:] + b"\0\0",
    "a huge integer": seals.make_seal().replace(der.write_integer(42), der.element(der.INTEGER, bytes(9)), 1),
    "no certificate list": ses.seal_info(seals.info()),
    "half an octet": der.sequence(*_members(seals.make_seal())[:3], der.write_bits(b"\x10", 4)),
}


@pytest.mark.parametrize("raw", BROKEN.values(), ids=BROKEN.keys())
def test_what_is_no_seal_is_refused(raw: bytes):
    for read in (ses.parse_seal, ses.parse_signature):
        with pytest.raises(SesError) as refused:
            read(raw)
        assert refused.value.reason


def test_a_list_type_nobody_knows_is_refused():
    """certListType is 1 or 2."""
    written = ses.seal_info(seals.info(type=77))
    broken = written.replace(der.write_integer(1) + b"\x30", der.write_integer(3) + b"\x30", 1)
    assert broken != written
    with pytest.raises(SesError, match="certListType"):
        ses.parse_seal(ses.seal(broken, b"m", b"v"))


_SAMPLES = (
    seals.make_seal(),
    seals.make_seal(version=1),
    seals.make_seal(version=5, token=b"t"),
    seals.make_signature(stamped=seals.SIGNED_AT),
    seals.make_signature_1(),
    seals.make_seal(seals.info(**seals.by_digest(W.signer.certificate))),
)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(_SAMPLES),
    st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 255)), max_size=4),
    st.integers(0, 4000),
)
def test_every_damage_is_read_or_refused(whole: bytes, changes: list[tuple[int, int]], length: int):
    data = bytearray(whole[:length] if length < 2000 else whole)
    for position, value in changes:
        if position < len(data):
            data[position] = value
    for read in (ses.parse_seal, ses.parse_signature):
        try:
            found = read(bytes(data))
        except SesError as error:
            refused = error.reason
        else:
            assert found.raw == data
            continue
        assert refused
