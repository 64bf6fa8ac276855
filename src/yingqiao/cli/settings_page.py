"""`python -m yingqiao.cli.settings_page > docs/reference/settings.md`: the reference page of all settings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from yingqiao.settings import Setting, describe

_HEAD = """# 设置

本页由 `python -m yingqiao.cli.settings_page` 生成，请勿手改。

优先级：默认值 < 配置文件（`--config FILE` 或 `YINGQIAO_CONFIG`，TOML） < 环境变量 < 命令行参数。
写错名字会被拒绝，并提示最接近的设置项。
`yingqiao serve --show-settings` 显示生效的值，密钥与含密码的数据库 URL 不显示。

```toml
data = "/var/lib/yingqiao"

[http]
listen = "0.0.0.0:8080"
max_body_bytes = 67108864
```
"""
_TITLES = {
    "": "总项",
    "http": "HTTP 接收 `[http]`",
    "api": "只读接口与监控 `[api]`",
    "dicom": "DICOM 接收 `[dicom]`",
    "exchange": "交换规则 `[exchange]`",
    "completeness": "影像齐全 `[completeness]`",
    "work": "后台工作 `[work]`",
    "pull": "从 PACS 调取影像 `[pull]`",
    "reconcile": "对账 `[reconcile]`",
    "coss": "电子签名服务 `[coss]`",
    "phone": "手机签名服务 `[phone]`",
    "signing": "证书办理：内置 CA、自助服务与管理网页 `[signing]`",
    "device": "密码设备 `[device]`",
    "log": "日志 `[log]`",
}
_TYPES = {
    "string": "文本",
    "integer": "整数",
    "number": "数",
    "boolean": "true/false",
    "list of string": "文本列表",
}


def page() -> str:
    """The page, Markdown."""
    sections: dict[str, list[Setting]] = {}
    for setting in describe():
        sections.setdefault(setting.key.rpartition(".")[0], []).append(setting)
    return "\n".join([_HEAD, *(line for name, listed in sections.items() for line in _section(name, listed))])


def _section(name: str, settings: list[Setting]) -> Iterator[str]:
    yield f"## {_TITLES[name]}\n"
    yield "| 设置 | 环境变量 | 类型 | 默认 | 说明 |"
    yield "|---|---|---|---|---|"
    for s in settings:
        secret = "（不显示）" if s.secret else ""
        help_text = s.help.replace("|", "\\|")
        yield f"| `{s.key}` | `{s.env}` | {_TYPES[s.type]} | {_default(s.default)} | {help_text}{secret} |"
    yield ""


def _default(value: Any) -> str:
    if value in ("", ()):
        return "（空）"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


if __name__ == "__main__":
    click.echo(page(), nl=False)
