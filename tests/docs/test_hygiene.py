"""The repository is fit to be given away: nothing of the machine it was written on, nothing half done."""

from __future__ import annotations

import ast
import os
import re
import subprocess

import pytest

from tests.docs.pages import ROOT

_LISTED = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
FILES = [ROOT / name for name in _LISTED.stdout.split("\0") if name and (ROOT / name).is_file()]
if not FILES:  # an archive without its history
    FILES = [path for top in ("src", "tests", "docs", "scripts") for path in (ROOT / top).rglob("*")]
    FILES = [path for path in FILES if path.is_file() and "__pycache__" not in path.parts]
MODULES = sorted(ROOT.glob("src/**/*.py"))
_HOSTS = [
    r"(?<![\w.])" + "/".join(("", "work", "")) + r"(?!destinations|\{)",  # our API has a path of that name
    "/".join(("", "root", "")),
    "/".join(("", "home", "")) + "[a-z]",
    "py" + "pi.org",
]
_HOSTS += [
    "python" + "hosted.org",
    "mirrors" + r"\.\w+\.",
    "registry" + r"\.[\w-]+\.",
    "/".join(("", "opt", "py" + "pi")),
]
_PLACES = re.compile("|".join(_HOSTS))
_UNDONE = re.compile(
    r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK|not implemented|NotImplemented(Error)?)\b", re.IGNORECASE
)


def text_of(path: object) -> str:
    try:
        return path.read_text("utf-8")  # type: ignore[attr-defined]
    except UnicodeDecodeError:
        return ""


def test_no_file_names_a_machine_or_a_registry():
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}" for path in FILES if (match := _PLACES.search(text_of(path)))
    ]
    assert found == []


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT / "src/yingqiao")))
def test_modules_are_finished_and_introduce_themselves(path):
    text = text_of(path)
    assert _UNDONE.search(text) is None
    tree = ast.parse(text)
    assert ast.get_docstring(tree) or not tree.body, f"{path} has no docstring"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not is_protocol(tree, node):
            assert not is_stub(node), f"{path}:{node.lineno} {node.name} does nothing"


def is_stub(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """A body of nothing but `pass`: an ellipsis is a seam's, a docstring says why nothing is done."""
    return all(isinstance(statement, ast.Pass) for statement in node.body)


def is_protocol(tree: ast.Module, function: ast.AST) -> bool:
    classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and function in node.body]
    return any("Protocol" in ast.unparse(base) for one in classes for base in one.bases)


def test_scripts_can_be_run():
    scripts = [*ROOT.glob("scripts/*.sh"), ROOT / ".ci/run"]
    assert all(os.access(path, os.X_OK) for path in scripts)
    for path in scripts:
        assert path.read_text("utf-8").startswith("#!/usr/bin/env bash\n")
        subprocess.run(["bash", "-n", str(path)], check=True)


def test_the_lock_is_whole_and_names_no_index():
    """ADR 6: hashes for everything, so that any mirror serves."""
    lock = text_of(ROOT / "requirements.lock")
    assert "--index" not in lock
    assert "://" not in lock
    entries = re.split(r"\n(?=[a-zA-Z0-9])", lock.strip())
    assert all("--hash=sha256:" in entry for entry in entries)
    locked = {re.match(r"[\w.-]+", entry)[0].lower().replace("_", "-") for entry in entries}  # type: ignore[index]
    project = text_of(ROOT / "pyproject.toml")
    wanted = re.findall(r'"([A-Za-z][\w.-]*)(?:\[\w+\])?>=', project)
    assert {name.lower().replace("_", "-") for name in wanted} <= locked
