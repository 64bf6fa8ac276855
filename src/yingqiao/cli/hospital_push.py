"""`yingqiao hospital push`: records from files, checked here, pushed, and every finding shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from yingqiao.cli.output import Exit, Shape, fail, shape_of, show_rows
from yingqiao.client import Answer, Checker, ClientError, Gateway, Level, Profile, Refused
from yingqiao.client.protocol import EXAM, IMAGES, MERGED, REPORT
from yingqiao.exchange import bounded_json
from yingqiao.exchange.profile import ProfileError

_KINDS = {"exam": EXAM, "report": REPORT, "merged": MERGED, "images": IMAGES}
_LEVELS = {Level.REFUSE: "拒收", Level.WARN: "警告", Level.NOTE: "提示"}
_COLUMNS = {
    "file": "文件",
    "level": "级别",
    "field": "字段",
    "label": "名称",
    "problem": "问题",
    "mend": "怎么改",
}
_MAX_FILE = 64 << 20
_PATH = click.Path(path_type=Path, allow_dash=True)


@click.command()
@click.argument("kind", type=click.Choice(list(_KINDS)))
@click.argument("files", nargs=-1, required=True, type=_PATH)
@click.option("--code", required=True, help="医疗机构代码（统一社会信用代码）")
@click.option("--url", metavar="URL", help="网关的 HTTP 地址，如 http://ip:port")
@click.option("--key-file", type=_PATH, help="SM4 密钥所在文件（32 位十六进制），- 为标准输入")
@click.option("--profile", type=_PATH, help="平台对本机构的分级配置（JSON），本地检查按它判断")
@click.option("--check-only", is_flag=True, help="只在本地检查，不发送")
@click.option("--no-check", is_flag=True, help="不在本地检查，直接发送")
@click.option("--json", "as_json", is_flag=True, help="以 JSON 输出")
@click.option("--csv", "as_csv", is_flag=True, help="以 CSV 输出")
def command(
    kind: str,
    files: tuple[Path, ...],
    code: str,
    url: str | None,
    key_file: Path | None,
    profile: Path | None,
    *,
    check_only: bool,
    no_check: bool,
    as_json: bool,
    as_csv: bool,
) -> None:
    """推送文件里的记录（每个文件一条 JSON）：exam、report、merged（{"patient", "report"}）或 images。

    先在本地检查，拒收的不发送；逐条列出问题与改法。
    """
    shape = shape_of(as_json, as_csv)
    if check_only and no_check:
        raise click.UsageError("--check-only 与 --no-check 只能选一个")
    checker = None if no_check else _checker(code, profile)
    records = {path: _record(path) for path in files}
    done: dict[Path, Answer] = {}
    trouble: ClientError | None = None
    try:
        if checker is not None and check_only:
            done = {path: checker.check(_KINDS[kind].id, record) for path, record in records.items()}
        else:
            with _gateway(url, code, key_file, checker) as gateway:
                for path, record in records.items():
                    done[path] = _pushed(gateway, kind, record)
    except ClientError as error:
        trouble = error
    _show(done, shape)
    if trouble is not None:
        fail(f"{trouble}（已处理 {len(done)} 个文件，共 {len(files)} 个）", Exit.UNAVAILABLE)
    if not all(answer.accepted for answer in done.values()):
        raise SystemExit(Exit.NO)


def _pushed(gateway: Gateway, kind: str, record: Mapping[str, Any]) -> Answer:
    """Raises ClientError but for a refusal, which is an answer."""
    try:
        return gateway.push(_KINDS[kind], record)
    except Refused as refused:
        return refused.answer


def _checker(code: str, profile: Path | None) -> Checker:
    try:
        return Checker(code, profile=Profile.from_json(_bytes(profile)) if profile else None)
    except ProfileError as error:
        raise click.UsageError(f"分级配置：{error}") from error


@contextmanager
def _gateway(url: str | None, code: str, key_file: Path | None, checker: Checker | None) -> Iterator[Gateway]:
    if url is None or key_file is None:
        raise click.UsageError("请给出 --url 与 --key-file，或用 --check-only 只在本地检查")
    try:
        gateway = Gateway(url, code, _bytes(key_file).decode("ascii", "replace").strip(), check=checker)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    with gateway:
        yield gateway


def _record(path: Path) -> Mapping[str, Any]:
    try:
        record = bounded_json.load(_bytes(path))
    except bounded_json.JsonError as error:
        raise click.UsageError(f"{path} 不是合法的 JSON：{error}") from error
    if not isinstance(record, dict):
        raise click.UsageError(f"{path} 应是一个 JSON 对象")
    return record


def _bytes(path: Path) -> bytes:
    """The content of a file or, for `-`, of standard input."""
    try:
        with click.open_file(str(path), "rb") as file:
            content: bytes = file.read(_MAX_FILE + 1)
    except OSError as error:
        raise click.UsageError(f"无法读取 {path}：{error.strerror}") from error
    if len(content) > _MAX_FILE:
        raise click.UsageError(f"{path} 超过 {_MAX_FILE} 字节")
    return content


def _show(done: Mapping[Path, Answer], shape: Shape) -> None:
    if shape is Shape.JSON:
        show_rows([_row(path, answer) for path, answer in done.items()], {}, shape)
        return
    if shape is Shape.TABLE:
        for path, answer in done.items():
            said = "接受" if answer.accepted else "拒收"
            where = "本地检查" if answer.status == 0 else "网关"
            click.echo(f"{path}：{where}{said}：{answer.message}")
    found = [
        asdict(finding) | {"file": str(path), "level": _LEVELS[finding.level]}
        for path, answer in done.items()
        for finding in answer.findings
    ]
    if found or shape is Shape.CSV:
        show_rows(found, _COLUMNS, shape)


def _row(path: Path, answer: Answer) -> dict[str, Any]:
    findings = [asdict(finding) for finding in answer.findings]
    return {
        "file": str(path),
        "accepted": answer.accepted,
        "sent": answer.status != 0,
        "message": answer.message,
        "digest": answer.digest,
        "findings": findings,
    }


COMMANDS: dict[str, click.Command] = {"push": command}
