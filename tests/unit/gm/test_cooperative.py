"""Two-party SM2, form B: the known answers, a whole life with the phone of the reference, and one test for each check."""

import pickle
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers import sm2_reference as reference
from tests.helpers.sm2_reference import N, Phone, b32
from yingqiao.gm import cooperative, key_share, sm2
from yingqiao.gm.cooperative import KeyState, SignAnswer, SignFinish, SignOffer
from yingqiao.gm.curve import GENERATOR, MINUS_GENERATOR, Point, Scalar
from yingqiao.gm.key_share import CooperativeError, KeyOffer, ServerShare
from yingqiao.gm.keystore import KeystoreError, MasterKey, new_master_key

ONES, TWOS, THREES, FOURS, FIVES = (int.from_bytes(bytes([n * 17]) * 32, "big") for n in (1, 2, 3, 4, 5))
MESSAGE = b"2P-SM2 test message"
PUBLIC = bytes.fromhex(
    "044EDEC24581C5989E9FEE5891BBCE9707E65F3B3F996412087065944A0E1FFFF1"
    "A92BDA6F2C8458E0FFFFB2F9A104D5FEE1552A884D3152E85A486B048957DEE1"
)
E = bytes.fromhex("a90bfe25a27598d700b74c76cd1d90556d31e0d4bb15298274557e1e714810c0")
R = "faf86e07679425e4bebf55656771c630fc2c48853c720e8f6f7c812db9725115"
S1 = "f4190b6d709c446bcba7dd2611d1a6bcd079c9bdd2b5e034abb82c97a9b2dabb"
S = "3fab53624e65d39a2572b75b6d7d175c4d88e823f0f01f52e68d7bbf516b2ad6"
FORM_A = (
    "fb4b81e11fec82883b480532159c18f2b37531d7909bce071bfb34fb39bf390c",
    "b562333db5e18c3f93b84e2d12badef1712db685de5e6f662abdef15da2b7e36",
)
PHONE = Phone(ONES, public=reference.decode(PUBLIC))
SHARE = ServerShare(Scalar.from_bytes(b32(TWOS)), PHONE.tag_key, sm2.PublicKey(PUBLIC))


def answer(offer: bytes | SignOffer, state: KeyState | None = None, *, job="job", used=0, e=E, now=0):
    parsed = SignOffer.from_bytes(offer) if isinstance(offer, bytes) else offer
    return cooperative.answer(
        SHARE, state or KeyState(), parsed, job=job, used=used, e=e, now=now, lifetime=60
    )


def code(outcome) -> str:
    assert outcome.refusal is not None
    assert outcome.answer is None
    assert outcome.signature is None
    assert outcome.refusal.reason
    return outcome.refusal.code


# --- known answers -------------------------------------------------------------------------------------------------


def test_the_known_public_key():
    """D1 = 11…, D2 = 22…: P1, P = D2⁻¹·P1 - G, Z and e."""
    one = reference.mul(pow(ONES, -1, N), reference.G)
    assert reference.encode(one).hex() == (
        "044897be248930f1459d6460a09332bf2c5dd2c476773c21d75991d061074bc7df"
        "e72714deb08f66b4c1eef2bcdf912e3ccee76f4bfcf674dbd6680fc08e72c1b6"
    )
    shared = Point.from_bytes(reference.encode(one)).times(Scalar.from_bytes(b32(TWOS)).inverse())
    generator = Point.from_bytes(GENERATOR)
    assert (shared + -generator).to_bytes() == PUBLIC
    d = (pow(ONES * TWOS, -1, N) - 1) % N
    assert sm2.PrivateKey.from_scalar(b32(d)).public().point == PUBLIC
    public = sm2.PublicKey(PUBLIC)
    assert (
        public.z(sm2.DEFAULT_ID).hex() == "9149f818a4bd064df71162f9a0d14770b1277035a9029ca853dbecf150a6d405"
    )
    assert sm2.digest_for(public, MESSAGE) == E


def test_the_known_signature_of_form_b():
    """w1 = 33…, w2 = 44…: Q1, r, s1, s."""
    offer = SignOffer.from_bytes(PHONE.offer_signature("job", 1, E, w1=THREES))
    assert offer.point.hex().startswith("0440fe1d2084a7eb18c6270952e3e642be6e9c74a74c41bcb1dd329179216d26c8")
    made = server_half(offer.point, FOURS)
    assert made == SignAnswer(bytes.fromhex(R), bytes.fromhex(S1))
    assert PHONE.finish(made.to_bytes(), 1, E)[4:].hex() == S
    assert sm2.verify(SHARE.public, MESSAGE, sm2.raw_to_der(bytes.fromhex(R + S)))


def server_half(q1: bytes, w2: int) -> SignAnswer:
    shared = Point.from_bytes(q1).times(SHARE.scalar.inverse())
    made = cooperative._with_nonce(SHARE.scalar, shared, E, Scalar.from_bytes(b32(w2)))
    assert made is not None
    return made


def test_form_b_is_plain_sm2():
    """With d = (D1·D2)⁻¹ - 1 and k = w2 + w1·D2⁻¹."""
    d = (pow(ONES * TWOS, -1, N) - 1) % N
    k = (FOURS + THREES * pow(TWOS, -1, N)) % N
    assert [b32(value).hex() for value in reference.sign(d, E, k)] == [R, S]


def test_form_a_is_plain_sm2_too():
    """The patent's form: k = k1·k3 + k2; its known signature verifies."""
    d = (pow(ONES * TWOS, -1, N) - 1) % N
    r, s = reference.sign(d, E, (THREES * FIVES + FOURS) % N)
    assert (b32(r).hex(), b32(s).hex()) == FORM_A
    assert sm2.verify(SHARE.public, MESSAGE, sm2.raw_to_der(b32(r) + b32(s)))


def test_the_phones_bytes():
    """What another phone must compute, too, from D1 = 11…, user-1, w1 = 33…: ours, there is no standard's."""
    assert PHONE.tag_key.hex() == "619a274361959a8ae9ddf8053b2409328791962a6a9114c492ee7e7711908549"
    offer = SignOffer.from_bytes(PHONE.offer_signature("job", 1, E, w1=THREES))
    assert offer.tag.hex() == "f8ec0e32e02aca75840d65514f0c57589d8ab3f2061915a78fbc0e6505f3abb5"
    points = [reference.mul(scalar, reference.G) for scalar in (1, THREES, FOURS)]
    c = b32(reference.challenge(*points, "session", "user-1"))
    assert c.hex() == "07f38816aa33a1b9611cf8e070707d17b598306dfb32a36e2e06458bc0d19360"
    encoded = [Point.from_bytes(reference.encode(point)) for point in points]
    assert key_share._challenge(*encoded, "session", "user-1") == c


# --- the whole life ------------------------------------------------------------------------------------------------


@settings(max_examples=10, deadline=None)
@given(st.integers(1, N - 1), st.binary(max_size=100))
def test_a_key_is_made_sealed_and_signs(d1, message):
    phone, master = Phone(d1), MasterKey(new_master_key())
    offer = KeyOffer.from_bytes(phone.offer_key("session"))
    share, made = key_share.accept_key(offer, session="session", user="user-1")
    phone.take_key(made.to_bytes(), "session")
    public = sm2.PublicKey(reference.encode(phone.public))
    assert public == share.public
    sealed = key_share.wrap_share(master, share, key_id="k", user="user-1")
    share = key_share.unwrap_share(master, sealed, key_id="k", user="user-1", public=public)
    e, state = sm2.digest_for(public, message), KeyState()
    offered = SignOffer.from_bytes(phone.offer_signature("job", 1, e))
    outcome = cooperative.answer(share, state, offered, job="job", used=0, e=e, now=0, lifetime=60)
    assert outcome.answer is not None
    final = SignFinish.from_bytes(phone.finish(outcome.answer.to_bytes(), 1, e))
    done = cooperative.finish(public, outcome.state, final, job="job", now=1)
    assert done.signature is not None
    assert sm2.verify(public, message, done.signature)
    assert done.state.attempt is not None
    assert done.state.attempt.answer is None


def test_messages_have_one_size_and_one_form():
    for kind, size in ((KeyOffer, 161), (key_share.KeyAnswer, 129), (SignOffer, 133), (SignFinish, 36)):
        raw = bytes(range(256))[:size]
        assert kind.from_bytes(raw).to_bytes() == raw
        for wrong in (raw[:-1], raw + b"\0", b""):
            with pytest.raises(CooperativeError, match="字节"):
                kind.from_bytes(wrong)
    assert SignAnswer.from_bytes(bytes(64)).to_bytes() == bytes(64)


# --- key generation refuses -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "point", [bytes(65), b"\x04" + bytes(64), b"\x02" + GENERATOR[1:], GENERATOR[:-1] + b"\0"]
)
def test_p1_must_be_a_point(point):
    offer = KeyOffer.from_bytes(Phone(7).offer_key("s"))
    with pytest.raises(CooperativeError) as caught:
        key_share.accept_key(replace(offer, point=point), session="s", user="user-1")
    assert caught.value.code == "key-offer"


@pytest.mark.parametrize("change", ["session", "user", "challenge", "response", "zero", "order", "other"])
def test_p1_must_come_with_its_proof(change):
    """Schnorr proof of D1⁻¹ bound to session and user: a rogue P1 or one replayed elsewhere is refused."""
    offer = KeyOffer.from_bytes(Phone(7).offer_key("s"))
    c, z = offer.proof[:32], offer.proof[32:]
    changed = {
        "challenge": replace(offer, proof=b32(reference.number(c) ^ 1) + z),
        "response": replace(offer, proof=c + b32(reference.number(z) ^ 1)),
        "zero": replace(offer, proof=bytes(64)),
        "order": replace(offer, proof=b"\xff" * 64),
        "other": replace(offer, point=reference.encode(reference.mul(9, reference.G))),
    }.get(change, offer)
    session, user = "t" if change == "session" else "s", "user-2" if change == "user" else "user-1"
    with pytest.raises(CooperativeError) as caught:
        key_share.accept_key(changed, session=session, user=user)
    assert caught.value.code == "key-proof"


def test_the_phone_notices_another_public_key():
    phone = Phone(7)
    _, made = key_share.accept_key(KeyOffer.from_bytes(phone.offer_key("s")), session="s", user="user-1")
    with pytest.raises(AssertionError):
        phone.take_key(GENERATOR + made.proof, "s")


def test_a_private_key_of_zero_is_drawn_again(monkeypatch):
    """D1·D2 = 1 would make P infinity."""
    phone, draws = Phone(7), iter([pow(7, -1, N), 5])
    offer = KeyOffer.from_bytes(phone.offer_key("s"))
    drawn, real = [], Scalar.random

    def random():
        if (value := next(draws, None)) is None:
            return real()
        drawn.append(value)
        return Scalar.from_bytes(b32(value))

    monkeypatch.setattr(Scalar, "random", random)
    share, _ = key_share.accept_key(offer, session="s", user="user-1")
    assert drawn == [pow(7, -1, N), 5]
    assert share.scalar.to_bytes() == b32(5)


# --- the share at rest ----------------------------------------------------------------------------------------------


def test_a_sealed_share_opens_only_where_it_belongs():
    master = MasterKey(new_master_key())
    sealed = key_share.wrap_share(master, SHARE, key_id="k", user="u")
    assert b32(TWOS) not in sealed
    assert PHONE.tag_key not in sealed
    other = sm2.PublicKey(GENERATOR)
    for key_id, user, public in (("k2", "u", SHARE.public), ("k", "u2", SHARE.public), ("k", "u", other)):
        with pytest.raises(KeystoreError):
            key_share.unwrap_share(master, sealed, key_id=key_id, user=user, public=public)
    with pytest.raises(KeystoreError):
        key_share.unwrap_share(MasterKey(new_master_key()), sealed, key_id="k", user="u", public=SHARE.public)


def test_secrets_are_not_shown():
    outcome = answer(PHONE.offer_signature("job", 1, E))
    shown = repr(SHARE) + repr(outcome) + repr(outcome.answer) + repr(KeyOffer.from_bytes(bytes(161)))
    shown += repr(SignOffer(1, GENERATOR, E, PHONE.tag_key)) + repr(SignFinish(1, PHONE.tag_key))
    for secret in (b32(TWOS), PHONE.tag_key, outcome.answer.s1):
        assert secret.hex() not in shown
        assert repr(secret)[2:-1] not in shown
    with pytest.raises(TypeError):
        pickle.dumps(SHARE)


# --- signing refuses -----------------------------------------------------------------------------------------------


def tagged(**changes) -> SignOffer:
    """An offer of a phone that knows the PIN but breaks a rule: its tag is right."""
    offer = replace(SignOffer.from_bytes(PHONE.offer_signature("job", 1, E)), **changes)
    return replace(
        offer, tag=cooperative.sm3.mac(PHONE.tag_key, cooperative.tag_text(SHARE.public, "job", offer))
    )


@pytest.mark.parametrize(
    "point",
    [
        bytes(65),
        b"\x04" + bytes(64),
        GENERATOR[:-1] + b"\0",
        b"\x02" + GENERATOR[1:],
        b"\x04" + b"\xff" * 64,
        b"\0" + bytes(64),
    ],
)
def test_q1_must_be_a_point(point):
    assert code(answer(tagged(point=point))) == "offer-point"


def test_shown_is_signed():
    """The server computes e from the job; the phone's must equal it."""
    assert code(answer(tagged(e=bytes(32)))) == "content-differs"


def test_a_wrong_pin_gets_no_answer_and_locks_after_some():
    """One answer would let a thief test PINs off-line: so the tag is checked first, and counted."""
    thief, state = replace(PHONE, d1=ONES + 1), KeyState()
    for count in range(1, cooperative.MAX_FAILURES + 1):
        outcome = answer(thief.offer_signature("job", 1, E), state)
        assert code(outcome) == "share-tag"
        state = outcome.state
        assert state.failures == count
    assert state.locked
    assert code(answer(PHONE.offer_signature("job", 1, E), state)) == "key-locked"
    final = SignFinish(1, bytes(32))
    assert code(cooperative.finish(SHARE.public, state, final, job="job", now=0)) == "key-locked"


@pytest.mark.parametrize("change", ["job", "number", "point", "e"])
def test_the_tag_covers_the_whole_offer(change):
    offer = SignOffer.from_bytes(PHONE.offer_signature("job", 1, E))
    changed = {"number": {"number": 2}, "point": {"point": GENERATOR}, "e": {"e": bytes(32)}}.get(change, {})
    outcome = answer(replace(offer, **changed), job="other" if change == "job" else "job")
    assert code(outcome) == "share-tag"


def test_an_identical_retry_gets_the_stored_bytes():
    offer = PHONE.offer_signature("job", 1, E)
    first = answer(offer)
    again = answer(offer, first.state)
    assert again.answer == first.answer
    assert again.state == first.state


def test_an_attempt_answers_one_request():
    first = answer(PHONE.offer_signature("job", 1, E))
    assert code(answer(PHONE.offer_signature("job", 1, E), first.state)) == "attempt-answered"
    second = answer(PHONE.offer_signature("job", 2, E), first.state)
    assert second.answer is not None
    assert second.answer != first.answer
    assert code(answer(PHONE.offer_signature("job", 1, E), second.state)) == "attempt-old"


def test_a_nonce_is_never_used_twice():
    """Ten thousand draws of what makes nonces, and the nonces of 200 answers to one request: w2 = s1·D2⁻¹ - r."""
    seen, inverse = {Scalar.random().to_bytes() for _ in range(10_000)}, pow(TWOS, -1, N)
    point = Point.from_bytes(GENERATOR)
    for _ in range(200):
        made = cooperative._compute(SHARE, point, E)
        seen.add(b32((reference.number(made.s1) * inverse - reference.number(made.r)) % N))
    assert len(seen) == 10_200


def test_what_reuse_of_a_nonce_would_cost():
    """Why the guards are there: two answers with one w2 give D2, two finals with one w1 give D1."""
    q1, other = (reference.encode(reference.mul(w1, reference.G)) for w1 in (THREES, FIVES))
    one, two = server_half(q1, FOURS), server_half(other, FOURS)
    top = reference.number(one.s1) - reference.number(two.s1)
    assert top * pow(reference.number(one.r) - reference.number(two.r), -1, N) % N == TWOS
    one, two = server_half(q1, FOURS), server_half(q1, FIVES)
    s = [reference.number(PHONE_WITH_THREES.finish(made.to_bytes(), 1, E)[4:]) for made in (one, two)]
    top = s[0] + reference.number(one.r) - s[1] - reference.number(two.r)
    assert top * pow(reference.number(one.s1) - reference.number(two.s1), -1, N) % N == ONES


PHONE_WITH_THREES = replace(PHONE, w1=THREES)


def test_one_open_session_per_key():
    first = answer(PHONE.offer_signature("job", 1, E))
    other = PHONE.offer_signature("other", 1, E)
    assert code(answer(other, first.state, job="other")) == "session-open"
    assert answer(other, first.state, job="other", now=60).answer is not None


def test_an_attempt_is_not_reopened_after_another_job():
    """The state forgets the first job; the number kept with the job does not."""
    offer = PHONE.offer_signature("job", 1, E)
    first = answer(offer)
    assert answer(offer, first.state, used=1).answer == first.answer
    other = answer(PHONE.offer_signature("other", 1, E), first.state, job="other", now=60)
    assert code(answer(offer, other.state, used=1, now=120)) == "attempt-old"
    assert answer(PHONE.offer_signature("job", 2, E), other.state, used=1, now=120).answer is not None


def test_attempts_have_an_end():
    assert code(answer(PHONE.offer_signature("job", cooperative.MAX_ATTEMPTS + 1, E))) == "attempts-exhausted"
    assert code(answer(PHONE.offer_signature("job", 0, E))) == "attempts-exhausted"


def test_an_expired_attempt_is_not_answered_again_or_finished():
    offer = PHONE.offer_signature("job", 1, E)
    first = answer(offer)
    assert code(answer(offer, first.state, now=60)) == "attempt-closed"
    final = SignFinish.from_bytes(PHONE.finish(first.answer.to_bytes(), 1, E))
    late = cooperative.finish(SHARE.public, first.state, final, job="job", now=60)
    assert code(late) == "attempt-expired"
    assert late.state.attempt.answer is None
    assert late.state.failures == 0


def test_a_wrong_final_signature_counts_and_closes():
    first = answer(PHONE.offer_signature("job", 1, E))
    for s in (
        bytes(32),
        b32(N),
        b"\xff" * 32,
        b32(1),
        first.answer.s1,
        b32(N - reference.number(first.answer.r)),
    ):
        outcome = cooperative.finish(SHARE.public, first.state, SignFinish(1, s), job="job", now=1)
        assert code(outcome) == "signature-wrong"
        assert outcome.state.failures == 1
        assert code(cooperative.finish(SHARE.public, outcome.state, SignFinish(1, s), job="job", now=1)) == (
            "attempt-closed"
        )


@pytest.mark.parametrize(("job", "number"), [("other", 1), ("job", 2)])
def test_a_final_belongs_to_its_attempt(job, number):
    first = answer(PHONE.offer_signature("job", 1, E))
    final = SignFinish.from_bytes(PHONE.finish(first.answer.to_bytes(), number, E))
    assert code(cooperative.finish(SHARE.public, first.state, final, job=job, now=1)) == "attempt-closed"


def test_a_signed_job_is_not_signed_again():
    offer = PHONE.offer_signature("job", 1, E)
    first = answer(offer)
    final = SignFinish.from_bytes(PHONE.finish(first.answer.to_bytes(), 1, E))
    done = cooperative.finish(SHARE.public, first.state, final, job="job", now=1)
    assert done.signature is not None
    assert code(answer(offer, done.state)) == "job-finished"
    assert code(answer(PHONE.offer_signature("job", 2, E), done.state)) == "job-finished"
    assert code(cooperative.finish(SHARE.public, done.state, final, job="job", now=1)) == "attempt-closed"
    assert answer(PHONE.offer_signature("next", 1, E), done.state, job="next").answer is not None


def test_a_good_signature_forgives_wrong_pins():
    first = answer(PHONE.offer_signature("job", 1, E), KeyState(failures=3))
    assert first.state.failures == 3
    final = SignFinish.from_bytes(PHONE.finish(first.answer.to_bytes(), 1, E))
    assert cooperative.finish(SHARE.public, first.state, final, job="job", now=1).state.failures == 0


def test_r_and_s1_of_zero_are_drawn_again():
    """Tongsuo lacks these restarts: r = 0, r + w2 = 0, Q = infinity."""
    q1 = Point.from_bytes(GENERATOR)
    shared = q1.times(SHARE.scalar.inverse())
    total = reference.add(reference.mul(FOURS, reference.G), reference.decode(shared.to_bytes()))
    nonce = Scalar.from_bytes(b32(FOURS))
    zero_r = b32(-total[0] % N)
    assert cooperative._with_nonce(SHARE.scalar, shared, zero_r, nonce) is None
    zero_s1 = b32((-FOURS - total[0]) % N)
    assert cooperative._with_nonce(SHARE.scalar, shared, zero_s1, nonce) is None
    infinity = Scalar.from_bytes(b32(-pow(TWOS, -1, N) % N))
    assert cooperative._with_nonce(SHARE.scalar, shared, E, infinity) is None


def test_minus_g_as_q1_is_an_ordinary_point():
    assert answer(tagged(point=MINUS_GENERATOR)).answer is not None
