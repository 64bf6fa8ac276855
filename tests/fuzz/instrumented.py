"""Imported first by a harness: when it is run as a program, our modules are loaded with
coverage for atheris.
"""

import contextlib
import importlib
import sys
from collections.abc import Iterator

FUZZING = any(argument.startswith("tests.fuzz.fuzz_") for argument in sys.orig_argv)

if FUZZING:
    import atheris

    with atheris.instrument_imports(include=["yingqiao"], enable_loader_override=False):
        for module in ("yingqiao.exchange.receive", "yingqiao.exchange.judge"):
            importlib.import_module(module)


@contextlib.contextmanager
def imports() -> Iterator[None]:
    """Around the imports of a harness whose modules are not loaded above: with coverage when it is run as a program."""
    if not FUZZING:
        yield
        return
    with atheris.instrument_imports(
        include=["yingqiao.gm", "yingqiao.signing", "yingqiao.web.coss", "yingqiao.app.keyring"],
        enable_loader_override=False,
    ):
        yield
