"""A folder becomes an edition. Loaded once, checked for shape while loading; `check` proves the rest."""

from __future__ import annotations

import csv
import io
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from yingqiao.spec.model import Code, CodeList, Condition, Edition, Field, Interface, Required, Table

DEFAULT_EDITION = "shanxi/v2_1"


class SpecError(Exception):
    """An edition's folder cannot be read as one; the message names file and row."""


def edition_ids() -> list[str]:
    """Ids of the editions shipped with the package, sorted."""
    folders = (f.name for f in _data().iterdir() if f.joinpath("manifest.toml").is_file())
    return sorted(name.replace("_", "/", 1) for name in folders)


@cache
def load_edition(edition_id: str = DEFAULT_EDITION) -> Edition:
    """The shipped edition `province/version`. Raises SpecError when there is none or its folder is broken."""
    folder = _data().joinpath(edition_id.replace("/", "_", 1))
    if not folder.joinpath("manifest.toml").is_file():
        raise SpecError(f"no edition {edition_id!r}; shipped: {', '.join(edition_ids())}")
    return read_edition(folder)


def read_edition(folder: Path) -> Edition:
    """The edition in `folder` (laid out as in spec/data/README.md). Raises SpecError."""
    try:
        manifest = read_manifest(folder)
        return Edition(
            id=manifest["id"],
            title=manifest["title"],
            issuer=manifest["issuer"],
            issued=manifest["issued"],
            in_force_from=manifest["in_force_from"],
            supersedes=manifest.get("supersedes", ""),
            tables=MappingProxyType(_tables(folder, manifest)),
            code_lists=MappingProxyType(_code_lists(folder)),
            conditions=tuple(_conditions(folder)),
            interfaces=MappingProxyType(_interfaces(folder)),
            messages=MappingProxyType({row["id"]: row["text"] for row in read_rows(folder, "messages.csv")}),
            folder=folder,
        )
    except (KeyError, ValueError, TypeError, AttributeError, OSError, csv.Error) as error:
        raise SpecError(f"{folder}: {error!r}") from error


def read_manifest(folder: Path) -> dict[str, Any]:
    """manifest.toml of an edition's folder. Raises OSError, tomllib.TOMLDecodeError."""
    return tomllib.loads(folder.joinpath("manifest.toml").read_text("utf-8"))


def read_rows(folder: Path, name: str) -> list[dict[str, str]]:
    """The rows of a CSV file of an edition's folder. Raises OSError, csv.Error."""
    return list(csv.DictReader(io.StringIO(folder.joinpath(name).read_text("utf-8"), newline="")))


def _data() -> Path:
    # importlib.resources would cost every command 20 ms, and a wheel is always unpacked
    return Path(__file__).parent / "data"


def _tables(folder: Path, manifest: dict[str, Any]) -> dict[str, Table]:
    return {
        name: Table(
            id=name,
            title=entry["title"],
            fields=tuple(_field(row) for row in read_rows(folder, f"fields/{name}.csv")),
            aliases=MappingProxyType(dict(entry.get("aliases", {}))),
            clause=entry.get("clause", ""),
            loose_lengths=frozenset(entry.get("loose_lengths", ())),
        )
        for name, entry in manifest["tables"].items()
    }


def _field(row: dict[str, str]) -> Field:
    return Field(
        seq=int(row["seq"]),
        group=row["group"],
        name=row["name"],
        label=row["label"],
        source=row["source"],
        type=row["type"],
        max_length=int(row["max_length"]) if row["max_length"] else None,
        required=Required(row["required"]),
        code_list=row["code_list"],
        format=row["format"],
        separator=row["separator"],
        pattern=row["pattern"],
        items=row["items"],
        note=row["note"],
        traps=tuple(row["traps"].split()),
        format_note=row["format_note"],
    )


def _code_lists(folder: Path) -> dict[str, CodeList]:
    lists = {row["list"]: _dictionary(folder, row) for row in read_rows(folder, "dictionaries.csv")}
    enums: dict[str, list[dict[str, str]]] = {}
    for row in read_rows(folder, "enums.csv"):
        enums.setdefault(row["list"], []).append(row)
    return lists | {
        row["list"]: _inline_list(row, enums[row["list"]]) for row in read_rows(folder, "enum_lists.csv")
    }


def _dictionary(folder: Path, index: dict[str, str]) -> CodeList:
    codes = [_code(row) for row in read_rows(folder, f"dictionaries/{index['list']}.csv")]
    return CodeList(
        id=index["list"],
        title=index["title"],
        section=index["section"],
        standard=index["standard"],
        open=False,
        codes=MappingProxyType(_by_code(index, codes)),
        pattern=index["pattern"],
        match=index["match"],
    )


def _by_code(index: dict[str, str], codes: list[Code]) -> dict[str, Code]:
    """Code -> its row. Raises SpecError for another count, or a repeated code: it would vanish silently."""
    found = {code.code: code for code in codes}
    if not len(found) == len(codes) == int(index["entries"]):
        raise SpecError(
            f"{index['list']}: {len(codes)} rows, {len(found)} distinct codes, {index['entries']} promised"
        )
    return found


_CODE_COLUMNS = {"code", "name", "printed_code", "printed_name", "status", "note"}


def _code(row: dict[str, str]) -> Code:
    return Code(
        code=row["code"],
        name=row["name"],
        printed_code=row["printed_code"],
        printed_name=row["printed_name"],
        status=row["status"],
        note=row["note"],
        extra=MappingProxyType({k: v for k, v in row.items() if k not in _CODE_COLUMNS}),
    )


def _inline_list(index: dict[str, str], rows: list[dict[str, str]]) -> CodeList:
    nothing = MappingProxyType(dict[str, str]())
    codes = [Code(r["code"], r["name"], r["code"], r["name"], "ok", r["note"], nothing) for r in rows]
    return CodeList(
        id=index["list"],
        title=index["title"],
        section=index["section"],
        standard="",
        open={"true": True, "false": False}[index["open"]],
        codes=MappingProxyType(_by_code(index, codes)),
        inline=True,
    )


def _conditions(folder: Path) -> Iterator[Condition]:
    for row in read_rows(folder, "conditions.csv"):
        yield Condition(**{**row, "traps": tuple(row["traps"].split())})  # type: ignore[arg-type]


def _interfaces(folder: Path) -> dict[str, Interface]:
    entries = tomllib.loads(folder.joinpath("interfaces.toml").read_text("utf-8"))
    return {
        name: Interface(
            id=name,
            title=entry["title"],
            method=entry.get("method", "POST"),
            path=entry["path"],
            served_by=entry["served_by"],
            envelope=entry["envelope"],
            request=entry.get("request", ""),
            response=entry.get("response", ""),
            clause=entry["clause"],
            keys=tuple(entry.get("keys", ())),
            aliases=tuple(entry.get("aliases", ())),
            note=entry.get("note", ""),
        )
        for name, entry in entries.items()
    }
