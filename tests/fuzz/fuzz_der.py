"""Coverage-guided fuzzing of the ASN.1 reader: any bytes are read within bounds, or refused with its own error.

`python -m tests.fuzz.fuzz_der -max_total_time=60 [corpus folder]` (needs atheris).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from tests.fuzz import instrumented

with instrumented.imports():
    from yingqiao.gm import der

_MOST = 20_000


def one_input(data: bytes) -> None:
    for ber in (False, True):
        try:
            root = der.parse(data, ber=ber)
        except der.DerError:
            continue
        _walk(root)


def _walk(root: der.Node) -> None:
    """Every element: inside its parent, its raw bytes those of the input; under DER what is read is written back."""
    level, count = [root], 0
    while level and count < _MOST:
        node = level.pop()
        count += 1
        assert node.start < node.body <= node.end <= node.stop <= len(node.data)
        assert node.depth <= der.MAX_DEPTH
        if not node.ber:
            assert der.element(node.tag, node.content) == node.raw
        _values(node)
        if not node.constructed:
            continue
        try:
            inside = node.children()
        except der.DerError:
            continue
        assert sum(len(child.raw) for child in inside) == node.end - node.body
        level += inside


def _values(node: der.Node) -> None:
    for read in (der.integer, der.boolean, der.octets, der.bits, der.oid, der.time):
        try:
            value = read(node)
        except der.DerError:
            continue
        if read is der.oid:
            assert der.oid(der.parse(der.write_oid(value))) == value


def corpus() -> Iterator[bytes]:
    yield b"\x30\x80\x24\x80\x04\x01a\x04\x01b\0\0\0\0"
    yield der.sequence(
        der.write_integer(-129), der.write_oid("2.999.1"), der.write_null(), der.write_bits(b"ab", 3)
    )
    yield b"\x30\x80" * 40 + b"\0\0" * 40
    yield b"\x30\x84\x7f\xff\xff\xff"
    yield from (b"\x17\x0d260301040506Z", b"\x18\x13202603010405.123+0800", b"\x1f\x81\x01\0")
    from tests.fuzz.seeds_gm import structures

    yield from structures()


if __name__ == "__main__" and instrumented.FUZZING:
    import atheris

    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
