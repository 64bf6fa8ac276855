"""What `yingqiao hospital` shows: tables in Chinese of what was sent, what became of it, and whether both
agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table

from yingqiao.exchange.timeline import STATE_NAMES, WAITING_ON_NAMES
from yingqiao.hospital.demo import Account, Compared, Running
from yingqiao.hospital.simulate.plan import FLAW_NAMES, Day, Flaw, Kind
from yingqiao.hospital.simulate.push import Sent, unplanned

_KINDS = {Kind.EXAM: "检查", Kind.REPORT: "报告", Kind.MERGED: "合并上传", Kind.IMAGES: "影像（关联）"}
_INTERFACES = {"exam-sync": "检查", "report-sync": "报告", "examMergeReport-sync": "合并上传"}
_HOSPITAL = WAITING_ON_NAMES["hospital"]
_SHOWN_AT_MOST = 25


def _table(title: str, *headings: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", header_style="bold")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table


def flaws(day: Day) -> str:
    """What goes wrong in the day, in words."""
    return "；".join(FLAW_NAMES[case.flaw] for case in day.cases if case.flaw is not Flaw.NONE)


def sent_table(sent: Sequence[Sent]) -> Table:
    """By kind: pushes, accepted, refused, instances."""
    table = _table("已推送", "种类", "次数", "接受", "拒收", "影像实例")
    for kind, name in _KINDS.items():
        own = [one for one in sent if one.step.kind is kind]
        accepted = sum(one.accepted for one in own)
        instances = sum(one.instances for one in own)
        table.add_row(name, str(len(own)), str(accepted), str(len(own) - accepted), str(instances or ""))
    return table


def print_unplanned(console: Console, sent: Iterable[Sent]) -> bool:
    """Whether the gateway decided every push as planned; lists those it did not."""
    odd = unplanned(sent)
    if not odd:
        return True
    table = _table("与预期不符的应答", "时间", "种类", "标识", "预期", "应答")
    for one in odd[:_SHOWN_AT_MOST]:
        wanted = ("接受" if one.step.accepted else "拒收") + "".join(f" {rule}" for rule in one.step.rules)
        table.add_row(f"{one.step.at:%H:%M}", _KINDS[one.step.kind], one.step.key, wanted, one.message)
    console.print(table)
    return False


def result_tables(account: Account) -> list[Table]:
    """Received, refused and why, where the exams stand, what is missing and who must act, images without
    exam."""
    return [
        _received(account),
        _refused(account),
        _states(account),
        _missing(account),
        _charsets(account),
    ]


def _received(account: Account) -> Table:
    table = _table("收到的记录", "接口", "接受", "拒收", "有质量提示")
    counted = Counter((row["interface"], row["outcome"]) for row in account.submissions)
    for interface, name in _INTERFACES.items():
        own = [row for row in account.submissions if row["interface"] == interface]
        hinted = sum(row["outcome"] == "accepted" and row["findingCount"] > 0 for row in own)
        accepted, refused = (counted[interface, outcome] for outcome in ("accepted", "refused"))
        table.add_row(f"{name} {interface}", str(accepted), str(refused), str(hinted))
    studies = f"{len(account.studies)} 个检查，{account.instances} 个实例"
    table.add_row("影像 C-STORE 与按地址取回", studies, "", "")
    table.add_row("影像地址列表 images-list", str(account.lists), "", "")
    return table


def _refused(account: Account) -> Table:
    table = _table("拒收及原因", "提交编号", "接口", "检查/报告", "原因")
    for row in account.submissions:
        if row["outcome"] == "refused":
            kind = _INTERFACES.get(row["interface"], row["interface"])
            table.add_row(str(row["id"]), kind, row["examKey"] or row["reportKey"], row["message"])
    return table


def _states(account: Account) -> Table:
    table = _table("检查的状态", "状态", "检查数")
    states = account.states()
    for state, name in STATE_NAMES.items():
        if states.get(state):
            table.add_row(name, str(states[state]))
    return table


def _missing(account: Account) -> Table:
    """Exams without something, reports and images without exam, and who must act."""
    table = _table("仍然缺少", "来自", "标识", "姓名", "缺少", "应由谁处理")
    for row in [row for row in account.exams if row["waitingFor"]][:_SHOWN_AT_MOST]:
        cells = (row["risStudyId"], row["patientName"], row["waitingForName"], row["waitingOnName"])
        table.add_row("检查", *cells)
    for row in account.parked[:_SHOWN_AT_MOST]:
        table.add_row("报告", row["recordNum"], "", f"检查 {'、'.join(row['risStudyIds'])}", _HOSPITAL)
    for row in account.orphans[:_SHOWN_AT_MOST]:
        table.add_row("影像", row["accessionNumber"], row["patientName"], "检查记录", _HOSPITAL)
    return table


def _charsets(account: Account) -> Table:
    """Studies whose device declared a character set it does not use."""
    table = _table("声明的字符集与实际不符（已按实际解码）", "姓名", "检查号", "声明", "实际")
    for row in [row for row in account.studies if _lied(row["oddities"])][:_SHOWN_AT_MOST]:
        declared = row["declaredCharset"] or "（未声明）"
        table.add_row(row["patientName"], row["accessionNumber"], declared, row["usedCharset"])
    return table


def _lied(oddities: Sequence[str]) -> bool:
    return "charset-lied" in oddities or "charset-missing" in oddities


def print_comparison(console: Console, compared: Sequence[Compared]) -> bool:
    """Whether every number agrees; prints them side by side."""
    table = _table("对账：模拟医院所发与网关所示", "项目", "医院", "网关", "")
    for one in compared:
        table.add_row(one.what, str(one.sent), str(one.shown), "一致" if one.agrees else "不一致")
    console.print(table)
    agreed = all(one.agrees for one in compared)
    console.print("全部一致。" if agreed else "有数字不一致，请查看网关日志。")
    return agreed


def further(running: Running, day: Day, *, keep: bool) -> str:
    """How to look further."""
    case = next((case for case in day.cases if case.state.startswith("waiting")), day.cases[0])
    flags = f"--data {running.data}"
    lines = [
        "",
        "继续查看：",
        f"  .venv/bin/yingqiao exams show {day.hospital_code} {case.ris_study_id} {flags}",
        f"      （该检查的情形：{FLAW_NAMES[case.flaw]}）",
        f"  .venv/bin/yingqiao submissions list --outcome refused {flags}",
        f"  .venv/bin/yingqiao studies list {flags}",
        "  .venv/bin/yingqiao spec show exam patName",
    ]
    if keep:
        lines += [f"网关仍在运行：{running.url}/health/ready、/metrics；停止：kill {running.process.pid}"]
    else:
        serve = f"--http 127.0.0.1:8080 --dicom {running.dicom.ae_title}@127.0.0.1:11112"
        lines += [f"网关已停止；数据还在，再次启动：.venv/bin/yingqiao serve {flags} {serve}"]
    return "\n".join(lines)
