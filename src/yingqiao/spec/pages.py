"""The reference pages of docs/reference/standard, generated from an edition."""

from __future__ import annotations

from collections.abc import Iterator

from yingqiao.spec.model import CodeList, Edition, Field, Table
from yingqiao.spec.notes import Note, notes_of
from yingqiao.spec.parts import parts_of
from yingqiao.spec.show import code_words, users_of
from yingqiao.spec.wording import TYPE_WORDS, condition_words, format_words, length_words, required_words

_GENERATED = "<!-- 由 yingqiao spec docs 生成，请勿手改。 -->\n"


def pages(edition: Edition) -> dict[str, str]:
    """File name -> Markdown: an index, a page per table, a page of code lists."""
    notes = dict(notes_of(edition))
    return {
        "index.md": _page(_index(edition)),
        "code-lists.md": _page(_code_lists(edition)),
        **{f"{table.id}.md": _page(_table(edition, table, notes)) for table in edition.tables.values()},
    }


def _page(lines: Iterator[str]) -> str:
    return _GENERATED + "\n".join(lines) + "\n"


def _index(edition: Edition) -> Iterator[str]:
    yield from (
        f"# {edition.title}",
        "",
        f"{edition.issuer}，{edition.issued} 发布。版本 `{edition.id}`。",
        "",
    )
    yield from ("## 表", "", "| 表 | 名称 | 条款 | 字段数 |", "|---|---|---|---|")
    for table in edition.tables.values():
        yield _row(f"[{table.id}]({table.id}.md)", table.title, table.clause, str(len(table.fields)))
    yield from ("", "## 接口", "", "| 接口 | 方法与路径 | 提供方 | 条款 | 请求 |", "|---|---|---|---|---|")
    for one in edition.interfaces.values():
        request = f"[{one.request}]({one.request}.md)" if one.request else ""
        yield _row(
            one.title, f"{one.method} `{one.path}`", _SERVERS.get(one.served_by, ""), one.clause, request
        )
    yield from ("", "代码表见 [code-lists.md](code-lists.md)。")


_SERVERS = {"gateway": "前置机", "hospital": "医院", "platform": "平台"}


def _table(edition: Edition, table: Table, notes: dict[str, Note]) -> Iterator[str]:
    yield from (f"# {table.title}", "", f"`{table.id}`，{table.clause}，{len(table.fields)} 个字段。")
    for part, fields in parts_of(table).items():
        yield from ("", f"## {part or '字段'}", "")
        yield "| 序号 | 字段 | 名称 | 类型 | 必填 | 长度 | 格式与代码表 | 备注 | 读法 |"
        yield "|---|---|---|---|---|---|---|---|---|"
        for field in fields:
            yield _field(edition, table, field)
    if table.aliases:
        yield from ("", "## 别名", "")
        yield from (
            f"- `{alias}`：{f'同 `{target}`' if target else '收下，无作用'}"
            for alias, target in table.aliases.items()
        )
    used = [trap for trap in dict.fromkeys(t for f in table.fields for t in f.traps) if trap in notes]
    if used:
        yield from ("", "## 读法", "", "| 编号 | 标准的写法 | 本版的读法 |", "|---|---|---|")
        yield from (_row(trap, notes[trap].problem, notes[trap].decision) for trap in used)


def _field(edition: Edition, table: Table, field: Field) -> str:
    inferred = [c for c in edition.conditions_of(table.id, field.name) if c.basis == "inferred"]
    required = required_words(edition, table, field)
    required += "".join(f"；推断：{condition_words(edition, table, c)}" for c in inferred)
    codes = f"[{field.code_list}](code-lists.md#{field.code_list})" if field.code_list else ""
    shape = "；".join(part for part in (format_words(field), codes) if part)
    kind, length = TYPE_WORDS[field.type], length_words(table, field)
    traps = " ".join(field.traps)
    return _row(
        str(field.seq), f"`{field.name}`", field.label, kind, required, length, shape, field.note, traps
    )


def _code_lists(edition: Edition) -> Iterator[str]:
    yield from ("# 代码表", "", "| 代码表 | 名称 | 条款 | 标准 | 项数 |", "|---|---|---|---|---|")
    for codes in edition.code_lists.values():
        link = f"[{codes.id}](#{codes.id})"
        yield _row(link, codes.title, codes.section, codes.standard, str(len(codes.codes)))
    for codes in edition.code_lists.values():
        yield from _code_list(edition, codes)


def _code_list(edition: Edition, codes: CodeList) -> Iterator[str]:
    users = "、".join(f"`{table}.{field}`" for table, field in users_of(edition, codes)) or "没有字段引用"
    opening = "，另可有其他值" if codes.open else ""
    yield from ("", f'<a id="{codes.id}"></a>', "", f"## {codes.title}", "")
    yield from (
        f"`{codes.id}` {codes.section} {codes.standard}".rstrip()
        + f"，{len(codes.codes)} 项{opening}。用于 {users}。",
        "",
    )
    yield from (f"- {code_words(code)}" for code in codes.codes.values())


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "&#124;").replace("\n", " ") for cell in cells) + " |"
