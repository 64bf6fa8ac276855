"""No sealed column is forgotten: the list that rotation walks against the schema and against the code that seals."""

from __future__ import annotations

import ast
from pathlib import Path

from sqlalchemy import LargeBinary

from yingqiao.store.schema import metadata
from yingqiao.store.sealed import SEALED

SOURCE = Path(__file__).parents[3] / "src" / "yingqiao"
KNOWN = {one.place for one in SEALED}
SEALERS = {"MasterKey", "PersonalData", "wrap_share", "service_secret"}
"""What a module has to import from ours to seal anything under the master key."""
ELSEWHERE = {
    "gm.key_share": "wrap_share, which store.signing.shared_keys calls",
    "store.resealing": "the rotation itself",
    "app.key_rotation": "calls it",
}


def test_every_column_that_says_it_is_sealed_is_in_the_list():
    found = {
        f"{table.name}.{column.name}"
        for table in metadata.tables.values()
        for column in table.columns
        if "sealed" in column.name and isinstance(column.type, LargeBinary)
    }
    assert found == KNOWN, "add the column to yingqiao.store.sealed.SEALED (or take it out)"


def test_every_module_that_seals_is_in_the_list():
    found = {name for path in SOURCE.rglob("*.py") if seals(path) for name in [named(path)]}
    listed = {one.module for one in SEALED}
    assert found - ELSEWHERE.keys() == listed, "a module seals into a column that SEALED does not name"


def test_the_list_is_whole():
    assert len(KNOWN) == len(SEALED)
    for one in SEALED:
        assert one.id is not None
        assert one.words
        assert all(column.table is one.column.table for column in one.needs)


def named(path: Path) -> str:
    return ".".join(path.relative_to(SOURCE).with_suffix("").parts)


def seals(path: Path) -> bool:
    """Whether a module that has a sealing thing of ours calls `….seal(…)`, `….reseal(…)` or `wrap_share(…)`."""
    text = path.read_text("utf-8")
    if not any(name in text for name in SEALERS):
        return False
    tree = ast.parse(text)
    imported = {
        alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    defined = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    return bool((imported | defined) & SEALERS) and any(_is_sealing(node) for node in ast.walk(tree))


def _is_sealing(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    called = node.func
    if isinstance(called, ast.Attribute):
        inside = isinstance(called.value, ast.Name) and called.value.id == "self"  # MasterKey.reseal itself
        return called.attr in ("seal", "reseal") and not inside
    return isinstance(called, ast.Name) and called.id == "wrap_share"


def test_a_forgotten_module_would_be_noticed(tmp_path: Path):
    path = tmp_path / "new.py"
    path.write_text(
        "from yingqiao.gm.keystore import MasterKey\ndef f(m, x):\n    return m.master.seal(x, 'c')\n"
    )
    assert seals(path)
