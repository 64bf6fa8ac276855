"""Coverage-guided fuzzing of sealed PDF files read: facts, or a refusal of ours; a right verdict is never kept by a change.

`python -m tests.fuzz.fuzz_pdf -max_total_time=60 [corpus folder]` (needs atheris).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from tests.fuzz import instrumented

with instrumented.imports():
    from yingqiao.signing.seals.pdf.errors import PdfError
    from yingqiao.signing.seals.pdf.limits import MIB, Limits
    from yingqiao.signing.seals.pdf.model import Kind
    from yingqiao.signing.seals.pdf.reading import read

LIMITS = Limits(bytes=MIB, pages=50, revisions=20, fields=200, signatures=20, decoded=4 * MIB)


def one_input(data: bytes) -> None:
    refused: PdfError | None = None
    try:
        found = read(data, LIMITS)
    except PdfError as error:
        refused = error
    if refused is not None:
        assert refused.code.startswith("pdf-")
        assert refused.reason
        return
    for one in found.signatures:
        assert isinstance(one.kind, Kind)
        if one.envelope_problem is not None:
            assert one.envelope_problem.reason
            continue
        first, a, b, c = one.byte_range
        assert 0 == first <= a <= b <= b + c <= len(data)
        assert len(one.digest()) == 32


def corpus() -> Iterator[bytes]:
    from tests.helpers import pdfs
    from yingqiao.signing.seals.pdf.placing import Paging

    two = [pdfs.Sheet()] * 2
    for options in ({}, {"streams": True}):
        plain = pdfs.make(two, **options)  # type: ignore[arg-type]
        yield plain
        sealed = pdfs.sealed(plain)
        yield sealed
        yield pdfs.sealed(sealed, Paging())
    yield pdfs.hybrid()
    yield pdfs.rsa_signed(pdfs.make())


if __name__ == "__main__" and instrumented.FUZZING:
    import atheris

    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
