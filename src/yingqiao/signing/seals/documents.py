"""A file judged: the seals of a PDF, a bare seal (.esl), or a bare seal signature. Rows 0, 10 and 1099 join here.

Reading a PDF is left to a `PdfFile`, since whoever takes files from outside does that in a bounded process.
"""

from __future__ import annotations

from typing import Protocol

from yingqiao.gm import armor, der, sm3
from yingqiao.gm.errors import GmError
from yingqiao.signing.seals import found, rows
from yingqiao.signing.seals.context import SealContext
from yingqiao.signing.seals.folded import judge_message, judge_stamp
from yingqiao.signing.seals.found import Found
from yingqiao.signing.seals.judge import SIGNATURE, judge_seal, judge_signature, unreadable
from yingqiao.signing.seals.pdf.model import Kind, PdfSignature, SealedPdf
from yingqiao.signing.seals.rows import row
from yingqiao.signing.seals.verdict import Verdict
from yingqiao.signing.verification.policy import Weight, weigh
from yingqiao.signing.verification.report import Report, Step, failed, passed, unknown

PDF, SUBJECT = b"%PDF-", "PDF 文件"
NO_PDF = "文件不是 PDF（开头没有 %PDF-）"
_HEAD = 1024
_BYTE_RANGE = b"/ByteRange"
"""Every signature has one, and never in a compressed stream: its digits are outside of what it covers."""
_UNSEALED = "其中没有找到电子签章"
_DOUBT = "其中像是有签章，但已无从验证"
_SEAL_FILTERS = frozenset({"GM.sm2seal"})
_KINDS = {Kind.SES: found.SEAL_SIGNATURE, Kind.TIMESTAMP: found.TIMESTAMP}


class PdfFile(Protocol):
    """A PDF and who reads it. All raise GmError when it cannot be read or costs too much."""

    def read(self) -> SealedPdf: ...

    def foreign(self, one: PdfSignature, context: SealContext) -> Verdict:
        """The verdict on a signature of RSA or ECDSA; its rows alone, without those of the file."""
        ...

    def signed(self, one: PdfSignature) -> bytes:
        """What its ByteRange covers: of a signature whose envelope is in order."""
        ...


class PdfReader(Protocol):
    """Who reads PDF files."""

    def open(self, data: bytes) -> PdfFile: ...


def is_pdf(raw: bytes) -> bool:
    """Whether it begins as a PDF does, within the bytes readers tolerate before."""
    return PDF in raw[:_HEAD]


def judge_file(
    raw: bytes, context: SealContext, reader: PdfReader, content: bytes | None = None
) -> list[Found]:
    """Every seal in a file; none of a PDF without. `content` is what a bare seal signature is over.

    Raises GmError for a PDF that cannot be read; whatever else the bytes are is a verdict.
    """
    return judge_pdf(raw, context, reader) if is_pdf(raw) else [judge_bare(raw, context, content)]


def unread(error: GmError, context: SealContext, raw: bytes) -> Found:
    """The verdict on a PDF that could not be read: damaged (row 0), or not looked into. It may never have had a seal."""
    if error.code == "pdf-damaged":
        words = f"{error.reason}；{_DOUBT if _BYTE_RANGE in raw else _UNSEALED}"
        return Found(unreadable(SUBJECT, rows.ENVELOPE, error.code, words, context), kind=found.FILE)
    step = row(rows.OTHER, [unknown("format", error.code, error.reason)])
    report = Report(SUBJECT, (step,), context.at, context.at, "at", {"kind": SUBJECT})
    return Found(Verdict(report), kind=found.FILE)


def judge_bare(raw: bytes, context: SealContext, content: bytes | None = None) -> Found:
    """A seal or a seal signature by itself, in DER, PEM, base64 or hex. Never raises."""
    try:
        bare = armor.unwrap_one(raw)
    except GmError as error:
        words = f"既不是 PDF，也不是印章或签章数据：{error.reason}"
        return Found(
            unreadable(SIGNATURE, rows.FORMAT, "unreadable", words, context), kind=found.SEAL_SIGNATURE
        )
    if _is_seal(bare):
        return Found(judge_seal(bare, context), kind=found.SEAL)
    digest = None if content is None else sm3.digest(content)
    return Found(judge_signature(bare, digest, context), kind=found.SEAL_SIGNATURE)


def _is_seal(raw: bytes) -> bool:
    """A seal begins with its information, whose header is a SEQUENCE; a signature with a version."""
    try:
        first = next(der.parse(raw).walk(), None)
        inside = None if first is None else next(first.walk(), None)
    except der.DerError:
        return False
    return inside is not None and inside.tag == der.SEQUENCE


def judge_pdf(raw: bytes, context: SealContext, reader: PdfReader) -> list[Found]:
    """Every signature of a PDF, in the order of signing. Raises GmError."""
    file = reader.open(raw)
    return judge_read(file, file.read(), context)


def judge_read(file: PdfFile, sealed: SealedPdf, context: SealContext) -> list[Found]:
    """The same of a file that was read already."""
    return [_judged(file, one, context) for one in sealed.signatures]


def signed_bytes(raw: bytes, one: PdfSignature) -> bytes:
    """What the ByteRange of `one` covers in its file."""
    _, first, second, length = one.byte_range
    return raw[:first] + raw[second : second + length]


def _judged(file: PdfFile, one: PdfSignature, context: SealContext) -> Found:
    verdict = _content(file, one, context).within(
        [_envelope(one)],
        [_changes(one, context)],
        {"field": one.field, "page": one.page_index or 0, "subFilter": one.sub_filter},
    )
    kind = _KINDS.get(one.kind, found.MESSAGE)
    return Found(verdict, one.index, one.page_index, one.field, kind, one.sub_filter)


def _content(file: PdfFile, one: PdfSignature, context: SealContext) -> Verdict:
    """What is in /Contents: by its own shape, the SubFilter being a hint where it has none."""
    digest = one.digests.get("sm3")
    if one.kind is Kind.SES or (one.kind is Kind.UNKNOWN and one.sub_filter in _SEAL_FILTERS):
        return judge_signature(one.contents, digest, context)
    if one.kind is Kind.UNKNOWN:
        words = f"无法识别的签名内容（SubFilter {one.sub_filter or '未写'}）"
        return _alone(unknown("format", "unknown-sub-filter", words), context)
    if digest is None:
        return _alone(unknown("format", "envelope", "签名域有误，其中的签名没有再验"), context)
    if one.kind is Kind.CMS:
        return file.foreign(one, context)
    if one.kind is Kind.TIMESTAMP:
        return judge_stamp(one.contents, file.signed(one), context)
    return judge_message(one.contents, file.signed(one), digest, context)


def _alone(step: Step, context: SealContext) -> Verdict:
    report = Report("签名", (row(rows.OTHER, [step]),), context.at, context.at, "at", {"kind": "签名"})
    return Verdict(report)


def _envelope(one: PdfSignature) -> Step:
    """Row 0."""
    problem = one.envelope_problem
    if problem is not None:
        return row(rows.ENVELOPE, [failed("format", problem.code, problem.reason, one.warnings)])
    return row(rows.ENVELOPE, [passed("format", f"{one.field} {one.sub_filter}".strip(), one.warnings)])


def _changes(one: PdfSignature, context: SealContext) -> Step:
    """Row 10; what later revisions did is told whether it matters or not."""
    policy, steps = context.policy, list[Step]()
    problem = one.changed_after
    if problem is not None:
        steps.append(weigh(policy.seal_changed, "content", problem.code, problem.reason, one.changes))
    else:
        steps.append(passed("content", "" if one.changes else "盖章后没有改动", one.changes))
    firm = policy.seal_picture in (Weight.FAIL, Weight.UNKNOWN)
    if firm and one.appearance is not None and one.appearance.same is False:
        words = "页面上显示的图样与印章图片不同"
        steps.append(weigh(policy.seal_picture, "format", "picture-differs", words))
    return row(rows.CHANGES, steps)
