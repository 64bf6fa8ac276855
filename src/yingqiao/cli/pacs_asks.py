"""`yingqiao pacs find|pull|test`: what a node is asked by hand."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from yingqiao.app.pacs_asks import Found, examine, find, plain_found, wait_for
from yingqiao.cli.options import data_options, stores
from yingqiao.cli.output import Exit, Shape, camel_case, fail, show_json, show_rows
from yingqiao.exchange.doctor import MARK_NAMES, SIDE_NAMES, STEP_NAMES, Diagnosis, Finding, Mark
from yingqiao.exchange.work import STATE_NAMES, WorkError, WorkState
from yingqiao.settings import Settings
from yingqiao.store.pacs import get_node
from yingqiao.store.pull_requests import Wanted, ask, nodes_of
from yingqiao.store.pulls import WorkSeen

_COLUMNS = {
    "node": "节点",
    "studyUid": "Study UID",
    "patientId": "患者编号",
    "patientName": "姓名",
    "accessionNumber": "检查号",
    "studyDate": "日期",
    "modalities": "类别",
    "seriesCount": "序列",
    "expected": "PACS 幅数",
    "present": "本机幅数",
}


@click.command("find")
@click.argument("hospital")
@click.option("--study", default="", metavar="UID", help="Study Instance UID")
@click.option("--accession", default="", metavar="NO", help="检查号")
@click.option("--patient", default="", metavar="ID", help="患者编号，与 --date 同用")
@click.option("--date", "day", default="", metavar="DAY", help="检查日期，如 2026-03-01")
@click.option("--node", default="", metavar="NAME", help="只问这个节点；不写 = 全部启用的节点")
@click.option("--json", "as_json", is_flag=True, help="以 JSON 输出（含各序列）")
@data_options
def find_command(hospital: str, node: str, as_json: bool, settings: Settings, **asked: Any) -> None:
    """查询 PACS 有什么，与本机已有的并列"""
    with stores(settings) as opened:
        query = Wanted(**asked).query()
        with opened.database.read() as connection:
            nodes = nodes_of(connection, hospital, node)
        found: list[Found] = []
        troubles: list[str] = []
        for one in nodes:
            try:
                found += find(settings, opened, one, query)
            except WorkError as error:
                troubles.append(f"节点 {one.name}：{error.reason}")
    rows = [plain_found(study) for study in found]
    if as_json:
        show_json(rows)
    else:
        show_rows(
            [row | {"seriesCount": len(study.series)} for row, study in zip(rows, found, strict=True)],
            _COLUMNS,
            Shape.TABLE,
            empty="PACS 中没有找到",
        )
    if troubles:
        fail("\n".join(troubles), Exit.UNAVAILABLE)


@click.command("pull")
@click.argument("hospital")
@click.option("--exam", default="", metavar="RISSTUDYID", help="此检查的影像")
@click.option("--study", default="", metavar="UID", help="此 Study")
@click.option("--accession", default="", metavar="NO", help="此检查号下的影像")
@click.option("--patient", default="", metavar="ID", help="此患者当日的影像，与 --date 同用")
@click.option("--date", "day", default="", metavar="DAY", help="检查日期，如 2026-03-01")
@click.option("--series", multiple=True, metavar="UID", help="只要这些序列")
@click.option("--node", default="", metavar="NAME", help="只从这个节点；不写 = 全部启用的节点")
@click.option("--wait", is_flag=True, help="等到完成，或一次尝试失败；没有网关在运行则报错")
@click.option("--json", "as_json", is_flag=True, help="以 JSON 输出")
@data_options
def pull_command(
    hospital: str,
    series: tuple[str, ...],
    node: str,
    wait: bool,
    as_json: bool,
    settings: Settings,
    **asked: Any,
) -> None:
    """要求网关从 PACS 调取影像（先于自动调取）；由运行中的网关执行"""
    wanted = Wanted(series=series, node=node, **asked)
    with stores(settings) as opened:
        if not wanted.exam:
            wanted.query()
        with opened.database.write() as connection:
            keys = ask(connection, hospital, wanted)
        if not wait:
            _asked(keys, as_json=as_json)
            return
        seen = wait_for(opened, keys, (lambda *_: None) if as_json else _tell_work)
    if as_json:
        show_json([camel_case(asdict(one)) for one in seen])
    failed = [one for one in seen if one.state != WorkState.DONE]
    if len(failed) == len(seen):
        fail("；".join(one.reason or STATE_NAMES[WorkState(one.state)] for one in failed))


def _asked(keys: list[str], *, as_json: bool) -> None:
    if as_json:
        show_json([{"key": key} for key in keys])
        return
    for key in keys:
        click.echo(f"已要求调取：{key}")


def _tell_work(one: WorkSeen, waits_for: str) -> None:
    counts = f"{one.done}/{one.total}" if one.total else ""
    said = f"{one.key}  {STATE_NAMES[WorkState(one.state)]} {counts}".rstrip()
    said += f"  在等：{waits_for}" if waits_for else ""
    click.echo(said + (f"  {one.reason}" if one.reason and one.state != WorkState.DONE else ""))


@click.command("test")
@click.argument("hospital")
@click.argument("name")
@click.option("--study", default="", metavar="UID", help="用此 Study 试调一幅")
@click.option("--accession", default="", metavar="NO", help="用此检查号下的影像试调一幅")
@click.option("--json", "as_json", is_flag=True, help="以 JSON 输出")
@data_options
def test_command(
    hospital: str, name: str, study: str, accession: str, as_json: bool, settings: Settings
) -> None:
    """逐环节检测能否从 PACS 调取影像，并说明哪一方有问题、怎么办"""
    with stores(settings) as opened:
        query = Wanted(study=study, accession=accession).query() if study or accession else None
        with opened.database.read() as connection:
            node = get_node(connection, hospital, name)
        diagnosis = examine(settings, opened, node, query, (lambda _: None) if as_json else _tell)
    if as_json:
        show_json(_plain(diagnosis))
    else:
        click.echo()
        click.echo(f"结论：{diagnosis.summary()}")
    if not diagnosis.usable and any(finding.mark is Mark.FAILED for finding in diagnosis.findings):
        raise SystemExit(Exit.NO)


def _tell(finding: Finding) -> None:
    mark = {Mark.PASSED: "green", Mark.FAILED: "red", Mark.SKIPPED: "yellow"}[finding.mark]
    named = click.style(MARK_NAMES[finding.mark], fg=mark)
    took = f"（{finding.seconds:.1f} 秒）" if finding.seconds >= 0.05 else ""
    click.echo(f"{named}  {STEP_NAMES[finding.step]}：{finding.words}{took}")
    if finding.mend:
        who = f"{SIDE_NAMES[finding.side]}：" if finding.side else ""
        click.echo(f"      → {who}{finding.mend}")


def _plain(diagnosis: Diagnosis) -> dict[str, Any]:
    ours = diagnosis.parties.ours
    return {
        "usable": diagnosis.usable,
        "summary": diagnosis.summary(),
        "pacs": str(diagnosis.parties.pacs),
        "ours": {"aeTitle": ours.ae_title, "addresses": list(ours.addresses), "port": ours.port},
        "findings": [
            {
                "step": finding.step,
                "stepName": STEP_NAMES[finding.step],
                "mark": finding.mark,
                "markName": MARK_NAMES[finding.mark],
                "words": finding.words,
                "side": finding.side,
                "sideName": SIDE_NAMES[finding.side],
                "mend": finding.mend,
                "trouble": finding.trouble,
                "seconds": finding.seconds,
            }
            for finding in diagnosis.findings
        ],
    }
