"""The answer about one seal: a report as of every verification, with the code of SEF, the signer and the time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from yingqiao.gm import oids
from yingqiao.gm.certificates import Certificate
from yingqiao.gm.ses import Seal, SealSignature
from yingqiao.signing.seals import rows
from yingqiao.signing.verification.certificate_steps import certificate_facts
from yingqiao.signing.verification.report import BEIJING, Report, Step, stamp


@dataclass(frozen=True, slots=True)
class Verdict:
    """`seal` and `signature` are None where the bytes are none; `time` is what is shown as time of signing."""

    report: Report
    seal: Seal | None = field(default=None, repr=False)
    signature: SealSignature | None = field(default=None, repr=False)
    signer: Certificate | None = field(default=None, repr=False)
    maker: Certificate | None = field(default=None, repr=False)
    time: datetime | None = None

    @property
    def code(self) -> int:
        """`verifyResult`: 0 when everything passed, else that of the row that decides."""
        return rows.code_of(self.report.deciding)

    @property
    def signed_at(self) -> str:
        """`signDate`: Beijing time, yyyy-MM-dd HH:mm:ss; '' when there is none."""
        return "" if self.time is None else f"{self.time.astimezone(BEIJING):%Y-%m-%d %H:%M:%S}"

    @property
    def signer_name(self) -> str:
        if self.signer is None:
            return ""
        return self.signer.subject.common_name or str(self.signer.subject)

    def shown(self) -> dict[str, Any]:
        """As JSON: a report's members and `code`, `seal`, `signer`, `time`, `signDate`."""
        return {
            "code": self.code,
            **self.report.shown(),
            "seal": self.seal.info.name if self.seal else "",
            "signer": self.signer_name,
            "time": stamp(self.time),
            "signDate": self.signed_at,
        }

    def within(
        self, first: Sequence[Step], last: Sequence[Step] = (), facts: Mapping[str, Any] | None = None
    ) -> Verdict:
        """The same with rows before and after, which the document's form gives, and what is known of it."""
        report = self.report
        steps = (*first, *report.steps, *last)
        return replace(self, report=replace(report, steps=steps, facts={**(facts or {}), **report.facts}))


def seal_facts(seal: Seal, maker: Certificate | None) -> dict[str, Any]:
    """Everything people ask of a seal."""
    info, picture = seal.info, seal.info.picture
    return {
        "esID": info.es_id,
        "name": info.name,
        "type": info.type,
        "version": int(seal.version),
        "standard": seal.version.standard,
        "createDate": stamp(info.created),
        "validStart": stamp(info.valid_from),
        "validEnd": stamp(info.valid_to),
        "picture": f"{picture.kind} {len(picture.data)} 字节，{picture.width}×{picture.height} 毫米",
        "boundTo": f"{len(info.certificates)} 张证书"
        if info.certificates
        else f"{len(info.digests)} 个证书杂凑值",
        "maker": certificate_facts(maker) if maker else {},
        "algorithm": oids.words(seal.algorithm),
        "extensions": [oids.words(one.oid) for one in info.extensions],
    }


def signature_facts(signature: SealSignature, signer: Certificate | None) -> dict[str, Any]:
    """Everything people ask of a seal signature, its seal apart."""
    return {
        "standard": signature.version.standard,
        "signer": certificate_facts(signer) if signer else {},
        "algorithm": oids.words(signature.algorithm),
        "timeInfo": stamp(signature.time),
        "dataHash": signature.data_hash.hex(),
        "propertyInfo": signature.property_info,
        "extensions": [oids.words(one.oid) for one in signature.extensions],
    }
