"""The opened content of a request, judged: one record or the pair of a merged upload, all
findings together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from msgspec import Struct, field, structs

from yingqiao.exchange import documents
from yingqiao.exchange.errors import Refusal
from yingqiao.exchange.findings import Collector
from yingqiao.exchange.images_list import Reach, images_of, nothing_registered
from yingqiao.exchange.model import Document, ExamRow, Finding, ImageList, ReportRow, Validated
from yingqiao.exchange.names import Names
from yingqiao.exchange.profile import Profile
from yingqiao.exchange.record import exam_row, report_row
from yingqiao.exchange.validate import Validator, compile_validator
from yingqiao.exchange.values import shorten, text_of
from yingqiao.spec import Edition, Field

Load = Callable[[str], bytes | None]
_KEYS = {"exam": "risStudyId", "report": "recordNum", "images_list": "SERIESIUID"}


class Part(Struct, frozen=True):
    """One record of a request."""

    table: str
    validated: Validated
    documents: tuple[Document, ...]
    taken: Mapping[str, str]
    """Document text as sent -> reference that replaces it in the kept body."""
    pdf: str = ""
    """Digest of its PDF."""

    @property
    def key(self) -> str:
        return _KEYS.get(self.table, "")

    @property
    def identity(self) -> str:
        return str(self.validated.values.get(self.key, ""))


class Judged(Struct, frozen=True):
    parts: tuple[Part, ...]
    findings: tuple[Finding, ...]
    exam: ExamRow | None = None
    report: ReportRow | None = None
    images: ImageList | None = None
    documents: tuple[Document, ...] = ()
    taken: dict[str, str] = field(default_factory=dict)


def judge(
    edition: Edition,
    profile: Profile,
    hospital_code: str,
    table: str,
    value: Any,
    load: Load | None = None,
    reach: Reach = nothing_registered,
) -> Judged:
    """`value` (opened JSON) of `table` from the hospital. `load` is given on replay only,
    to find taken documents; `reach` says which addresses (of an images list, a report's PDF) will be fetched.

    Raises Refusal: not-object, single-record.
    """
    extra = Collector(table, profile)
    record = _one_record(value, extra)
    judge_part = _Judge(edition, profile, hospital_code, load, reach)
    if table == "merged_upload":
        parts, findings = _merged(judge_part, edition, record, extra)
    else:
        part = judge_part(table, record)
        parts, findings = (part,), part.validated.findings
    rows = {part.table: part for part in parts}
    exam, report = rows.get("exam"), rows.get("report")
    images = None
    if "images_list" in rows:
        values = rows["images_list"].validated.values
        images = images_of(hospital_code, values, reach, edition.tables[table], extra)
    return Judged(
        parts=parts,
        findings=(*extra.all(), *findings),
        images=images,
        exam=exam_row(hospital_code, exam.validated.values) if exam else None,
        report=report_row(hospital_code, report.validated.values, report.pdf) if report else None,
        documents=tuple(document for part in parts for document in part.documents),
        taken={text: reference for part in parts for text, reference in part.taken.items()},
    )


def _one_record(value: Any, found: Collector) -> dict[str, Any]:
    """One object; an array of exactly one is tolerated (T18)."""
    if isinstance(value, list):
        if len(value) != 1:
            raise Refusal("single-record", count=len(value))
        found.add(None, "single", "记录放在了数组里", "请直接发送一个 JSON 对象", ("T18",))
        value = value[0]
    if not isinstance(value, dict):
        raise Refusal("not-object")
    return value


def _merged(
    judge_part: _Judge, edition: Edition, record: dict[str, Any], extra: Collector
) -> tuple[tuple[Part, ...], tuple[Finding, ...]]:
    """Both parts judged together, their findings dotted (T26); without a report the exam stands alone."""
    table = edition.tables["merged_upload"]
    members, _, _ = Names(table).settle(record)
    parts: list[Part] = []
    findings: list[Finding] = []
    for member in table.fields:
        content = members.get(member.name)
        if content is None or content in ("", {}):
            _absent_part(member, extra)
        elif not isinstance(content, dict):
            extra.add(member, "key", f"应为对象，收到了{shorten(content)}", "请发送 JSON 对象", ("T26",))
        else:
            part = judge_part(member.items, content)
            parts.append(part)
            findings += _dotted(member.name, part.validated.findings)
    if len(parts) == len(table.fields):
        _check_pair(parts[0], parts[1], table.fields[1], extra)
    return tuple(parts), tuple(findings)


def _absent_part(member: Field, extra: Collector) -> None:
    if member.items == "exam":
        extra.missing(member, "key", "合并上传必须包含检查数据", ("T26",))
    else:
        extra.missing(member, "suggested", "合并上传应包含报告；检查没有报告时可以为空", ("T26",))


def _check_pair(exam: Part, report: Part, member: Field, extra: Collector) -> None:
    named = str(report.validated.values.get("risStudyId", "")).split(",")
    if exam.identity and exam.identity not in named:
        problem = f"报告的 risStudyId 不包含本次检查的 {shorten(exam.identity)}"
        extra.add(member, "conflict", problem, "请核对 patient.risStudyId 与 report.risStudyId", ("T26",))


def _dotted(prefix: str, findings: tuple[Finding, ...]) -> list[Finding]:
    return [replace(finding, field=f"{prefix}.{finding.field}".rstrip(".")) for finding in findings]


class _Judge:
    """Judges records of one hospital."""

    def __init__(
        self, edition: Edition, profile: Profile, hospital_code: str, load: Load | None, reach: Reach
    ) -> None:
        self._edition = edition
        self._profile = profile
        self._code = hospital_code
        self._load = load
        self._reach = reach

    def __call__(self, table: str, record: dict[str, Any]) -> Part:
        validator = compile_validator(self._edition, table, self._profile)
        members, unknown, renamed = validator.names.settle(record)
        found = Collector(table, self._profile)
        self._check_hospital(validator, members, found)
        papers, taken, members = self._documents(validator, members, found)
        validated = validator.run(members, unknown, renamed)
        if not papers and not taken:
            self._check_address(validator, validated.values, found)
        if found.found:
            validated = structs.replace(validated, findings=(*found.found, *validated.findings))
        pdf = next(iter(taken.values()), "").removeprefix(documents.REFERENCE)
        return Part(table, validated, papers, taken, pdf)

    def _check_hospital(self, validator: Validator, members: dict[str, Any], found: Collector) -> None:
        """The envelope's hospitalCode is the tenant; another one inside needs the hospital group (T17)."""
        inner = text_of(members.get("hospitalCode"))
        if inner and inner.upper() != self._code.upper() and inner not in self._profile.group:
            problem = self._edition.messages["hospital-mismatch"].format(
                inner=shorten(inner), outer=self._code
            )
            field = validator.table.field("hospitalCode")
            found.add(
                field, "hospital", problem, "请核对 hospitalCode；医院集团请联系平台登记成员代码", ("T17",)
            )

    def _check_address(self, validator: Validator, values: Mapping[str, Any], found: Collector) -> None:
        """A PDF that is to be brought from `pdf_path` and cannot be (T24, T94)."""
        text = text_of(values.get("pdf_path"))
        if not text or values.get("disableFlag") == 1 or not (refused := self._reach(text)):
            return
        mend = "请联系平台登记该主机，登记后会自动取回；或在 reportPdfBase64 中内嵌 PDF"
        problem = f"PDF 不能从 {shorten(text, 200)} 取回：{refused}"
        found.add(validator.table.field("pdf_path"), "url-host", problem, mend, ("T24", "T94"))

    def _documents(
        self, validator: Validator, members: dict[str, Any], found: Collector
    ) -> tuple[tuple[Document, ...], dict[str, str], dict[str, Any]]:
        papers: list[Document] = []
        taken: dict[str, str] = {}
        for member in validator.documents:
            text = members.get(member.name)
            if not isinstance(text, str) or not text.strip():
                continue
            try:
                reference = self._reference(text, member, papers)
            except documents.NotPdfError as error:
                mend = "请发送完整的 PDF 文件的 Base64 编码"
                found.add(member, "pdf", f"不是有效的 PDF 文件：{error}", mend, ("T74",))
            else:
                taken[text] = reference
                members = {**members, member.name: reference}
        return tuple(papers), taken, members

    def _reference(self, text: str, member: Field, papers: list[Document]) -> str:
        """Only a replay may name a document that was taken out before: nobody reaches
        another record's PDF.
        """
        if self._load is not None and text.startswith(documents.REFERENCE):
            if self._load(text.removeprefix(documents.REFERENCE)) is None:
                raise documents.NotPdfError("此前取出的文件已不在对象库中")
            return text
        paper = documents.document(member.name, documents.decode_pdf(text.strip()))
        papers.append(paper)
        return documents.REFERENCE + paper.digest
