"""`yingqiao hospital`: the hospital's side. The connector, the trying of mappings, pushing by hand, a simulated hospital."""

from __future__ import annotations

import click

from yingqiao.cli.loading import load

_MODULES = {
    "run": "connector",
    "check": "connector",
    "status": "connector",
    "backfill": "connector",
    "reconcile": "connector",
    "worklist": "connector",
    "map": "hospital_map",
    "push": "hospital_push",
    "simulate": "hospital_simulate",
    "demo": "hospital_simulate",
}
"""Command -> its module, which has it in COMMANDS. Loaded when called: a connector needs no simulator."""


class _Group(click.Group):
    def list_commands(self, _: click.Context) -> list[str]:
        return list(_MODULES)

    def get_command(self, _: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _MODULES:
            return None
        commands: dict[str, click.Command] = load(_MODULES[cmd_name]).COMMANDS
        return commands[cmd_name]


@click.group(cls=_Group)
def command() -> None:
    """医院侧：连接器、字段映射、推送、模拟医院"""
