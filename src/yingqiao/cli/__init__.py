"""The `yingqiao` command. Commands are loaded when called, so that each starts fast.

Exit codes: 0 done · 1 the answer is no (not found, refused, check failed) · 2 wrong use · 3 the store or a peer is unavailable.
"""

from __future__ import annotations

import os

import click

from yingqiao.cli.loading import load

COMMANDS = {
    "serve": "启动网关",
    "spec": "标准数据：检查、解释、比较",
    "hospitals": "医疗机构与密钥",
    "submissions": "收到的每一次提交：查看、重放",
    "exams": "检查：列表与时间线",
    "reports": "报告：列表与详情",
    "studies": "影像：列表与详情",
    "pacs": "PACS 节点：登记、检测、查询、调取影像",
    "lists": "影像地址列表：下载进度、重试",
    "commitments": "存储承诺：请求与结果",
    "reconcile": "对账：每日三方平账、结账、核验、导出",
    "query": "向医院查询并比对，补收差异",
    "receipt": "收讫凭证：查看、核验",
    "apps": "签名服务的应用与密钥",
    "tsa": "时间戳证书与密钥",
    "ca": "内置 CA：建立、签发的证书、吊销、离线导入",
    "cases": "证书与印章申请：提交、审批",
    "doctors": "签名医师与激活码",
    "staff": "证书管理的账号",
    "keys": "主密钥：查看、更换、停用",
    "seals": "电子印章：申请、制作、停用、更新、导出、使用记录",
    "seal": "给 PDF 加盖电子印章",
    "verify": "验证签名、时间戳、证书与电子签章",
    "seal-client": "签章客户端：在医生电脑上给报告 PDF 盖章",
    "trust": "信任的 CA 证书与吊销列表，接入材料检查",
    "work": "后台工作：查看、暂停、重放",
    "hospital": "医院侧：连接器、字段映射、推送、模拟医院",
}


class _LazyGroup(click.Group):
    """Each command lives in the module of its name and is called `command` there."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = load(cmd_name.replace("-", "_")).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("命令"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="yingqiao")
def main() -> None:
    """影桥 Yingqiao：医疗影像云前置机。"""
    os.umask(
        0o027
    )  # patient data: nothing a command makes is readable by others, the database's files included
