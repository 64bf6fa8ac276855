"""SM2 keys, signatures, encryption: what is refused (GM/T 0003, GM/T 0009), round trips, the other implementation."""

import copy
import pickle

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.helpers import sm2_reference as reference
from yingqiao.gm import sm2
from yingqiao.gm.curve import GENERATOR, MINUS_GENERATOR, Point, Scalar
from yingqiao.gm.errors import GmError
from yingqiao.gm.sm2_cipher import LONGEST, Layout
from yingqiao.gm.sm2_der import encode_pkcs8, encode_signature

N = reference.N
PRIVATE = sm2.PrivateKey.from_scalar(reference.b32(0x1234567890ABCDEF))
PUBLIC = PRIVATE.public()
MESSAGE = "报告已审核".encode()
SIGNATURE = sm2.sign(PRIVATE, MESSAGE)
SCALARS = st.integers(1, N - 2)
FEW = settings(max_examples=25, deadline=None)


def refused(code: str, function, *arguments, **options) -> None:
    with pytest.raises(GmError) as caught:
        function(*arguments, **options)
    assert caught.value.code == code
    assert caught.value.reason


@FEW
@given(SCALARS, st.binary(max_size=200), st.binary(max_size=40))
@example(1, b"", b"")
@example(N - 2, b"m", sm2.DEFAULT_ID)
def test_what_is_signed_verifies_here_and_in_the_reference(d, message, user_id):
    private = sm2.PrivateKey.from_scalar(reference.b32(d))
    public = private.public()
    point = reference.mul(d, reference.G)
    assert public.point == reference.encode(point)
    e = sm2.digest_for(public, message, user_id)
    assert e == reference.e_for(point, message, user_id)
    signature = sm2.sign(private, message, user_id=user_id)
    raw = sm2.der_to_raw(signature)
    assert sm2.raw_to_der(raw) == signature
    assert reference.verifies(point, e, reference.number(raw[:32]), reference.number(raw[32:]))
    assert sm2.verify(public, message, signature, user_id=user_id)
    assert not sm2.verify(public, message + b"x", signature, user_id=user_id)
    assert not sm2.verify(public, message, signature, user_id=user_id + b"x")


@FEW
@given(SCALARS, st.binary(min_size=32, max_size=32), st.integers(1, N - 1))
def test_what_the_reference_signs_verifies(d, e, k):
    r, s = reference.sign(d, e, k)
    public = sm2.PublicKey.from_point(reference.encode(reference.mul(d, reference.G)))
    assert sm2.verify_digest(public, e, encode_signature(r, s))


def test_a_long_message_may_come_in_pieces():
    running = sm2.hasher(PUBLIC)
    for at in range(0, len(MESSAGE), 4):
        running.update(MESSAGE[at : at + 4])
    assert sm2.verify_digest(PUBLIC, running.digest(), SIGNATURE)


def test_no_two_signatures_are_alike():
    assert len({sm2.sign(PRIVATE, MESSAGE) for _ in range(200)}) == 200


def malformed() -> dict[str, bytes]:
    raw = sm2.der_to_raw(SIGNATURE)
    r, s = reference.number(raw[:32]), reference.number(raw[32:])
    zero, negative = b"\x02\x01\x00", b"\x02\x01\x81"
    short = SIGNATURE[2:]
    return {
        "empty": b"",
        "raw r‖s": raw,
        "r = 0": encode_signature(0, s),
        "s = 0": encode_signature(r, 0),
        "r = n": encode_signature(N, s),
        "s = n": encode_signature(r, N),
        "r + n": encode_signature(r + N, s) if r + N < 1 << 256 else encode_signature(N + 1, s),
        "s + n": encode_signature(r, s + N) if s + N < 1 << 256 else encode_signature(r, N + 1),
        "r + s = n": encode_signature(r, N - r),
        "both zero": b"\x30\x06" + zero + zero,
        "negative": b"\x30\x06" + negative + negative,
        "swapped": encode_signature(s, r),
        "a byte more": SIGNATURE + b"\0",
        "a byte more inside": b"\x30" + bytes([len(short) + 2]) + short + b"\x05\x00",
        "a byte less": SIGNATURE[:-1],
        "long length": b"\x30\x81" + SIGNATURE[1:],
        "indefinite length": b"\x30\x80" + short + b"\0\0",
        "a zero before r": b"\x30" + bytes([len(short) + 1, 2, short[1] + 1, 0]) + short[2:],
        "set instead of sequence": b"\x31" + SIGNATURE[1:],
        "33 bytes": encode_signature(1 << 262, s),
        "very long": b"\x30\x82\x10\x00" + bytes(4096),
    }


@pytest.mark.parametrize("name", malformed())
def test_malformed_signatures_are_false(name):
    """GM/T 0009: SEQUENCE { r, s } in DER, r and s in 1..n-1, r + s ≠ n."""
    assert not sm2.verify(PUBLIC, MESSAGE, malformed()[name])


def test_every_changed_bit_is_noticed():
    for at in range(8 * len(SIGNATURE)):
        changed = bytearray(SIGNATURE)
        changed[at // 8] ^= 1 << at % 8
        assert not sm2.verify(PUBLIC, MESSAGE, bytes(changed))


def convention_digests() -> dict[sm2.PreImage, bytes]:
    return {
        sm2.PreImage.DEFAULT_ID: sm2.digest_for(PUBLIC, MESSAGE, sm2.DEFAULT_ID),
        sm2.PreImage.EMPTY_ID: sm2.digest_for(PUBLIC, MESSAGE, b""),
        sm2.PreImage.NO_Z: reference.sm3(MESSAGE),
    }


@pytest.mark.parametrize("pre_image", convention_digests())
def test_other_pre_images_are_recognised_only_when_named(pre_image):
    signature = sm2.sign_digest(PRIVATE, convention_digests()[pre_image])
    is_default = pre_image is sm2.PreImage.DEFAULT_ID
    assert sm2.verify(PUBLIC, MESSAGE, signature) is is_default
    assert (sm2.recognise(PUBLIC, MESSAGE, signature) is not None) is is_default
    found = sm2.recognise(PUBLIC, MESSAGE, signature, pre_images=tuple(sm2.PreImage))
    assert found == sm2.Convention(pre_image, sm2.Form.DER)
    others = [known for known in sm2.PreImage if known is not pre_image]
    assert sm2.recognise(PUBLIC, MESSAGE, signature, pre_images=others) is None


def test_a_message_is_taken_as_e_only_with_32_bytes_and_when_named():
    message = bytes(range(32))
    signature = sm2.sign_digest(PRIVATE, message)
    named = (sm2.PreImage.MESSAGE_IS_E,)
    assert sm2.recognise(PUBLIC, message, signature) is None
    assert sm2.recognise(PUBLIC, message, signature, pre_images=named) is not None
    assert sm2.recognise(PUBLIC, MESSAGE, SIGNATURE, pre_images=named) is None


def test_raw_signatures_are_recognised_only_when_named():
    """GM/T 0009 wants DER; some seals carry r ‖ s: exactly 64 bytes that are not DER."""
    raw = sm2.der_to_raw(SIGNATURE)
    assert sm2.recognise(PUBLIC, MESSAGE, raw) is None
    found = sm2.recognise(PUBLIC, MESSAGE, raw, forms=tuple(sm2.Form))
    assert found == sm2.Convention(sm2.PreImage.DEFAULT_ID, sm2.Form.RAW)
    assert sm2.recognise(PUBLIC, MESSAGE, SIGNATURE, forms=(sm2.Form.RAW,)) is None
    assert sm2.recognise(PUBLIC, MESSAGE, raw[:-1], forms=tuple(sm2.Form)) is None
    assert sm2.recognise(PUBLIC, MESSAGE, bytes(64), forms=tuple(sm2.Form)) is None


@pytest.mark.parametrize(
    ("point", "code"),
    [
        (b"", "point-form"),
        (b"\0", "point-form"),
        (bytes(64), "point-off-curve"),
        (b"\x04" + bytes(64), "point-off-curve"),
        (b"\x02" + GENERATOR[1:33], "point-form"),
        (b"\x06" + GENERATOR[1:], "point-form"),
        (GENERATOR + b"\0", "point-form"),
        (GENERATOR[:-1] + bytes([GENERATOR[-1] ^ 1]), "point-off-curve"),
        (b"\x04" + reference.b32(reference.G[0] + 0) + reference.b32(reference.P), "point-off-curve"),
        (b"\x04" + b"\xff" * 64, "point-off-curve"),
        (MINUS_GENERATOR, "key-range"),
    ],
)
def test_public_keys_that_are_none(point, code):
    """GM/T 0003.1 6.2: on the curve, not infinity, coordinates below p; -G belongs to d = n-1."""
    refused(code, sm2.PublicKey.from_point, point)


def test_a_coordinate_has_one_encoding():
    """x + p where it still fits 32 bytes is the same point in another dress: refused."""
    x = 0
    while True:
        square = (x**3 - 3 * x + reference.B) % reference.P
        y = pow(square, (reference.P + 1) // 4, reference.P)
        if y * y % reference.P == square:
            break
        x += 1
    sm2.PublicKey.from_point(reference.b32(x) + reference.b32(y))
    refused("point-off-curve", sm2.PublicKey.from_point, reference.b32(x + reference.P) + reference.b32(y))


@pytest.mark.parametrize(
    ("scalar", "code"),
    [
        (reference.b32(0), "scalar-range"),
        (reference.b32(N - 1), "key-range"),
        (reference.b32(N), "scalar-range"),
        (b"\xff" * 32, "scalar-range"),
        (b"\1" * 31, "scalar-size"),
        (b"\1" * 33, "scalar-size"),
    ],
)
def test_private_keys_that_are_none(scalar, code):
    """GM/T 0003.2 6.1: d in 1..n-2."""
    refused(code, sm2.PrivateKey.from_scalar, scalar)


def test_keys_in_every_form_that_occurs():
    """id-ecPublicKey with the curve, or the curve's identifier twice (read, never written); ECPrivateKey bare."""
    spki, pkcs8 = PUBLIC.spki, PRIVATE.to_pkcs8()
    curve = bytes.fromhex("06082a811ccf5501822d")
    usual, twice = b"\x30\x13" + bytes.fromhex("06072a8648ce3d0201") + curve, b"\x30\x14" + curve + curve
    assert sm2.PublicKey.from_spki(spki) == PUBLIC
    assert sm2.PublicKey.from_spki(b"\x30\x5a" + spki[2:].replace(usual, twice)) == PUBLIC
    assert sm2.PrivateKey.from_pkcs8(pkcs8).public() == PUBLIC
    changed = pkcs8[3:].replace(usual, twice)
    assert sm2.PrivateKey.from_pkcs8(b"\x30\x81" + bytes([len(changed)]) + changed).public() == PUBLIC
    bare = b"\x02\x01\x01\x04\x20" + PRIVATE.scalar() + b"\xa0\x0a" + curve
    assert sm2.PrivateKey.from_pkcs8(b"\x30" + bytes([len(bare)]) + bare).public() == PUBLIC
    assert sm2.PrivateKey.from_pkcs8(pkcs8).scalar() == PRIVATE.scalar()


def test_keys_of_other_curves_and_damaged_ones_are_refused():
    spki, pkcs8 = PUBLIC.spki, PRIVATE.to_pkcs8()
    p256 = bytes.fromhex("06082a8648ce3d030107")
    curve = bytes.fromhex("06082a811ccf5501822d")
    refused("key-algorithm", sm2.PublicKey.from_spki, spki.replace(curve, p256))
    refused("key-algorithm", sm2.PrivateKey.from_pkcs8, pkcs8.replace(curve, p256))
    refused("key-form", sm2.PublicKey.from_spki, spki + b"\0")
    refused("key-form", sm2.PublicKey.from_spki, spki[:-1])
    refused("key-form", sm2.PrivateKey.from_pkcs8, pkcs8[:-1])
    refused("key-mismatch", sm2.PrivateKey.from_pkcs8, encode_pkcs8(PRIVATE.scalar(), GENERATOR))


def test_a_private_key_is_not_shown_or_copied():
    secret = PRIVATE.scalar().hex()
    assert secret not in repr(PRIVATE) + repr(Scalar.from_bytes(PRIVATE.scalar()))
    with pytest.raises(TypeError):
        pickle.dumps(PRIVATE)
    assert pickle.loads(pickle.dumps(PUBLIC)) == copy.copy(PUBLIC) == PUBLIC
    assert len({PUBLIC, copy.deepcopy(PUBLIC)}) == 1


@pytest.mark.parametrize("size", [0, 31, 33, 64])
def test_a_digest_has_32_bytes(size):
    """A digest mode that takes other lengths would sign the wrong thing: `dataType=HASH` wants exactly 32."""
    refused("digest-size", sm2.sign_digest, PRIVATE, bytes(size))
    refused("digest-size", sm2.verify_digest, PUBLIC, bytes(size), SIGNATURE)


def test_a_user_id_has_at_most_8191_bytes():
    """ENTL counts bits in two bytes."""
    assert sm2.verify(PUBLIC, b"m", sm2.sign(PRIVATE, b"m", user_id=b"i" * 8191), user_id=b"i" * 8191)
    refused("user-id", sm2.sign, PRIVATE, b"m", user_id=b"i" * 8192)


@FEW
@given(SCALARS, st.binary(min_size=1, max_size=300), st.sampled_from(Layout))
@example(5, b"x", Layout.DER)
def test_what_is_encrypted_comes_back(d, plain, layout):
    private = sm2.PrivateKey.from_scalar(reference.b32(d))
    cipher = sm2.encrypt(private.public(), plain, layout=layout)
    assert sm2.decrypt(private, cipher, layout=layout) == plain
    if layout is Layout.C1C3C2:
        assert len(cipher) == 97 + len(plain)
    refused("cipher-wrong", sm2.decrypt, PRIVATE, cipher, layout=layout)


def test_damaged_cipher_texts_are_refused():
    cipher = sm2.encrypt(PUBLIC, b"\0" * 20, layout=Layout.C1C3C2)
    for at in range(len(cipher)):
        damaged = bytearray(cipher)
        damaged[at] ^= 1
        with pytest.raises(sm2.Sm2Error):
            sm2.decrypt(PRIVATE, bytes(damaged), layout=Layout.C1C3C2)
    for short in (b"", cipher[:65], cipher[:97]):
        refused("cipher-form", sm2.decrypt, PRIVATE, short, layout=Layout.C1C3C2)
        refused("cipher-form", sm2.decrypt, PRIVATE, short)


@pytest.mark.parametrize("size", [0, LONGEST + 1])
def test_encryption_has_limits(size):
    refused("plain-size", sm2.encrypt, PUBLIC, bytes(size))


def test_one_byte_is_never_sent_in_the_clear():
    """A key stream of zeros is drawn again (GM/T 0003.4 6.1 A5): of single bytes one in 256 would meet it."""
    for _ in range(600):
        cipher = sm2.encrypt(PUBLIC, b"A", layout=Layout.C1C3C2)
        assert cipher[-1:] != b"A"


@FEW
@given(SCALARS, SCALARS)
def test_the_arithmetic_is_the_references(a, b):
    one, two = (Scalar.from_bytes(reference.b32(value)) for value in (a, b))
    assert reference.number((one * two).to_bytes()) == a * b % N
    assert reference.number((one + two).to_bytes()) == (a + b) % N
    assert reference.number(one.inverse().to_bytes()) == pow(a, -1, N)
    point = Point.base(one)
    assert point.to_bytes() == reference.encode(reference.mul(a, reference.G))
    assert point.times(two).to_bytes() == reference.encode(reference.mul(a * b % N, reference.G))
    assert Point.sum_of(one, two, point).to_bytes() == (point + point.times(two)).to_bytes()
    assert (point + -point).is_infinity
