"""Names of log events: one style over all modules, so that an operator can filter by part."""

import ast
import re
from pathlib import Path

SOURCES = Path(__file__).parents[2] / "src/yingqiao"
LEVELS = {"debug", "info", "warning", "error", "critical", "exception"}
STYLE = re.compile(r"[a-z]+\.[a-z]+(_[a-z]+)*")


def names(tree: ast.AST) -> list[str]:
    """First arguments of calls on a logger, and values of "event" in lines put together by hand."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in LEVELS:
            logger = node.func.value
            if isinstance(logger, ast.Name) and logger.id in ("log", "_log"):
                assert isinstance(node.args[0], ast.Constant), ast.unparse(node)
                found.append(node.args[0].value)
        elif isinstance(node, ast.Dict):
            pairs = zip(node.keys, node.values, strict=True)
            found += [
                v.value
                for k, v in pairs
                if isinstance(k, ast.Constant) and k.value == "event" and isinstance(v, ast.Constant)
            ]
    return found


def test_events_are_named_part_dot_what_happened() -> None:
    events = {
        (path.name, name)
        for path in SOURCES.rglob("*.py")
        for name in names(ast.parse(path.read_text("utf-8")))
    }
    assert len(events) > 25
    assert {event for event in events if not STYLE.fullmatch(event[1])} == set()
