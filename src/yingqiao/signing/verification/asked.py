"""What people and programs ask, in any armour: the one face of the command line, the API and the page.

Nothing handed over raises: what cannot be read is a verdict too (failed, step `format`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from yingqiao.gm import armor
from yingqiao.gm.certificates import Certificate
from yingqiao.gm.crl import RevocationList
from yingqiao.gm.errors import GmError
from yingqiao.signing.trust import Trust, read_bundle
from yingqiao.signing.verification.certificate import leaves, verify_certificate
from yingqiao.signing.verification.inputs import Holder, read_holder, read_signature
from yingqiao.signing.verification.policy import DEFAULT, Policy
from yingqiao.signing.verification.readings import Reading
from yingqiao.signing.verification.report import BEIJING, Report, failed
from yingqiao.signing.verification.signature import Question, verify_signature
from yingqiao.signing.verification.timestamp import verify_timestamp


@dataclass(frozen=True, slots=True)
class Asked:
    """By what, and as of when."""

    trust: Trust
    at: datetime
    policy: Policy = DEFAULT


def read_moment(text: str) -> datetime:
    """A time as people write it: ISO 8601, without a zone Beijing's; a date alone is its begin; or Unix seconds.

    Raises ValueError (Chinese).
    """
    bare = text.strip()
    try:
        if bare.isdigit() and len(bare) in (10, 13):
            return datetime.fromtimestamp(int(bare[:10]), UTC)
        moment = datetime.fromisoformat(bare)
        zoned = moment.replace(tzinfo=BEIJING) if moment.tzinfo is None else moment
        return zoned.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"时间 {bare[:40]!r} 应写作 2026-03-01T12:00:00+08:00") from error


def verify_signed(
    asked: Asked,
    *,
    signature: bytes,
    content: bytes | None = None,
    certificate: bytes | None = None,
    tokens: Sequence[bytes] = (),
    readings: Sequence[Reading] | None = None,
) -> Report:
    """A signature, with files as handed over. `readings` stands in for `content` where there are several."""
    try:
        value = read_signature(signature)
        holder = Holder() if certificate is None else read_holder(certificate)
        stamps = [armor.unwrap_one(one) for one in tokens]
    except GmError as error:
        return _unreadable("签名", error, asked.at)
    if readings is None:
        readings = () if content is None else (Reading(content),)
    question = Question(
        value, readings, holder.certificates, holder.key, tokens=stamps, others=asked.trust.certificates
    )
    return verify_signature(question, asked.trust, asked.at, asked.policy)


def verify_stamped(asked: Asked, token: bytes, content: bytes | None) -> Report:
    """A time stamp over `content`."""
    try:
        raw = armor.unwrap_one(token)
    except GmError as error:
        return _unreadable("时间戳", error, asked.at)
    originals = () if content is None else (Reading(content),)
    return verify_timestamp(raw, originals, asked.trust, asked.at, policy=asked.policy).report


def verify_certificates(asked: Asked, files: Sequence[bytes]) -> list[Report]:
    """The certificates in `files`: of those that issued one another only the last; at least one report."""
    given: list[Certificate] = []
    lists: list[RevocationList] = []
    try:
        for raw in files:
            bundle = read_bundle(raw)
            given += bundle.certificates
            lists += bundle.lists
    except GmError as error:
        return [_unreadable("证书", error, asked.at)]
    if not given:
        return [_unreadable("证书", GmError("没有证书"), asked.at)]
    return [
        verify_certificate(one, asked.trust, asked.at, pool=given, lists=lists, policy=asked.policy)
        for one in leaves(given)
    ]


def _unreadable(subject: str, error: GmError, at: datetime) -> Report:
    step = failed("format", "unreadable", f"{error.reason}")
    return Report(subject, (step,), at, at, "at", {})
