"""The one family of errors: whatever gm raises by itself is a GmError with a stable code and a Chinese reason."""

from __future__ import annotations

import ast
import inspect
import pkgutil
from importlib import import_module
from pathlib import Path

import pytest

import yingqiao.gm
from yingqiao.gm.errors import GmError

FOLDER = Path(yingqiao.gm.__file__).parent
MODULES = [f"yingqiao.gm.{found.name}" for found in pkgutil.iter_modules([str(FOLDER)])]
ALLOWED = {"TypeError", "AssertionError", "AttributeError"}
"""A caller's mistake in the program, never of the input."""


def errors() -> list[type[BaseException]]:
    found = []
    for name in MODULES:
        module = import_module(name)
        for _, one in inspect.getmembers(module, inspect.isclass):
            if issubclass(one, BaseException) and one.__module__ == name:
                found.append(one)
    return found


@pytest.mark.parametrize("error", errors(), ids=lambda error: error.__name__)
def test_every_error_is_of_the_family(error: type[BaseException]):
    assert issubclass(error, GmError)
    assert isinstance(error.code, str)
    assert error.code


def test_codes_of_classes_differ():
    codes = [error.code for error in errors() if issubclass(error, GmError) and "code" in vars(error)]
    assert len(codes) == len(set(codes))


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda path: path.stem)
def test_every_raise_says_why_in_chinese(path: Path):
    """Literal reasons, f-strings included; a reason handed on is its maker's."""
    names = {error.__name__ for error in errors()}
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not isinstance(node, ast.Raise) or not isinstance(node.exc, ast.Call):
            continue
        called = node.exc.func
        name = called.id if isinstance(called, ast.Name) else getattr(called, "attr", "")
        assert name in names | ALLOWED or not name[0].isupper(), f"{path.name}:{node.lineno} raises {name}"
        texts = [one.value for one in ast.walk(node.exc) if isinstance(one, ast.Constant)]
        said = [text for text in texts if isinstance(text, str)]
        if name in names and said and not _is_code_only(node.exc):
            assert any("\u4e00" <= c <= "\u9fff" for text in said for c in text), f"{path.name}:{node.lineno}"


def _is_code_only(call: ast.Call) -> bool:
    """The reason is a value made elsewhere; only the code stands here."""
    literal = [one for one in call.args if isinstance(one, ast.Constant | ast.JoinedStr)]
    return len(literal) < len(call.args) or not literal
