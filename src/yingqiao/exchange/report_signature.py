"""The signature that a report carries (CAData, ClientCert, SignType, SignValue, Timestampvalue), judged.

Both readings of CAData (T66), PEM and DER of the certificate, PKCS#1 and PKCS#7 (T67); without the fields nothing is
judged here (T65 is validation's).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from yingqiao.signing.trust import Trust
from yingqiao.signing.verification.asked import Asked, verify_signed
from yingqiao.signing.verification.policy import Policy
from yingqiao.signing.verification.readings import both
from yingqiao.signing.verification.report import Report

SUBJECT = "报告签名"
RULE = "signature"
"""The rule of a hospital's profile: refuse = judged before the answer, warn = in the background, off = not."""
MEND = "请核对签名原文、签名值、证书与时间戳，修正后重新发送"
_PKCS1, _PKCS7 = "1", "2"


def judge_report(values: Mapping[str, Any], trust: Trust, at: datetime, policy: Policy) -> Report:
    """The verdict at `at` on the signature of a report's values. Never raises."""
    said = {name.replace("_", "").lower(): value for name, value in values.items()}
    certificate, token = _text(said, "clientcert"), _text(said, "timestampvalue")
    report = verify_signed(
        Asked(trust, at, policy),
        signature=_text(said, "signvalue").encode("utf-8", "replace"),
        readings=both(_text(said, "cadata")),
        certificate=certificate.encode("utf-8", "replace") if certificate else None,
        tokens=[token.encode("utf-8", "replace")] if token else [],
    )
    steps = report.steps
    note = _kind_note(_text(said, "signtype"), str(report.facts.get("kind", "")))
    if note and steps:
        steps = (replace(steps[0], notes=(*steps[0].notes, note)), *steps[1:])
    return replace(report, subject=SUBJECT, steps=steps)


def _text(said: Mapping[str, Any], name: str) -> str:
    """As text; the original alone keeps its blanks."""
    value = said.get(name)
    if value is None or isinstance(value, (dict, list)):
        return ""
    return str(value) if name == "cadata" else str(value).strip()


def _kind_note(sign_type: str, kind: str) -> str:
    """SignType against what the value is; the value decides (T67)."""
    is_message = "签名消息" in kind
    if (sign_type == _PKCS1 and is_message) or (sign_type == _PKCS7 and not is_message and kind):
        return f"SignType 为 {sign_type}，而签名值是{kind}，按后者验证"
    return ""
