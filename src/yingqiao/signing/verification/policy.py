"""What weighs how in a verification: data, for an installation, a hospital or an application.

In TOML or JSON: `{"revocation-missing": "warn", "raw-form": "fail", "check-certificate": false}`. What is not
said is as below (the defaults follow ETSI EN 319 102-1 and GM/T 0010).
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Any

from yingqiao.gm.signatures import PreImage
from yingqiao.signing.verification.report import Indication, Step


class PolicyError(ValueError):
    """A policy says something it may not; Chinese."""


class Weight(StrEnum):
    """What follows when a constraint does not hold."""

    FAIL = "fail"
    UNKNOWN = "unknown"
    WARN = "warn"
    """Passed, with a note."""
    IGNORE = "ignore"


@dataclass(frozen=True, slots=True)
class Policy:
    """The constraints."""

    check_certificate: bool = True
    """Whether chain, validity, revocation and usage are looked at (dsvs `verifyCert`)."""
    claimed_time: bool = False
    """The signing time that the signer claims stands in where no token proves one."""
    chain_missing: Weight = Weight.UNKNOWN
    """No way to a trusted certificate."""
    expired: Weight = Weight.FAIL
    revocation_missing: Weight = Weight.UNKNOWN
    """No list, or none that is current."""
    key_usage: Weight = Weight.FAIL
    unknown_critical: Weight = Weight.UNKNOWN
    """A critical extension nobody here knows."""
    weak_algorithm: Weight = Weight.UNKNOWN
    """RSA under 2048 bits, SHA-1."""
    raw_form: Weight = Weight.WARN
    """r‖s of 64 bytes where DER is the rule (GM/T 0009)."""
    embedded_digest: Weight = Weight.FAIL
    """The message holds SM3 of the content instead of the content."""
    other_issuer_name: Weight = Weight.WARN
    """The signer's certificate was found by its serial number only."""
    several_readings: Weight = Weight.WARN
    """CAData verifies only after base64 decoding (T66)."""
    timestamp: Weight = Weight.FAIL
    """A time stamp that belongs to a signature is wrong."""
    purpose: Weight = Weight.FAIL
    """The certificate of a time stamp is not made for it."""
    binding: Weight = Weight.UNKNOWN
    """The signed attributes name no certificate, or another than is there (NO_SIGNING_CERTIFICATE_FOUND)."""
    seal_expired: Weight = Weight.FAIL
    """A document was sealed outside the validity of the seal."""
    seal_standing: Weight = Weight.FAIL
    """Our registry says that the seal was suspended, lost or revoked by then."""
    seal_created_later: Weight = Weight.WARN
    """The seal says it was made after it was used (createDate)."""
    seal_time: Weight = Weight.UNKNOWN
    """The signing time stated in a seal signature contradicts its time stamp, its certificate or the clock."""
    seal_stamp_missing: Weight = Weight.WARN
    """A seal signature carries no time stamp: its time is only what the signer stated."""
    seal_changed: Weight = Weight.FAIL
    """A document was changed after it was sealed by more than further signatures."""
    seal_picture: Weight = Weight.WARN
    """What is drawn on the page is not the seal's picture."""
    unproven_expired: Weight = Weight.WARN
    """A certificate of a seal expired since the stated time, which nothing proves."""
    unproven_revoked: Weight = Weight.UNKNOWN
    """A certificate of a seal was revoked since the stated time, which nothing proves."""
    pre_images: frozenset[PreImage] = frozenset({PreImage.RULE})
    """What a signature may have been made over."""

    @classmethod
    def of(cls, said: Mapping[str, Any], base: Policy | None = None) -> Policy:
        """`base` (the defaults) with what `said` changes, members in kebab case. Raises PolicyError."""
        names = {field.name.replace("_", "-"): field.name for field in fields(cls)}
        changes: dict[str, Any] = {}
        for key, value in said.items():
            if key not in names:
                raise PolicyError(f"不认识的成员 {key}，可用：{'、'.join(sorted(names))}")
            changes[names[key]] = _value(key, value, getattr(DEFAULT, names[key]))
        return replace(base or DEFAULT, **changes)

    @classmethod
    def read(cls, text: str, base: Policy | None = None) -> Policy:
        """A policy in JSON or TOML. Raises PolicyError."""
        try:
            said = json.loads(text) if text.lstrip().startswith("{") else tomllib.loads(text)
        except ValueError as error:
            raise PolicyError("策略既不是合法的 JSON，也不是 TOML") from error
        return cls.of(said, base)

    def shown(self) -> dict[str, Any]:
        """What differs from the defaults."""
        found: dict[str, Any] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if value != getattr(DEFAULT, field.name):
                key = field.name.replace("_", "-")
                found[key] = sorted(map(str, value)) if isinstance(value, frozenset) else value
        return found


def _value(key: str, value: Any, default: Any) -> Any:
    if isinstance(default, bool):
        if not isinstance(value, bool):
            raise PolicyError(f"{key} 应为 true 或 false")
        return value
    kind = Weight if isinstance(default, Weight) else PreImage
    try:
        if kind is Weight:
            return Weight(value)
        return frozenset(PreImage(one) for one in value)
    except (ValueError, TypeError) as error:
        raise PolicyError(f"{key} 应为 {'、'.join(kind)} 之{'一' if kind is Weight else '列表'}") from error


def weigh(weight: Weight, name: str, reason: str, words: str, notes: Iterable[str] = ()) -> Step:
    """The step `name`, whose constraint does not hold."""
    if weight is Weight.IGNORE:
        return Step(name, Indication.PASSED, notes=tuple(notes))
    if weight is Weight.WARN:
        return Step(name, Indication.PASSED, notes=(*notes, words))
    indication = Indication.FAILED if weight is Weight.FAIL else Indication.UNKNOWN
    return Step(name, indication, reason, words, tuple(notes))


DEFAULT = Policy()
SIGNATURE_ONLY = Policy(check_certificate=False)
"""The signature value alone, as dsvs with `verifyCert` false."""
