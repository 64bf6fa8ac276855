"""Ways from a certificate up to a trust anchor, with the facts of each step. No verdict is made here.

GB/T 20518-2018, RFC 5280 6.1: a step goes from a certificate to one whose subject is its issuer (the bytes
first, the texts where encodings differ), preferring the key identifier it names. Everything is bounded.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from yingqiao.gm.certificates import Certificate
from yingqiao.gm.names import Name
from yingqiao.gm.signatures import ONLY_RULE, Examined, PreImage

MAX_LENGTH = 8
"""Certificates of a path, the first and the anchor included; the national root makes four."""
MAX_PATHS = 16
_MAX_STEPS = 128
"""Signatures checked for one question."""


@dataclass(frozen=True, slots=True)
class Step:
    """From `certificate` to `issuer`."""

    certificate: Certificate
    issuer: Certificate
    signature: Examined
    names_equal: bool
    """By their bytes; else only by their texts."""
    key_ids_agree: bool | None
    """None when one of the two does not name it."""
    issuer_is_ca: bool
    issuer_may_certify: bool
    """keyUsage of the issuer has keyCertSign, or is not there."""
    length_kept: bool
    """No more CA certificates below the issuer than its pathLenConstraint allows."""

    @property
    def sound(self) -> bool:
        """Whether nothing in the step itself is wrong; times, revocation and policy are looked at elsewhere."""
        return (
            self.signature.valid
            and self.issuer_is_ca
            and self.issuer_may_certify
            and self.length_kept
            and self.key_ids_agree is not False
        )


@dataclass(frozen=True, slots=True)
class Path:
    """`certificates` from the one asked about upwards; `anchored` when the last is a trust anchor."""

    certificates: tuple[Certificate, ...]
    steps: tuple[Step, ...]
    anchored: bool

    @property
    def sound(self) -> bool:
        return all(step.sound for step in self.steps)


def build(
    leaf: Certificate,
    pool: Iterable[Certificate],
    anchors: Iterable[Certificate],
    *,
    accepted: frozenset[PreImage] = ONLY_RULE,
) -> tuple[Path, ...]:
    """The paths from `leaf` through `pool` to `anchors`, best first: anchored and sound, anchored, sound, longest.

    There is always one, of `leaf` alone when nothing issued it.
    """
    search = _Search(tuple(anchors), pool, accepted)
    search.extend((leaf,), ())
    return tuple(sorted(search.paths, key=_worth, reverse=True))


def _worth(path: Path) -> tuple[bool, bool, bool, int]:
    return path.anchored and path.sound, path.anchored, path.sound, len(path.steps)


class _Search:
    def __init__(
        self, anchors: Sequence[Certificate], pool: Iterable[Certificate], accepted: frozenset[PreImage]
    ) -> None:
        self._anchors = {certificate.raw for certificate in anchors}
        unique = {certificate.raw: certificate for certificate in (*anchors, *pool)}
        self._known = tuple(unique.values())
        self._accepted = accepted
        self._steps_left = _MAX_STEPS
        self.paths: list[Path] = []

    def extend(self, certificates: tuple[Certificate, ...], steps: tuple[Step, ...]) -> None:
        """Every way on from the last of `certificates`; bounded by MAX_LENGTH, MAX_PATHS and _MAX_STEPS."""
        last = certificates[-1]
        if last.raw in self._anchors:
            self._keep(Path(certificates, steps, anchored=True))
            return
        went_on = False
        for issuer in self._issuers(last) if len(certificates) < MAX_LENGTH else ():
            if issuer in certificates or len(self.paths) >= MAX_PATHS or not self._steps_left:
                continue
            self._steps_left -= 1
            step = _step(last, issuer, certificates, self._accepted)
            self.extend((*certificates, issuer), (*steps, step))
            went_on = True
        if not went_on:
            self._keep(Path(certificates, steps, anchored=False))

    def _keep(self, path: Path) -> None:
        if len(self.paths) < MAX_PATHS:
            self.paths.append(path)

    def _issuers(self, certificate: Certificate) -> list[Certificate]:
        """Those that may have issued it, those with the key it names first."""
        named = [known for known in self._known if _same_name(certificate.issuer, known.subject)]
        return sorted(named, key=lambda issuer: _key_ids_agree(certificate, issuer) is not True)


def _same_name(one: Name, other: Name) -> bool:
    return one.raw == other.raw or (bool(one.attributes) and _texts(one) == _texts(other))


def _texts(name: Name) -> tuple[tuple[str, str], ...]:
    return tuple((attribute.oid, attribute.text) for attribute in name.attributes)


def _key_ids_agree(certificate: Certificate, issuer: Certificate) -> bool | None:
    wanted, offered = certificate.facts.authority_key_id, issuer.facts.subject_key_id
    return None if wanted is None or offered is None else wanted == offered


def _step(
    certificate: Certificate,
    issuer: Certificate,
    below: tuple[Certificate, ...],
    accepted: frozenset[PreImage],
) -> Step:
    usage, most = issuer.facts.key_usage, issuer.facts.path_length
    intermediates = sum(not one.self_issued for one in below[1:])
    return Step(
        certificate,
        issuer,
        certificate.signed_by(issuer.key, accepted=accepted),
        certificate.issuer.raw == issuer.subject.raw,
        _key_ids_agree(certificate, issuer),
        issuer.is_ca,
        usage is None or "keyCertSign" in usage,
        most is None or intermediates <= most,
    )
