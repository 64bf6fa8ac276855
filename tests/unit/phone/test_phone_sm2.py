"""The phone's half of two-party SM2 in TypeScript: known answers, and a whole life with the gateway's half (annex 7, form B)."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterator

import pytest

from tests.helpers import pki
from tests.helpers import sm2_reference as reference
from tests.helpers.phone_script import PhoneRefusedError, PhoneScript, phone_script
from tests.helpers.sm2_reference import N, Phone, b32
from yingqiao.gm import cooperative, key_share, sm2
from yingqiao.gm.cooperative import KeyState, SignFinish, SignOffer
from yingqiao.gm.key_share import CooperativeError, KeyOffer

ONES, THREES = (int.from_bytes(bytes([n * 17]) * 32, "big") for n in (1, 3))
PUBLIC = bytes.fromhex(
    "044EDEC24581C5989E9FEE5891BBCE9707E65F3B3F996412087065944A0E1FFFF1"
    "A92BDA6F2C8458E0FFFFB2F9A104D5FEE1552A884D3152E85A486B048957DEE1"
)
MESSAGE = b"2P-SM2 test message"
E = bytes.fromhex("a90bfe25a27598d700b74c76cd1d90556d31e0d4bb15298274557e1e714810c0")
R = bytes.fromhex("faf86e07679425e4bebf55656771c630fc2c48853c720e8f6f7c812db9725115")
S1 = bytes.fromhex("f4190b6d709c446bcba7dd2611d1a6bcd079c9bdd2b5e034abb82c97a9b2dabb")
S = bytes.fromhex("3fab53624e65d39a2572b75b6d7d175c4d88e823f0f01f52e68d7bbf516b2ad6")


@pytest.fixture(scope="module")
def js() -> Iterator[PhoneScript]:
    with phone_script() as script:
        yield script


@pytest.mark.parametrize("size", [0, 1, 3, 55, 56, 63, 64, 65, 119, 120, 1000])
def test_sm3_and_its_mac(js: PhoneScript, size: int) -> None:
    """GB/T 32905, and at every edge of a block as OpenSSL does."""
    message, key = secrets.token_bytes(size), secrets.token_bytes(1 + size)
    assert js.bytes("sm3", message=message) == hashlib.new("sm3", message).digest()
    assert js.bytes("mac", key=key, message=message) == hmac.new(key, message, "sm3").digest()


def test_sm3_of_the_standard(js: PhoneScript) -> None:
    """GB/T 32905-2016, appendix A."""
    assert js.ask("sm3", message=b"abc") == "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"
    long = js.ask("sm3", message=b"abcd" * 16)
    assert long == "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732"


def test_the_known_answers(js: PhoneScript) -> None:
    """D1 = 11…, w1 = 33…: Z, e, P1, Q1, s; the tag key as the reference's."""
    assert js.ask("z", public=PUBLIC) == "9149f818a4bd064df71162f9a0d14770b1277035a9029ca853dbecf150a6d405"
    assert js.bytes("digest", public=PUBLIC, message=MESSAGE) == E
    _, offer = js.offer_key("session", "user-1", ONES)
    assert offer.hex().startswith("044897be248930f1459d6460a09332bf2c5dd2c476773c21d75991d061074bc7df")
    phone = Phone(ONES, public=reference.decode(PUBLIC))
    assert js.bytes("tag-key", d1=b32(ONES), user="user-1") == phone.tag_key
    made = offer_signature(js, ONES, "user-1", PUBLIC, "job", 1, E, w1=THREES)
    assert made == phone.offer_signature("job", 1, E, w1=THREES)
    assert js.bytes("finish", answer=R + S1) == (1).to_bytes(4, "big") + S


def offer_signature(
    js: PhoneScript, d1: int, user: str, public: bytes, job: str, number: int, e: bytes, w1: int | None = None
) -> bytes:
    nonce = {} if w1 is None else {"w1": b32(w1)}
    given = {"d1": b32(d1), "public": public, "e": e, **nonce}
    return js.bytes("offer", user=user, job=job, number=str(number), **given)


def test_keys_and_signatures_with_the_gateway(js: PhoneScript) -> None:
    """Keys, offers and signatures made by the phone hold before gm/cooperative; each time with a fresh w1."""
    seen = set()
    for round_ in range(4):
        user, session, job = f"医生{round_}", f"session-{round_}", f"job:SD_{round_}"
        d1, raw = js.offer_key(session, user)
        share, answer = key_share.accept_key(KeyOffer.from_bytes(raw), session=session, user=user)
        public = js.bytes("take-key", answer=answer.to_bytes(), session=session, user=user, d1=b32(d1))
        assert public == share.public.point
        e = sm2.digest_for(share.public, MESSAGE)
        offer = SignOffer.from_bytes(offer_signature(js, d1, user, public, job, 1, e))
        state = KeyState()
        made = cooperative.answer(share, state, offer, job=job, used=0, e=e, now=0, lifetime=60)
        assert made.answer is not None
        final = SignFinish.from_bytes(js.bytes("finish", answer=made.answer.to_bytes()))
        done = cooperative.finish(share.public, made.state, final, job=job, now=1)
        assert done.signature is not None
        assert sm2.verify(share.public, MESSAGE, done.signature)
        again = SignOffer.from_bytes(offer_signature(js, d1, user, public, job, 1, e))
        seen |= {offer.point, again.point}
    assert len(seen) == 8


def test_a_nonce_serves_once(js: PhoneScript) -> None:
    """Reuse of w1 gives D1 away: a second answer to the same offer gets nothing."""
    offer_signature(js, ONES, "user-1", PUBLIC, "job", 1, E, w1=THREES)
    js.bytes("finish", answer=R + S1)
    with pytest.raises(PhoneRefusedError, match="随机数"):
        js.bytes("finish", answer=R + S1)


@pytest.mark.parametrize("answer", [bytes(64), R + b32(N), R + b32(1), R, b32(N) + S1, R + S1 + b"\0"])
def test_answers_that_are_refused(js: PhoneScript, answer: bytes) -> None:
    """Range, length, and a signature that does not verify under P; the nonce is gone either way."""
    offer_signature(js, ONES, "user-1", PUBLIC, "job", 1, E, w1=THREES)
    with pytest.raises(PhoneRefusedError):
        js.bytes("finish", answer=answer)
    with pytest.raises(PhoneRefusedError, match="随机数"):
        js.bytes("finish", answer=R + S1)


def test_a_server_without_its_share_is_refused(js: PhoneScript) -> None:
    """P is believed only with the proof of D2⁻¹, for this session and user."""
    d1, raw = js.offer_key("session", "user")
    _, answer = key_share.accept_key(KeyOffer.from_bytes(raw), session="session", user="user")
    good = answer.to_bytes()
    rogue = sm2.generate().public().point + good[65:]
    for wrong, session in (
        (rogue, "session"),
        (good[:-1] + bytes([good[-1] ^ 1]), "session"),
        (good, "other"),
        (good[:128], "session"),
    ):
        with pytest.raises(PhoneRefusedError):
            js.bytes("take-key", answer=wrong, session=session, user="user", d1=b32(d1))


def test_the_gateway_refuses_another_users_key(js: PhoneScript) -> None:
    _, raw = js.offer_key("session", "user")
    with pytest.raises(CooperativeError, match="密钥分量"):
        key_share.accept_key(KeyOffer.from_bytes(raw), session="session", user="other")


def test_a_wrong_pin_gives_another_share_and_no_sign(js: PhoneScript) -> None:
    """No value on the phone tells a right PIN from a wrong one; the tag tells the gateway."""
    masked, right = js.ask("pin", d1=b32(ONES), pin="135790", other="135790").split()
    _, wrong = js.ask("pin", d1=b32(ONES), pin="135790", other="135791").split()
    assert int(right, 16) == ONES
    assert int(wrong, 16) != ONES
    assert 0 < int(wrong, 16) < N
    assert len(masked) == 64
    assert masked != right


@pytest.mark.parametrize("pin", ["111111", "123456", "654321", "12345", "abcdef", ""])
def test_weak_pins(js: PhoneScript, pin: str) -> None:
    assert js.ask("weakness", pin=pin)
    assert js.ask("weakness", pin="135790") == ""


def test_the_key_of_a_certificate(js: PhoneScript) -> None:
    doctor = pki.world().doctor
    assert js.bytes("point", certificate=doctor.certificate.raw) == doctor.private.public().point
    assert js.ask("point", certificate=b"no certificate") == ""
