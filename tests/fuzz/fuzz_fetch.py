"""Coverage-guided fuzzing of addresses and of what fetched files hold: `fuzz_fetch.py [corpus] [-max_total_time=600]`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
MODES = 3
_TYPES = ("", "multipart/related; boundary=b", "application/dicom")


def one_input(data: bytes) -> None:
    """The first byte picks: an address as text, an address as bytes, or a file and its content type."""
    from tests.unit.client.test_contents import check_contents
    from tests.unit.exchange.fetch.test_addresses import check_address, said
    from yingqiao.exchange.fetch import AllowedHost, FetchError, choose, parse_address

    mode, rest = (data[0] % (MODES + 1), data[1:]) if data else (0, b"")
    if mode == 0:
        check_address(rest.decode("utf-8", "surrogateescape"))
    elif mode == 1:
        try:
            address = parse_address(rest, parse_address("http://h/x/a"))
            chosen = choose(
                address, [AllowedHost("http", "h", root="/x"), AllowedHost("file", "", root="/x")]
            )
        except FetchError as error:
            said(error)
        else:
            assert chosen.scheme == address.scheme
            assert address.path_bytes().startswith(b"/x")
    else:
        check_contents(rest, _TYPES[data[0] % len(_TYPES)])


def corpus() -> Iterator[bytes]:
    """Addresses of every form, files of every kind."""
    from tests.unit.client import test_contents

    for text in (
        "http：／／10.1.2.3：80／图 a.dcm",
        "\\\\nas\\a\\..\\b",
        "ftp://u:p@h/%CD%BC;x#?",
        "http://[::1]/%2e%2e/x",
    ):
        yield b"\0" + text.encode()
        yield b"\1" + text.encode("gb18030")
    for seed in test_contents._SEEDS:
        yield b"\2" + seed
        yield b"\3" + seed


if __name__ == "__main__":
    import atheris

    with atheris.instrument_imports(include=["yingqiao"]):
        import yingqiao.client.fetch.contents
        import yingqiao.exchange.fetch  # noqa: F401
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
