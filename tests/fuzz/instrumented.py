"""Imported first by a harness: when it is run as a program, our modules are loaded with
coverage for atheris.
"""

import importlib
import sys

FUZZING = any(argument.startswith("tests.fuzz.fuzz_") for argument in sys.orig_argv)

if FUZZING:
    import atheris

    with atheris.instrument_imports(include=["yingqiao"], enable_loader_override=False):
        for module in ("yingqiao.exchange.receive", "yingqiao.exchange.judge"):
            importlib.import_module(module)
