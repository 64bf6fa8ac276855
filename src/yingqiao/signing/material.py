"""The material a hospital or its CA hands over when it joins (接入申请材料清单, 四(二)4): a checklist that checks itself.

Three situations, each with its items; the three sets of test data (原文, 证书, 签名值, 时间戳, 盖章 PDF) are verified
against the chain and the list that came with them. Names and bytes in, checks out; PDFs are left to a `PdfReader`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from yingqiao.gm.errors import GmError
from yingqiao.signing.seals.context import SealContext
from yingqiao.signing.seals.documents import PdfReader, is_pdf, judge_pdf, unread
from yingqiao.signing.seals.found import TIMESTAMP, worst
from yingqiao.signing.trust import Bundle, Entry, Role, Trust, read_bundle
from yingqiao.signing.verification.asked import Asked, verify_signed
from yingqiao.signing.verification.policy import Policy, Weight
from yingqiao.signing.verification.report import Indication

SETS = 3


class Situation(StrEnum):
    """What the hospital has."""

    SIGNATURE_AND_SEAL = "signature-and-seal"
    SIGNATURE = "signature"
    NEITHER = "neither"

    @property
    def words(self) -> str:
        return {
            "signature-and-seal": "有电子签名和电子签章",
            "signature": "有电子签名，无电子签章",
            "neither": "均无",
        }[self]


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the checklist; `indication` unknown = a person has to look."""

    item: str
    indication: Indication
    words: str

    @property
    def ok(self) -> bool:
        return self.indication is Indication.PASSED


_SIGN_FORM = ("附件2 电子签名接入申请表", ("附件2", "电子签名接入", "annex2"))
_DOCTORS = ("附件3、4 审核医师证书业务申请明细表和签名采样表", ("附件3", "附件4", "采样", "annex3", "annex4"))
_SEAL_FORM = ("附件5 电子签章接入（申请）表", ("附件5", "签章", "annex5"))
_SEAL_SAMPLE = ("附件6 单位电子签章采样表", ("附件6", "annex6"))
_LICENCES = (
    ("《电子认证服务许可证》", ("电子认证服务许可证", "licence1", "license1")),
    ("《电子认证服务使用密码许可证》", ("使用密码许可证", "licence2", "license2")),
)
_PAPERS: Mapping[Situation, Sequence[tuple[str, tuple[str, ...]]]] = {
    Situation.SIGNATURE_AND_SEAL: (_SIGN_FORM, _SEAL_FORM, *_LICENCES),
    Situation.SIGNATURE: (_SIGN_FORM, *_LICENCES, _SEAL_FORM, _SEAL_SAMPLE),
    Situation.NEITHER: (_SIGN_FORM, _DOCTORS, _SEAL_FORM, _SEAL_SAMPLE),
}
_CHAIN = ("证书链", "chain")
_LIST = ("吊销", "crl")
_MAKERS = ("制章", "maker")
_LENIENT = Policy(revocation_missing=Weight.WARN)
"""The list may be an address only."""
_PARTS = {
    "content": ("原文", "content", "data"),
    "certificate": ("证书", "cert"),
    "signature": ("签名", "sign"),
    "token": ("时间戳", "timestamp", "token", "tst"),
    "report": ("报告", "report", "sealed"),
}
_PART_NAMES = {
    "content": "签名原文",
    "certificate": "签名者证书",
    "signature": "签名值",
    "token": "时间戳",
    "report": "盖章的影像报告 PDF",
}
_SET = re.compile(r"(?:^|[^0-9])([1-3])(?:[^0-9]|$)")


def check_material(
    files: Mapping[str, bytes], situation: Situation, at: datetime, reader: PdfReader
) -> list[Check]:
    """The checklist of `situation` over files by their path in the folder (with '/'). Never raises."""
    checks = [_paper(files, item, words) for item, words in _PAPERS[situation]]
    if situation is Situation.NEITHER:
        return checks
    bundle, chain = _chain(files)
    checks.append(chain)
    lists, listed = _list(files)
    checks.append(listed)
    makers = _makers(files)
    trust = Trust(
        (
            *(Entry(one, role) for one in bundle.certificates for role in (Role.CA, Role.TSA)),
            *(Entry(one, Role.SEAL_MAKER) for one in makers.certificates),
        ),
        (*bundle.lists, *lists.lists, *makers.lists),
    )
    sealed = situation is Situation.SIGNATURE_AND_SEAL
    for number in range(1, SETS + 1):
        found = _files_of_set(files, number)
        checks += _set(found, number, situation, trust, at)
        if sealed and "report" in found:
            checks.append(_sealed(found["report"], number, SealContext(trust, at, _LENIENT), reader))
    return checks


def _paper(files: Mapping[str, bytes], item: str, words: Sequence[str]) -> Check:
    found = [path for path in files if any(word in path.lower() for word in words)]
    if found:
        return Check(item, Indication.PASSED, f"有（{found[0]}），内容请人工核对")
    return Check(item, Indication.FAILED, "缺少")


def _named(files: Mapping[str, bytes], words: Sequence[str]) -> list[str]:
    """Paths at the top whose file name says so."""
    top = [path for path in sorted(files) if "/" not in path]
    return [path for path in top if any(word in path.lower() for word in words)]


def _chain(files: Mapping[str, bytes]) -> tuple[Bundle, Check]:
    item, found = "CA 证书链", _named(files, _CHAIN)
    if not found:
        return Bundle(()), Check(item, Indication.FAILED, "缺少（文件名应含“证书链”或 chain）")
    try:
        bundle = read_bundle(files[found[0]])
    except GmError as error:
        return Bundle(()), Check(item, Indication.FAILED, f"{found[0]} 无法读取：{error.reason}")
    roots = [one for one in bundle.certificates if one.self_issued]
    names = " → ".join(one.subject.common_name or str(one.subject) for one in bundle.certificates)
    if not roots:
        return bundle, Check(item, Indication.UNKNOWN, f"没有根证书（自签名的证书）：{names}")
    others = [one for one in bundle.certificates if not one.is_ca]
    if others:
        return bundle, Check(item, Indication.FAILED, f"{others[0].subject.common_name} 不是 CA 证书")
    return bundle, Check(item, Indication.PASSED, names)


def _makers(files: Mapping[str, bytes]) -> Bundle:
    """Certificates of seal makers, which the list of material does not ask for; where they are, they are used."""
    for path in _named(files, _MAKERS):
        try:
            return read_bundle(files[path])
        except GmError:
            continue
    return Bundle(())


def _list(files: Mapping[str, bytes]) -> tuple[Bundle, Check]:
    """A list itself, or a text with its address."""
    item, found = "吊销列表发布地址", _named(files, _LIST)
    if not found:
        return Bundle(()), Check(item, Indication.FAILED, "缺少（文件名应含“吊销”或 crl）")
    raw = files[found[0]]
    address = re.search(rb"(?:https?|ldaps?)://[^\s\"'<>]{3,500}", raw)
    try:
        bundle = read_bundle(raw)
    except GmError:
        if address is None:
            return Bundle(()), Check(item, Indication.FAILED, f"{found[0]} 中没有地址，也不是吊销列表")
        if address[0].lower().startswith(b"ldap"):
            words = f"{address[0].decode('ascii', 'replace')}：不取 ldap 地址，请改为提供 http 地址"
            return Bundle(()), Check(item, Indication.FAILED, words)
        words = f"{address[0].decode('ascii', 'replace')}；请用 trust add --crl 登记后自动更新"
        return Bundle(()), Check(item, Indication.PASSED, words)
    if not bundle.lists:
        return bundle, Check(item, Indication.FAILED, f"{found[0]} 不是吊销列表")
    return bundle, Check(item, Indication.PASSED, "给出的是吊销列表本身；发布地址请另行确认")


def _files_of_set(files: Mapping[str, bytes], number: int) -> dict[str, bytes]:
    """Part -> bytes of the files in a folder, or with a name, that carries the number."""
    found: dict[str, bytes] = {}
    for path in sorted(files):
        numbers = _SET.findall(path)
        if not numbers or numbers[0] != str(number) or "附件" in path or "annex" in path.lower():
            continue
        name = path.rsplit("/", 1)[-1].lower()
        for part, words in _PARTS.items():
            if part not in found and any(word in name for word in words):
                found[part] = files[path]
                break
    return found


def _set(
    found: Mapping[str, bytes], number: int, situation: Situation, trust: Trust, at: datetime
) -> list[Check]:
    title = f"测试数据第 {number} 组"
    wanted = [part for part in _PARTS if part != "report" or situation is Situation.SIGNATURE_AND_SEAL]
    missing = [_PART_NAMES[part] for part in wanted if part not in found]
    if missing:
        return [Check(title, Indication.FAILED, f"缺少：{'、'.join(missing)}")]
    asked = Asked(trust, at, _LENIENT)
    report = verify_signed(
        asked,
        signature=found["signature"],
        content=found["content"],
        certificate=found["certificate"],
        tokens=[found["token"]],
    )
    return [Check(f"{title}：签名与时间戳", report.indication, report.words)]


def _sealed(pdf: bytes, number: int, context: SealContext, reader: PdfReader) -> Check:
    """The seals of a test report. A maker nobody named is a person's to look at (unknown)."""
    item = f"测试数据第 {number} 组：盖章的 PDF"
    if not is_pdf(pdf):
        return Check(item, Indication.FAILED, "不是 PDF 文件")
    try:
        found = judge_pdf(pdf, context, reader)
    except GmError as error:
        found = [unread(error, context, pdf)]
    decides = worst([one for one in found if one.kind != TIMESTAMP])
    if decides is None:
        return Check(item, Indication.FAILED, "PDF 中没有电子签章")
    verdict, maker = decides.verdict, decides.verdict.maker
    code = f"代码 {verdict.code}：" if verdict.code else ""
    who = f"（制章者 {maker.subject.common_name or maker.subject}）" if maker else ""
    return Check(item, decides.report.indication, f"{code}{decides.report.words}{who}")
