"""Signatures of the RSA and ECDSA world (PKCS#7, CAdES, document time stamps) in PDF files: pyHanko judges them.

Revocation must be known of the signer (`require`): `hard-fail` would accept a certificate that names no address.
Nothing is fetched.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from asn1crypto import x509
from pyhanko.sign.validation import (
    EmbeddedPdfSignature,
    validate_pdf_signature,
    validate_pdf_timestamp,
)
from pyhanko.sign.validation.errors import ValidationInfoReadingError
from pyhanko_certvalidator import ValidationContext

from yingqiao.signing.seals.pdf import fields
from yingqiao.signing.seals.pdf.document import Document, opened
from yingqiao.signing.seals.pdf.errors import PdfError
from yingqiao.signing.seals.pdf.limits import DEFAULT, Limits
from yingqiao.signing.seals.pdf.model import CHANGED, NOT_JUDGED, ForeignVerdict
from yingqiao.signing.verification.report import Indication

_SIGNATURE, _CERTIFICATE, _TIME, _HASH = 1003, 1008, 1009, 1010


def judge_foreign(
    data: bytes,
    index: int,
    *,
    roots: Sequence[bytes],
    crls: Sequence[bytes] = (),
    at: datetime,
    limits: Limits = DEFAULT,
) -> ForeignVerdict:
    """The signature `index` of `reading.read` (kind CMS or TIMESTAMP). `roots` and `crls` are DER. Raises PdfError.

    What pyHanko cannot judge is unknown (1099), never passed.
    """

    def work(document: Document) -> EmbeddedPdfSignature:
        found = fields.collect(document, limits)[index]
        return EmbeddedPdfSignature(document.reader, found.field.node, found.field.name)

    embedded = opened(data, limits, work)
    context = _context(roots, crls, at)
    try:
        if embedded.sig_object_type == "/DocTimeStamp":
            status: Any = validate_pdf_timestamp(embedded, validation_context=context)
        else:
            status = validate_pdf_signature(embedded, signer_validation_context=context)
    except PdfError:
        raise
    except Exception as error:  # noqa: BLE001 whatever pyHanko raises on odd messages, the signature is not judged
        return ForeignVerdict(Indication.UNKNOWN, NOT_JUDGED, f"无法判定这个签名（{_words(error)}）")
    return _verdict(status)


def _context(roots: Sequence[bytes], crls: Sequence[bytes], at: datetime) -> ValidationContext:
    """No list of trust is the empty one, not the operating system's."""
    listed = [x509.Certificate.load(raw) for raw in roots]
    return ValidationContext(
        trust_roots=listed,
        crls=list(crls),
        moment=at,
        allow_fetching=False,
        revocation_mode="require",
        retroactive_revinfo=True,
    )


def _words(error: Exception) -> str:
    if isinstance(error, ValidationInfoReadingError):
        return "长期验证资料读不出"
    text = str(error).lower()
    if "hybrid" in text:
        return "文件使用混合交叉引用表"
    return "签名消息的形式不受支持"


def _verdict(status: Any) -> ForeignVerdict:
    indication, number, words = _decided(status)
    stamp = getattr(status, "timestamp_validity", None) or (status if hasattr(status, "timestamp") else None)
    reported = getattr(status, "signer_reported_dt", None)
    certificate = status.signing_cert
    return ForeignVerdict(
        indication,
        number,
        words,
        _name(certificate),
        certificate.dump(),
        f"{status.pkcs7_signature_mechanism} {status.md_algorithm}",
        stamp.timestamp if stamp is not None else reported,
        stamp is not None,
    )


def _name(certificate: x509.Certificate) -> str:
    """Certificates of the country have names that asn1crypto does not decode."""
    try:
        return str(certificate.subject.native.get("common_name") or certificate.subject.human_friendly)
    except (ValueError, TypeError, KeyError):
        return ""


def _decided(status: Any) -> tuple[Indication, int, str]:
    failed, unknown = Indication.FAILED, Indication.UNKNOWN
    if not status.intact:
        return failed, _HASH, "文件内容与签名时不同"
    if not status.valid:
        return failed, _SIGNATURE, "签名值不正确"
    if not status.docmdp_ok:
        return failed, CHANGED, "签名之后文件被修改"
    if status.revoked:
        return failed, _CERTIFICATE, "签名者证书已吊销"
    if not status.trusted:
        return unknown, _CERTIFICATE, f"签名者证书不能确认（{_trust_words(status.trust_problem_indic)}）"
    for stamp in (
        getattr(status, "timestamp_validity", None),
        getattr(status, "content_timestamp_validity", None),
    ):
        if stamp is not None and not (stamp.valid and stamp.intact and stamp.trusted):
            return unknown, _TIME, "签名的时间戳不能确认"
    if not getattr(status, "seed_value_ok", True):
        return unknown, NOT_JUDGED, "签名不符合签名域的要求"
    return Indication.PASSED, 0, "验证通过"


_TRUST = {
    "NO_CERTIFICATE_CHAIN_FOUND": "不在信任的证书链上",
    "CERTIFICATE_CHAIN_GENERAL_FAILURE": "证书链不完整，或吊销状态不明",
    "OUT_OF_BOUNDS_NO_POE": "证书不在有效期内",
    "EXPIRED": "证书已过期",
    "NOT_YET_VALID": "证书尚未生效",
    "REVOKED_NO_POE": "证书已吊销",
    "TRY_LATER": "吊销状态不明",
    "CHAIN_CONSTRAINTS_FAILURE": "证书用途不符",
    "SIG_CONSTRAINTS_FAILURE": "证书用途不符",
}


def _trust_words(indication: Any) -> str:
    return _TRUST.get(getattr(indication, "name", ""), "证书链或吊销状态不明")
