"""Every readable file of pydicom's own data is accepted with its transfer syntax and kept byte for byte."""

from __future__ import annotations

import importlib.util
import struct
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from pydicom.filereader import read_partial
from pydicom.uid import ImplicitVRLittleEndian

from tests.integration.dicom.raw_sender import RawSender

_PACKAGE = Path(pydicom.__file__).parent / "data"
_BIG_SET = importlib.util.find_spec("data_store")


def folders() -> list[Path]:
    assert _BIG_SET, "pydicom-data is missing"
    assert _BIG_SET.submodule_search_locations
    return [
        _PACKAGE / "test_files",
        _PACKAGE / "charset_files",
        Path(_BIG_SET.submodule_search_locations[0]) / "data",
    ]


def split(path: Path) -> tuple[str, str, str, bytes] | None:
    """SOP class, SOP instance, transfer syntax and the dataset as in the file; None when it is not DICOM."""
    raw = path.read_bytes()
    try:
        with path.open("rb") as stream:
            meta = read_partial(stream, stop_when=lambda tag, vr, length: True)
            start = stream.tell()
    except Exception:  # noqa: BLE001 pydicom raises anything on a file that is none
        return None
    if "TransferSyntaxUID" not in meta.file_meta and raw[128:132] == b"DICM":
        return None
    if len(raw) - start < 8:
        return None
    syntax = str(meta.file_meta.get("TransferSyntaxUID", ImplicitVRLittleEndian))
    if raw[128:132] == b"DICM":
        start = _meta_end(raw)
    sop_class = str(meta.file_meta.get("MediaStorageSOPClassUID", "1.2.840.10008.5.1.4.1.1.7"))
    return sop_class or "1.2.840.10008.5.1.4.1.1.7", "", syntax, raw[start:]


def _meta_end(raw: bytes) -> int:
    """Where group 0002 ends, by its elements (explicit little endian)."""
    position = 132
    while raw[position : position + 2] == b"\x02\x00":
        vr = raw[position + 4 : position + 6]
        if vr in (b"OB", b"OW", b"UN", b"UT", b"SQ"):
            position += 12 + struct.unpack_from("<I", raw, position + 8)[0]
        else:
            position += 8 + struct.unpack_from("<H", raw, position + 6)[0]
    return position


@pytest.mark.peer
def test_every_file_of_pydicom_is_kept_byte_for_byte(receiver):
    """All transfer syntaxes among them: compressed, deflated, big endian, private."""
    files = {}
    for number, path in enumerate(
        sorted(p for folder in folders() for p in folder.rglob("*") if p.is_file())
    ):
        parts = split(path)
        if parts:
            files[f"1.2.826.{number}"] = (path.name, parts)
    gateway = receiver()
    sent = {}
    for uid, (name, (sop_class, _, syntax, dataset)) in files.items():
        if sop_class.startswith("1.2.840.10008.1.3.10"):
            continue  # a DICOMDIR is no instance
        with RawSender(gateway.port, [(sop_class, syntax)]) as sender:
            assert sender.store(dataset, uid) == 0, name
            sender.release()
        sent[uid] = dataset
    assert len(sent) >= 151
    kept = {}
    for row in gateway.rows():
        kept[
            gateway.landing.read(
                row.segment, row.offset + row.dataset_offset, row.length - row.dataset_offset
            )
        ] = row
    missing = [files[uid][0] for uid, dataset in sent.items() if dataset not in kept]
    assert not missing


@pytest.mark.peer
def test_the_part_10_file_made_is_readable_by_pydicom(receiver):
    """PS3.10 7.1: our file meta before their dataset."""
    path = _PACKAGE / "test_files" / "CT_small.dcm"
    parts = split(path)
    assert parts
    gateway = receiver()
    with RawSender(gateway.port, [(parts[0], parts[2])], calling="CT_ROOM_1") as sender:
        assert sender.store(parts[3], "1.3.6.1.4.1.5962.1.1.1.1.1.20040119072730.12322") == 0
    (row,) = gateway.rows()
    whole = gateway.landing.read(row.segment, row.offset, row.length)
    made = pydicom.dcmread(BytesIO(whole))
    original = pydicom.dcmread(path)
    assert made == original
    assert made.file_meta.SourceApplicationEntityTitle == "CT_ROOM_1"
    assert made.file_meta.TransferSyntaxUID == original.file_meta.TransferSyntaxUID
