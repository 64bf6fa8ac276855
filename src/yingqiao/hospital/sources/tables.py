"""Reading members of a `[[source]]` table: types, bounds, unknown names with the nearest."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from yingqiao.hospital.mapping import ConfigError, nearest

_T = TypeVar("_T", str, int, float, bool)
_WORDS: Mapping[type, str] = {str: "文本", int: "整数", float: "数", bool: "true 或 false"}


class Members:
    """One TOML table, read member by member; `done` refuses what nobody asked for."""

    def __init__(self, said: Any, *where: str) -> None:
        self.where = where
        if not isinstance(said, Mapping):
            raise ConfigError("应为表", *where)
        self._said = said
        self._asked: set[str] = set()

    def __contains__(self, name: str) -> bool:
        return name in self._said

    def error(self, name: str, reason: str) -> ConfigError:
        return ConfigError(reason, *self.where, name)

    def raw(self, name: str) -> Any:
        self._asked.add(name)
        return self._said.get(name)

    def text(self, name: str, default: str | None = None, *, choices: Collection[str] = ()) -> str:
        """A non-empty text. Raises ConfigError, also when absent without a default."""
        value = self._typed(name, str, default)
        if choices and value not in choices:
            raise self.error(name, f"应为 {'、'.join(choices)} 之一，现为 {value}{nearest(value, choices)}")
        return value

    def optional(self, name: str) -> str | None:
        return self._typed(name, str, "") or None

    def number(self, name: str, default: float, least: float, most: float) -> float:
        value = self.raw(name)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
            raise self.error(name, f"应为 {least:g} 至 {most:g} 的数")
        return float(value)

    def count(self, name: str, default: int, least: int, most: int) -> int:
        value = self._typed(name, int, default)
        if not least <= value <= most:
            raise self.error(name, f"应为 {least} 至 {most} 的整数")
        return value

    def zone(self, name: str) -> ZoneInfo:
        said = self.text(name, "Asia/Shanghai")
        try:
            return ZoneInfo(said)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise self.error(name, f"不认识的时区 {said}") from error

    def done(self) -> None:
        for name in self._said:
            if name not in self._asked:
                raise ConfigError(f"不认识 {name}{nearest(name, self._asked)}", *self.where)

    def _typed(self, name: str, kind: type[_T], default: _T | None) -> _T:
        value = self.raw(name)
        if value is None:
            if default is None:
                raise self.error(name, "必须填写")
            return default
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise self.error(name, f"应为{_WORDS[kind]}")
        return value


def secret(members: Members, name: str, folder: Path) -> str:
    """`name`, or the contents of the file `name`_file, so that passwords need not stand in the configuration."""
    if f"{name}_file" not in members:
        return members.text(name)
    path = folder / members.text(f"{name}_file")
    try:
        said = path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise members.error(f"{name}_file", f"不能读取 {path}") from error
    if name in members or not said:
        raise members.error(f"{name}_file", f"文件为空，或与 {name} 同时填写")
    return said
