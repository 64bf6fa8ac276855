"""Two-party SM2 signatures (协同签名), form B: the server's half and the guards around it.

The phone sends Q1 = w1·G; the server Q = w2·G + D2⁻¹·Q1, r = e + x(Q), s1 = D2·(r + w2); the phone
s = D1·(s1 + w1) - r; (r, s) is a plain SM2 signature under P. w2 is drawn here after Q1 and e are fixed, used once, kept nowhere.

One reuse of w2 gives D2 away, and one answer lets whoever has the phone's locked-up share test PINs by himself:
s fits P only with the right D1. Hence the guards:

* an offer carries a tag under a key only the right PIN unlocks; without it there is no answer, and the wrong ones are counted;
* an attempt (job, number) answers one (Q1, e); the same request again gets the stored bytes, another needs the next number;
* one open attempt per key; a lock after `MAX_FAILURES` wrong tags or wrong final signatures;
* the stored answer goes when the attempt closes: r, s1 and Q1 beside s would test PINs, too.

The state is a value: the caller reads it under a lock, calls, and stores what comes back BEFORE it sends the answer.
Whether the job is the user's, in time, and under a certificate in force is the caller's to check; so is
computing e from the stored job.

Sources: 软件学报 2025, 36(5): 2188-2211, figure 1; Tongsuo's sm2_threshold (which lacks the restarts for r = 0 and s = 0).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from hmac import compare_digest
from typing import Self

from yingqiao.gm import sm2, sm3
from yingqiao.gm.curve import POINT_SIZE, SIZE, N, Point, Scalar, Sm2Error
from yingqiao.gm.key_share import CooperativeError, ServerShare, Share, frame, point_of, take
from yingqiao.gm.sm2_der import encode_signature
from yingqiao.gm.sm2_keys import PublicKey

MAX_FAILURES = 5
MAX_ATTEMPTS = 20
_NUMBER_SIZE = 4
_ANSWER = b"yingqiao 2P-SM2 offer"


@dataclass(frozen=True, slots=True, repr=False)
class SignOffer:
    """Phone to server: the attempt's number, Q1 (65 bytes), e as the phone computed it (32), the tag (32). Not for logs."""

    number: int
    point: bytes
    e: bytes
    tag: bytes

    @classmethod
    def from_bytes(cls, raw: bytes) -> Self:
        """133 bytes. Raises CooperativeError `message-size`."""
        number, point, e, tag = take(raw, _NUMBER_SIZE, POINT_SIZE, SIZE, SIZE)
        return cls(int.from_bytes(number, "big"), point, e, tag)

    def to_bytes(self) -> bytes:
        return self.number.to_bytes(_NUMBER_SIZE, "big") + self.point + self.e + self.tag


@dataclass(frozen=True, slots=True, repr=False)
class SignAnswer:
    """Server to phone: r and s1, 32 bytes each. Not for logs."""

    r: bytes
    s1: bytes

    @classmethod
    def from_bytes(cls, raw: bytes) -> Self:
        """64 bytes. Raises CooperativeError `message-size`."""
        return cls(*take(raw, SIZE, SIZE))

    def to_bytes(self) -> bytes:
        return self.r + self.s1


@dataclass(frozen=True, slots=True, repr=False)
class SignFinish:
    """Phone to server: the attempt's number and s (32 bytes). Not for logs."""

    number: int
    s: bytes

    @classmethod
    def from_bytes(cls, raw: bytes) -> Self:
        """36 bytes. Raises CooperativeError `message-size`."""
        number, s = take(raw, _NUMBER_SIZE, SIZE)
        return cls(int.from_bytes(number, "big"), s)

    def to_bytes(self) -> bytes:
        return self.number.to_bytes(_NUMBER_SIZE, "big") + self.s


@dataclass(frozen=True, slots=True, repr=False)
class Attempt:
    """What one attempt was answered; `answer` is None once it is closed."""

    job: str
    number: int
    fingerprint: bytes
    """SM3 over key, job, number, Q1 and e: the one request this attempt answers."""
    e: bytes
    answer: bytes | None
    expires_at: int
    finished: bool = False


@dataclass(frozen=True, slots=True)
class KeyState:
    """What is remembered of one key between requests."""

    attempt: Attempt | None = None
    failures: int = 0

    @property
    def locked(self) -> bool:
        return self.failures >= MAX_FAILURES


@dataclass(frozen=True, slots=True, repr=False)
class Outcome:
    """The state to store first, then either an answer, or a signature (DER), or why not."""

    state: KeyState
    answer: SignAnswer | None = None
    signature: bytes | None = None
    refusal: CooperativeError | None = None


def tag_text(public: PublicKey, job: str, offer: SignOffer) -> bytes:
    """What the tag of an offer is HMAC-SM3 over, and its fingerprint SM3 of."""
    number = offer.number.to_bytes(_NUMBER_SIZE, "big")
    return frame(_ANSWER, public.point, job.encode(), number, offer.point, offer.e)


def answer(
    share: Share,
    state: KeyState,
    offer: SignOffer,
    *,
    job: str,
    used: int,
    e: bytes,
    now: int,
    lifetime: int,
) -> Outcome:
    """The server's share of a signature over `e`, which the caller computed from the job's stored data.

    `used` is the highest number of an attempt this job was ever answered at (0: none), kept with the job: the state
    forgets a job when the key turns to another. `now` and `lifetime` are in one unit of the caller's.

    Refusals: `key-locked`, `share-tag` (wrong PIN), `content-differs`
    (shown ≠ signed), `session-open`, `attempt-answered`, `attempt-old`, `attempt-closed`, `job-finished`,
    `attempts-exhausted`, `offer-point`. Raises what the device behind a `ForeignShare` raises: then nothing was answered,
    and nothing is to be stored.
    """
    text = tag_text(share.public, job, offer)
    refusal = _wrong_offer(share, state, offer, text, e)
    if refusal is not None:
        wrong = int(refusal.code == "share-tag")
        return Outcome(replace(state, failures=state.failures + wrong), refusal=refusal)
    fingerprint = sm3.digest(text)
    earlier = state.attempt
    refusal = _guard(earlier, job, offer.number, fingerprint, now) or _spent(earlier, job, offer.number, used)
    if refusal is not None:
        return Outcome(state, refusal=refusal)
    if earlier is not None and earlier.answer is not None and earlier.fingerprint == fingerprint:
        return Outcome(state, SignAnswer.from_bytes(earlier.answer))
    try:
        made = _compute(share, point_of(offer.point, "offer-point"), e)
    except CooperativeError as error:
        return Outcome(state, refusal=error)
    attempt = Attempt(job, offer.number, fingerprint, e, made.to_bytes(), now + lifetime)
    return Outcome(replace(state, attempt=attempt), made)


def respond(share: ServerShare, point: bytes, e: bytes) -> bytes:
    """r ‖ s1 alone, 64 bytes: what a program that stands in for a device computes. The guards are the caller's.

    Raises CooperativeError `offer-point`.
    """
    return _compute(share, point_of(point, "offer-point"), e).to_bytes()


def finish(public: PublicKey, state: KeyState, final: SignFinish, *, job: str, now: int) -> Outcome:
    """The whole signature (DER), verified under `public`; the attempt closes either way and its answer goes.

    Refusals: `key-locked`, `attempt-closed`, `attempt-expired`, `signature-wrong` (counted as a failure).
    """
    attempt = state.attempt
    if state.locked:
        return Outcome(state, refusal=_locked())
    if attempt is None or attempt.answer is None or (attempt.job, attempt.number) != (job, final.number):
        return Outcome(state, refusal=CooperativeError("attempt-closed", "没有等待完成的这次签名"))
    closed = replace(attempt, answer=None)
    if now >= attempt.expires_at:
        refusal = CooperativeError("attempt-expired", "这次签名已过期，请重新签名")
        return Outcome(replace(state, attempt=closed), refusal=refusal)
    signature = _assemble(SignAnswer.from_bytes(attempt.answer).r, final.s)
    if signature is None or not sm2.verify_digest(public, attempt.e, signature):
        refusal = CooperativeError("signature-wrong", "协同签名的结果验证不通过（PIN 码可能不对）")
        return Outcome(KeyState(closed, state.failures + 1), refusal=refusal)
    return Outcome(KeyState(replace(closed, finished=True)), signature=signature)


def _wrong_offer(
    share: Share, state: KeyState, offer: SignOffer, text: bytes, e: bytes
) -> CooperativeError | None:
    if state.locked:
        return _locked()
    if not compare_digest(offer.tag, sm3.mac(share.tag_key, text)):
        return CooperativeError("share-tag", "PIN 码不对，或请求不是这台手机发出的")
    if not compare_digest(offer.e, e):
        return CooperativeError("content-differs", "手机显示的内容与要签名的内容不一致")
    return None


def _locked() -> CooperativeError:
    return CooperativeError("key-locked", f"连续 {MAX_FAILURES} 次错误，密钥已锁定")


def _guard(
    earlier: Attempt | None, job: str, number: int, fingerprint: bytes, now: int
) -> CooperativeError | None:
    if not 1 <= number <= MAX_ATTEMPTS:
        return CooperativeError("attempts-exhausted", f"一个任务最多尝试 {MAX_ATTEMPTS} 次")
    if earlier is None:
        return None
    if earlier.job != job:
        waiting = earlier.answer is not None and now < earlier.expires_at
        return CooperativeError("session-open", "这把密钥正在签另一个任务") if waiting else None
    if earlier.finished:
        return CooperativeError("job-finished", "任务已签名")
    if number > earlier.number:
        return None
    if number < earlier.number:
        return CooperativeError("attempt-old", "请求属于已放弃的一次签名")
    if earlier.answer is None or now >= earlier.expires_at:
        return CooperativeError("attempt-closed", "这次签名已结束，请重新签名")
    if not compare_digest(earlier.fingerprint, fingerprint):
        return CooperativeError("attempt-answered", "这次签名已应答过另一个请求")
    return None


def _spent(earlier: Attempt | None, job: str, number: int, used: int) -> CooperativeError | None:
    is_open = earlier is not None and (earlier.job, earlier.number) == (job, number)
    if number > used or is_open:
        return None
    return CooperativeError("attempt-old", "请求属于已放弃的一次签名")


def _compute(share: Share, point: Point, e: bytes) -> SignAnswer:
    if not isinstance(share, ServerShare):
        return SignAnswer.from_bytes(share.respond(point.to_bytes(), e))
    inverse = share.scalar.inverse()
    shared = point.times(inverse)
    while True:
        made = _with_nonce(share.scalar, shared, e, Scalar.random())
        if made is not None:
            return made


def _with_nonce(secret: Scalar, shared: Point, e: bytes, nonce: Scalar) -> SignAnswer | None:
    """r and s1 for one nonce; None when it must be drawn again. `shared` is D2⁻¹·Q1."""
    total = Point.base(nonce) + shared
    if total.is_infinity:
        return None
    x = int.from_bytes(total.to_bytes()[1 : 1 + SIZE], "big")
    r = ((int.from_bytes(e, "big") + x) % N).to_bytes(SIZE, "big")
    try:
        blinded = Scalar.from_bytes(r) + nonce
    except Sm2Error:  # r = 0
        return None
    return None if blinded.is_zero else SignAnswer(r, (secret * blinded).to_bytes())


def _assemble(r: bytes, s: bytes) -> bytes | None:
    number = int.from_bytes(s, "big")
    return encode_signature(int.from_bytes(r, "big"), number) if len(s) == SIZE and 0 < number < N else None
