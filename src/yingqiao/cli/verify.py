"""`yingqiao verify`: signatures, time stamps, certificates and seals judged, without a running gateway.

Exit codes: 0 passed, 1 failed, 2 unknown (also: wrong use).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import click

from yingqiao.cli.options import data_options, stores
from yingqiao.cli.output import Exit, fail, show_json
from yingqiao.gm.errors import GmError
from yingqiao.settings import Settings
from yingqiao.signing.trust import NOTHING, Entry, Role, Trust, read_bundle
from yingqiao.signing.verification.asked import (
    Asked,
    read_moment,
    verify_certificates,
    verify_signed,
    verify_stamped,
)
from yingqiao.signing.verification.policy import DEFAULT, Policy, PolicyError
from yingqiao.signing.verification.report import Indication, Report, together

_CODES = {Indication.PASSED: 0, Indication.FAILED: 1, Indication.UNKNOWN: 2}
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False, allow_dash=True)
_STDIN = "yingqiao.cli.verify.stdin"
_LARGEST = 64 * 1024 * 1024


def _common(function: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option("--json", "as_json", is_flag=True, help="以 JSON 输出"),
        click.option(
            "--policy",
            "policy_file",
            type=_FILE,
            help="策略文件（TOML 或 JSON），见 docs/reference/verification.md",
        ),
        click.option(
            "--trust",
            "trusted",
            type=_FILE,
            multiple=True,
            help="另外信任该文件中的证书（及其吊销列表），可多次；数据目录中的信任照常有效",
        ),
        click.option(
            "--at", "at_text", default="", help="判定时间，如 2026-03-01T12:00:00+08:00；不写 = 现在"
        ),
    ):
        function = option(function)
    return data_options(function)


@click.group()
def command() -> None:
    """验证签名、时间戳、证书与电子签章"""


@command.command("signature")
@click.option("--content", type=_FILE, help="签名原文；签名消息内含原文时可不写")
@click.option("--signature", "signature_file", type=_FILE, required=True, help="签名值或 PKCS#7 签名消息")
@click.option("--certificate", type=_FILE, help="签名者的证书（可带证书链）或公钥")
@click.option("--token", type=_FILE, multiple=True, help="签名的时间戳，可多次")
@_common
def signature(
    content: Path | None,
    signature_file: Path,
    certificate: Path | None,
    token: tuple[Path, ...],
    settings: Settings,
    **common: Any,
) -> None:
    """验证签名：PKCS#1 签名值（SM2、RSA）或 PKCS#7（GM/T 0010）签名消息"""
    asked = _asked(settings, common)
    found = verify_signed(
        asked,
        signature=_read(signature_file),
        content=None if content is None else _read(content),
        certificate=None if certificate is None else _read(certificate),
        tokens=[_read(one) for one in token],
    )
    _answer([found], common["as_json"])


@command.command("timestamp")
@click.option("--content", type=_FILE, help="所盖的原文")
@click.option("--token", type=_FILE, required=True, help="时间戳（TimeStampToken 或 TimeStampResp）")
@_common
def timestamp(content: Path | None, token: Path, settings: Settings, **common: Any) -> None:
    """验证时间戳（GM/T 0033、RFC 3161）"""
    asked = _asked(settings, common)
    found = verify_stamped(asked, _read(token), None if content is None else _read(content))
    _answer([found], common["as_json"])


@command.command("certificate")
@click.argument("files", type=_FILE, nargs=-1, required=True, metavar="FILE…")
@_common
def certificate(files: tuple[Path, ...], settings: Settings, **common: Any) -> None:
    """验证证书：信任链、有效期、吊销状态；多个文件中互为上下级的，只判断最下级的"""
    asked = _asked(settings, common)
    _answer(verify_certificates(asked, [_read(one) for one in files]), common["as_json"])


@command.command("seal")
@click.argument("file", type=_FILE, metavar="FILE")
@click.option("--content", type=_FILE, help="FILE 只是签章数据（SignedValue）时，所盖的文件")
@_common
def seal(file: Path, content: Path | None, settings: Settings, **common: Any) -> None:
    """验证电子签章：盖章的 PDF 逐处列出，也可为印章（.esl）或签章数据（SignedValue）"""
    from yingqiao.cli.seal_files import judge_here  # pyHanko and pdfium take a second to import

    asked = _asked(settings, common)
    found = judge_here(_read(file), asked, None if content is None else _read(content), settings)
    if common["as_json"]:
        show_json([one.shown() for one in found])
    else:
        click.echo("\n\n".join(one.text() for one in found) or "文件中没有电子签章")
    _exit([one.report for one in found])


def _asked(settings: Settings, common: dict[str, Any]) -> Asked:
    """Trust, policy and moment of this command; wrong use ends it."""
    try:
        at = read_moment(common["at_text"]) if common["at_text"] else datetime.now(UTC)
        policy = _policy(common["policy_file"])
        return Asked(_trust(settings, common["trusted"]), at, policy)
    except (GmError, PolicyError, ValueError) as error:
        fail(str(error), Exit.USE)


def _policy(file: Path | None) -> Policy:
    """Raises PolicyError."""
    if file is None:
        return DEFAULT
    return Policy.read(_read(file).decode("utf-8", "replace"))


def _trust(settings: Settings, files: tuple[Path, ...]) -> Trust:
    """The data folder's, when one is given, and that of `files`. Raises GmError."""
    trust = NOTHING
    if settings.data:
        with stores(settings) as opened:
            trust = opened.trust.current()
    for file in files:
        bundle = read_bundle(_read(file))
        entries = [Entry(one, role) for one in bundle.certificates for role in Role]
        trust = trust.with_more(entries, bundle.lists)
    return trust


def _read(file: Path) -> bytes:
    if str(file) == "-":
        meta = click.get_current_context().meta
        if _STDIN in meta:  # a second reading would be empty, and judged as that
            fail("标准输入只能给一个文件用", Exit.USE)
        meta[_STDIN] = True
        return _whole(sys.stdin.buffer, "标准输入")
    with file.open("rb") as stream:
        return _whole(stream, f"{file.name} ")


def _whole(stream: BinaryIO, name: str) -> bytes:
    """Never a part: what is cut off reads as damaged."""
    content = stream.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        fail(f"{name}超过 {_LARGEST // 1024 // 1024} MiB，没有验证", Exit.USE)
    return content


def _answer(reports: list[Report], as_json: bool) -> None:
    if as_json:
        show_json(reports[0].shown() if len(reports) == 1 else together(reports, "证书"))
    else:
        click.echo("\n\n".join(report.text() for report in reports))
    _exit(reports)


def _exit(reports: list[Report]) -> None:
    """Nothing to judge is unknown."""
    if not reports:
        sys.exit(_CODES[Indication.UNKNOWN])
    sys.exit(max(_CODES[report.indication] for report in reports) if _all_known(reports) else 1)


def _all_known(reports: list[Report]) -> bool:
    """Whether none failed: then unknown (2) outweighs passed (0)."""
    return all(report.indication is not Indication.FAILED for report in reports)
