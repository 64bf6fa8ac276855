"""A signature value that is right, and what is odd about it: how it is written, how strong it is."""

from __future__ import annotations

from yingqiao.gm.signatures import Examined
from yingqiao.signing.verification.policy import Policy, weigh
from yingqiao.signing.verification.report import Step, passed


def value_steps(examined: Examined, policy: Policy) -> list[Step]:
    """A value that is right, with what is odd about it: its form, and weak algorithms."""
    weak = [text for text in examined.oddities if is_weak(text)]
    rest = [text for text in examined.oddities if not is_weak(text)]
    raw = [text for text in rest if "r‖s" in text]
    step = passed("signature", "", [text for text in rest if text not in raw])
    if raw:
        step = weigh(policy.raw_form, "signature", "raw-not-der", raw[0], step.notes)
    if not weak:
        return [step]
    return [step, weigh(policy.weak_algorithm, "algorithm", "weak-algorithm", "；".join(weak))]


def is_weak(oddity: str) -> bool:
    """Whether an oddity of gm is about strength."""
    return oddity.startswith("RSA 密钥只有") or "SHA-1" in oddity
