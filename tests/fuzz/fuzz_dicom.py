"""Coverage-guided fuzzing of the DICOM header reader: `python tests/fuzz/fuzz_dicom.py [corpus]
[-max_total_time=600]`."""

from __future__ import annotations

import sys

SYNTAXES = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99")
BOUND = 1024


def one_input(data: bytes) -> None:
    """Any bytes give facts: no exception, bounded text, nothing a database refuses. The first byte picks the
    syntax."""
    from yingqiao.dicom.index import read_facts

    facts = read_facts(memoryview(data)[1:], SYNTAXES[data[0] % 4] if data else "", "1.2", "1.2.3")
    for name in facts.__slots__:
        value = getattr(facts, name)
        if isinstance(value, str):
            assert len(value) <= BOUND
            assert "\0" not in value
            value.encode()
        elif isinstance(value, int):
            assert 0 <= value < 2**31


if __name__ == "__main__":
    import atheris

    with atheris.instrument_imports():
        import yingqiao.dicom.index  # noqa: F401
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
