"""Coverage-guided fuzzing of the charset arbitration: `python tests/fuzz/fuzz_charset.py
[-max_total_time=600]`."""

from __future__ import annotations

import sys


def one_input(data: bytes) -> None:
    """A first line as declaration, further lines as values: always an answer, always text that UTF-8 can
    carry."""
    from yingqiao.dicom.charset import arbitrate

    declared, *values = data.split(b"\n")
    raws = dict(enumerate(values))
    decoded = arbitrate(raws, declared)
    assert decoded.values.keys() == raws.keys()
    for text in decoded.values.values():
        text.encode()
    assert len(set(decoded.oddities)) == len(decoded.oddities)


if __name__ == "__main__":
    import atheris

    with atheris.instrument_imports():
        import yingqiao.dicom.charset  # noqa: F401
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
