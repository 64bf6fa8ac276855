"""Inputs a fuzzer starts from: `python -m tests.fuzz.seeds HARNESS FOLDER` writes a file each."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path

import pydicom

_LARGEST = 40_000


def seeds(harness: str) -> Iterable[bytes]:
    """What the harness itself offers as `corpus()`, or what its format has at hand."""
    offered = getattr(import_module(f"tests.fuzz.fuzz_{harness}"), "corpus", None)
    if offered is not None:
        return offered()
    return {"pdu": _conversations, "dicom": _datasets, "charset": _texts}.get(harness, lambda: ())()


def _conversations() -> Iterator[bytes]:
    from tests.unit.dicom.conversation import REQUEST, fragments, store_command
    from yingqiao.dicom.upper_layer import pdu

    request, command = pdu.encode(REQUEST), fragments(store_command(), 500, command=True)
    for mode in range(4):
        for part in (request, request + command, command, fragments(b"dataset" * 30, 60), request[6:]):
            yield bytes([mode]) + part


def _datasets() -> Iterator[bytes]:
    """Datasets of pydicom's own small test files, under each transfer syntax the harness knows."""
    for path in sorted((Path(pydicom.__file__).parent / "data/test_files").glob("*.dcm")):
        data = path.read_bytes()
        if len(data) <= _LARGEST and data[128:132] == b"DICM":
            yield from (bytes([syntax]) + data[132:] for syntax in range(4))


def _texts() -> Iterator[bytes]:
    for declared in (b"", b"GB18030", b"ISO_IR 100", b"ISO_IR 192", rb"\ISO 2022 IR 58"):
        for text in ("张^三=李", "CT胸部平扫", "plain", "Ünïcode"):
            for encoding in ("gb18030", "utf-8", "latin-1"):
                yield declared + b"\n" + text.encode(encoding, "replace")


def main(harness: str, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for data in seeds(harness):
        (folder / hashlib.sha256(data).hexdigest()[:24]).write_bytes(data)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
