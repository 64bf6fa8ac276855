"""The rows of a seal's verification, each with the code that SEF answers and what people do about it (四(二)4).

Order and codes: GM/T 0031-2014 6.1.2 and 6.2.3 joined with GB/T 38540-2020. Every row that can be looked at is; the
first that failed decides, else the first that is unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from yingqiao.signing.seals.context import REGISTRY_SILENT
from yingqiao.signing.verification.report import OK, STEP_NAMES, Indication, Step

ENVELOPE, FORMAT, SIGNATURE, HOLDER = "envelope", "seal-format", "seal-signature", "seal-holder"
MAKER_SIGNATURE, MAKER, VALIDITY, SIGNER = (
    "maker-signature",
    "maker-certificate",
    "seal-validity",
    "signer-certificate",
)
TIME, HASH, CHANGES, OTHER = "seal-time", "document-hash", "later-changes", "sub-filter"


@dataclass(frozen=True, slots=True)
class Row:
    """`code` is `verifyResult` when it decides; `mend` is Chinese: what to do."""

    code: int
    mend: str


ROWS: Mapping[str, Row] = {
    ENVELOPE: Row(1001, "文件在盖章后被改动或盖章软件有误，请向出具单位重新索取原文件"),
    FORMAT: Row(1002, "签章数据不合标准，请盖章软件的厂商改正后重新盖章"),
    SIGNATURE: Row(1003, "签章数据被改动，或不是该证书所签，请重新盖章"),
    HOLDER: Row(1004, "请用印章绑定的证书盖章；证书更新后须重新制章"),
    MAKER_SIGNATURE: Row(1005, "印章被改动或系伪造，请向制章单位核实并重新制章"),
    MAKER: Row(1006, "请向制章单位核实其证书，必要时重新制章"),
    VALIDITY: Row(1007, "请续期或重新制章后重新盖章"),
    SIGNER: Row(1008, "请用有效的证书重新盖章"),
    TIME: Row(1009, "请校正盖章电脑的时钟、加盖可信时间戳后重新盖章"),
    HASH: Row(1010, "文件在盖章后被改动，请向出具单位重新索取原文件"),
    CHANGES: Row(1011, "请以盖章时的版本为准，或请出具单位对改动后的文件重新盖章"),
    OTHER: Row(1099, "请改用受支持的电子签章"),
}
PASSED_CODE = 0
_LISTS = "请管理员更新该颁发者的吊销列表（yingqiao trust add --crl）后再验"
_NO_CONTENT = "请连同所盖的文件一起验证"
_MENDS: Mapping[tuple[str, str], str] = {
    (ENVELOPE, "pdf-damaged"): "请向出具单位重新索取完好的文件",
    (MAKER, "no-trusted-chain"): "请管理员核实制章单位后登记其根证书（yingqiao trust add --role seal-maker）",
    (MAKER, "maker-not-named"): "请管理员核实后信任制章者证书本身（yingqiao trust add --role seal-maker）",
    (SIGNER, "no-trusted-chain"): "请管理员核实后登记该 CA 的证书链（yingqiao trust add）",
    **{
        (row, reason): _LISTS for row in (MAKER, SIGNER) for reason in ("no-crl", "crl-stale", "crl-unusable")
    },
    (SIGNER, "revoked-no-proof"): "没有可信时间戳时无法证明盖章在吊销之前，请重新盖章并加盖时间戳",
    (MAKER, "revoked-no-proof"): "没有可信时间戳时无法证明制章在吊销之前，请重新制章",
    (TIME, "no-trusted-chain"): "请管理员核实后登记时间戳机构的证书（yingqiao trust add --role tsa）",
    (VALIDITY, REGISTRY_SILENT): "请稍后再验",
    (VALIDITY, "revoked-no-proof"): "没有可信时间戳时无法证明盖章在此之前，请重新盖章并加盖时间戳",
    (HASH, "no-content"): _NO_CONTENT,
}
"""Where a row's own advice would mislead."""


def code_of(step: Step) -> int:
    """The code of the step that decides; 0 for the one that says all passed."""
    row = ROWS.get(step.name)
    return PASSED_CODE if row is None else row.code


def row(name: str, steps: Sequence[Step]) -> Step:
    """The row `name` out of what was looked at for it: the worst decides, everything is told."""
    worst = next(
        (
            one
            for wanted in (Indication.FAILED, Indication.UNKNOWN)
            for one in steps
            if one.indication is wanted
        ),
        None,
    )
    notes = [text for one in steps for text in _told(one, worst)]
    if worst is None and len(steps) == 1:
        return Step(name, Indication.PASSED, OK, steps[0].words, steps[0].notes)
    if worst is None:
        return Step(name, Indication.PASSED, OK, "", tuple(notes))
    return with_mend(replace(worst, name=name, notes=tuple(notes)))


def with_mend(step: Step) -> Step:
    """A row that did not pass, with what to do about it."""
    if step.indication is Indication.PASSED:
        return step
    mend = _MENDS.get((step.name, step.reason)) or ROWS[step.name].mend
    return replace(step, words=f"{step.words}。{mend}")


def _told(one: Step, worst: Step | None) -> Iterable[str]:
    name = STEP_NAMES.get(one.name, one.name)
    if one is not worst and one.words and one.name not in ROWS:
        mark = "" if one.indication is Indication.PASSED else f"（{one.indication.words}）"
        yield f"{name}{mark}：{one.words}"
    yield from one.notes
