"""A seal, or a seal signature, judged: rows 1 to 9 of a seal's verification (GB/T 38540-2020, GM/T 0031).

The rows of the PDF around it (0, 10) are added by who read that. Every row that can be looked at is.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from yingqiao.gm import certificates, signatures
from yingqiao.gm.certificates import Certificate
from yingqiao.gm.errors import GmError
from yingqiao.gm.ses import Seal, SealSignature, SesError, parse_seal, parse_signature
from yingqiao.gm.ses.model import HEADER
from yingqiao.signing.seals import rows
from yingqiao.signing.seals.context import MAKERS, REGISTRY_SILENT, RegistrySilentError, SealContext
from yingqiao.signing.seals.holders import certificate_rows, holder_step, maker_step
from yingqiao.signing.seals.rows import row
from yingqiao.signing.seals.states import SealState, Stop
from yingqiao.signing.seals.times import SealTime, time_of
from yingqiao.signing.seals.verdict import Verdict, seal_facts, signature_facts
from yingqiao.signing.trust import SIGNERS
from yingqiao.signing.verification.policy import weigh
from yingqiao.signing.verification.report import Report, Step, beijing, failed, passed, unknown
from yingqiao.signing.verification.values import value_steps

SEAL, SIGNATURE = "电子印章", "电子签章"


def judge_seal(raw: bytes, context: SealContext) -> Verdict:
    """The verdict on a bare seal, as if it were used at the moment of judging. Never raises."""
    try:
        seal = parse_seal(raw)
    except SesError as error:
        return _unreadable(SEAL, error, context)
    maker = _certificate(seal.maker)
    form = row(rows.FORMAT, [_header(seal), passed("format", "", seal.oddities)])
    steps = [form, *_seal_rows(seal, maker, context, context.at, context.at)]
    facts = {"kind": SEAL, "seal": seal_facts(seal, maker)}
    report = Report(SEAL, tuple(steps), context.at, context.at, "at", facts)
    return Verdict(report, seal, None, None, maker)


def judge_signature(raw: bytes, digest: bytes | None, context: SealContext) -> Verdict:
    """The verdict on a seal signature; `digest` is that of the document, None when there is none to compare.

    Never raises.
    """
    try:
        found = parse_signature(raw)
    except SesError as error:
        return _unreadable(SIGNATURE, error, context)
    signer, maker = _certificate(found.certificate), _certificate(found.seal.maker)
    time = time_of(found, signer, context)
    steps = [
        _form(found, signer),
        *_signer_rows(found, signer, context),
        *_seal_rows(found.seal, maker, context, time.moment, time.proof),
        *_signer_certificate(signer, context, time),
        row(rows.TIME, [*time.steps]),
        row(rows.HASH, [_hash(found, digest)]),
    ]
    facts = {
        "kind": SIGNATURE,
        **signature_facts(found, signer),
        "seal": seal_facts(found.seal, maker),
        "tokens": list(time.tokens),
    }
    report = Report(SIGNATURE, tuple(steps), context.at, time.moment, time.by, facts)
    shown = found.time if time.by == "at" else time.moment
    return Verdict(report, found.seal, found, signer, maker, shown)


def unreadable(subject: str, name: str, reason: str, words: str, context: SealContext) -> Verdict:
    """The verdict on what could not be read at all, by the row `name`."""
    step = rows.with_mend(failed(name, reason, words))
    return Verdict(Report(subject, (step,), context.at, context.at, "at", {"kind": subject}))


def _unreadable(subject: str, error: SesError, context: SealContext) -> Verdict:
    return unreadable(subject, rows.FORMAT, "unreadable", f"{subject}无法解析：{error.reason}", context)


def _certificate(raw: bytes) -> Certificate | None:
    try:
        return certificates.parse(raw)
    except GmError:
        return None


def _form(found: SealSignature, signer: Certificate | None) -> Step:
    """Row 1: the versions agree, the header says ES, the signer's certificate is one."""
    steps = [_header(found.seal), passed("format", "", (*found.oddities, *found.seal.oddities))]
    claimed = found.seal.info.header_version
    if found.version is not found.seal.version or found.tbs_version != claimed:
        words = f"签章的版本 {found.tbs_version} 与印章的版本 {claimed} 不一致"
        steps.append(failed("format", "versions-differ", words))
    if signer is None:
        steps.append(failed("format", "certificate-unreadable", "签章者证书无法解析"))
    return row(rows.FORMAT, steps)


def _header(seal: Seal) -> Step:
    info = seal.info
    if info.header_id != HEADER:
        return failed("format", "header-id", f"印章头标识应为 ES，实为 {info.header_id[:20]!r}")
    if info.header_version != seal.version:
        words = f"印章声称版本 {info.header_version}，结构却是版本 {int(seal.version)} 的"
        return failed("format", "versions-differ", words)
    return passed("format", seal.version.standard)


def _signer_rows(found: SealSignature, signer: Certificate | None, context: SealContext) -> list[Step]:
    """Rows 2 and 3."""
    if signer is None:
        return []
    value = _value(signer, found.algorithm, found.signed, found.signature, context)
    return [
        row(rows.SIGNATURE, value),
        row(rows.HOLDER, [holder_step(signer, found.seal.info, context.policy)]),
    ]


def _value(by: Certificate, algorithm: str, message: bytes, value: bytes, context: SealContext) -> list[Step]:
    found = signatures.examine(by.key, algorithm, message, value, accepted=context.policy.pre_images)
    if found.valid:
        return value_steps(found, context.policy)
    if found.pre_image is not None:
        return [failed("signature", "pre-image", f"签名方式不合规定：{found.pre_image.words}")]
    why = f"（{'；'.join(found.oddities)}）" if found.oddities else ""
    return [failed("signature", "signature-mismatch", f"签名值与所签数据、证书不符{why}")]


def _seal_rows(
    seal: Seal, maker: Certificate | None, context: SealContext, moment: datetime, proof: datetime
) -> list[Step]:
    """Rows 4, 5 and 6: the maker's signature, the maker when he made it, the seal when it was used."""
    validity = row(rows.VALIDITY, _seal_validity(seal, context, moment, proven=moment == proof))
    if maker is None:
        step = failed("certificate", "certificate-unreadable", "印章中的制章者证书无法解析")
        return [row(rows.MAKER_SIGNATURE, [step]), validity]
    value = _value(maker, seal.algorithm, seal.signed, seal.signature, context)
    created = min(seal.info.created, context.at)
    steps, way = certificate_rows(maker, context, MAKERS, created, max(created, min(proof, context.at)))
    steps.append(maker_step(maker, way, context))
    return [row(rows.MAKER_SIGNATURE, value), row(rows.MAKER, steps), validity]


def _seal_validity(seal: Seal, context: SealContext, moment: datetime, *, proven: bool) -> list[Step]:
    info, policy = seal.info, context.policy
    span = f"{beijing(info.valid_from)} 至 {beijing(info.valid_to)}"
    if info.valid_from <= moment <= info.valid_to:
        steps = [passed("validity", f"有效期 {span}")]
    else:
        words = f"印章的有效期为 {span}，{beijing(moment)} 不在其内"
        steps = [weigh(policy.seal_expired, "validity", "seal-expired", words)]
    if info.created > moment:
        words = f"印章的制作日期 {beijing(info.created)} 晚于使用它的 {beijing(moment)}"
        steps.append(weigh(policy.seal_created_later, "validity", "created-later", words))
    return [*steps, *_standing(seal, context, moment, proven=proven)]


def _standing(seal: Seal, context: SealContext, moment: datetime, *, proven: bool) -> list[Step]:
    """What our registry says: whether the seal was stopped then, and, where only the signer states the moment, whether
    it was since.
    """
    try:
        stops = [one for one in context.stops(seal) if one.since <= context.at]
    except RegistrySilentError:
        words = "本平台的印章登记暂时查不到，无法确认盖章时印章是否停用"
        return [unknown("validity", REGISTRY_SILENT, words)]
    stopped = _stopped(stops, moment)
    if stopped is not None:
        words = f"本平台登记：印章自 {beijing(stopped.since)} 起{stopped.state.words}"
        return [weigh(context.policy.seal_standing, "validity", "seal-standing", words)]
    return [_stopped_later(one, context, proven=proven) for one in stops if one.since > moment]


def _stopped(stops: Sequence[Stop], moment: datetime) -> Stop | None:
    """The stop that holds all through `moment`: a time told in seconds is somewhere in that second."""
    last = moment.replace(microsecond=999_999) if moment.microsecond == 0 else moment
    if not any(one.covers(last) for one in stops):
        return None
    return next((one for one in stops if one.covers(moment)), None)


def _stopped_later(stop: Stop, context: SealContext, *, proven: bool) -> Step:
    """What was sealed before stays good where the time is proven. A stated time is believed across a suspension that was
    lifted, which nobody but the holder ordered; not across a loss, when others may have sealed.
    """
    lifted = stop.until is not None and stop.until <= context.at
    words = f"印章自 {beijing(stop.since)} 起{stop.state.words}"
    if lifted and stop.until is not None:
        words += f"，至 {beijing(stop.until)}"
    if proven or (lifted and stop.state is SealState.SUSPENDED):
        return passed("validity", "", [f"签章之后印章状态变更：{words}"])
    told = f"本平台登记：{words}，没有可信时间戳证明签章在此之前"
    return weigh(context.policy.unproven_revoked, "validity", "revoked-no-proof", told)


def _signer_certificate(signer: Certificate | None, context: SealContext, time: SealTime) -> list[Step]:
    """Row 7."""
    if signer is None:
        return []
    steps, _ = certificate_rows(signer, context, SIGNERS, time.moment, time.proof)
    return [row(rows.SIGNER, steps)]


def _hash(found: SealSignature, digest: bytes | None) -> Step:
    """Row 9."""
    if digest is None:
        return unknown("content", "no-content", "没有给出所盖的文件，签章中的文档杂凑值无从核对")
    if digest != found.data_hash:
        return failed("content", "hash-mismatch", "文件的杂凑值与签章中的不同")
    return passed("content", found.data_hash.hex())
