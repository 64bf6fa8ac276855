"""Commands are loaded when they are called, each by the name of its module, so that each starts fast."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType


@contextmanager
def loading() -> Iterator[None]:
    """Imports within it are a tenth faster: the collector does not look again and again at a million new things."""
    were_collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if were_collecting:
            gc.enable()


def load(command_module: str) -> ModuleType:
    """A module of this folder."""
    with loading():
        return import_module(f"yingqiao.cli.{command_module}")
