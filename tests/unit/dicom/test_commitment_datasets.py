"""Requests and reports of storage commitment as bytes (PS3.4 J.3; PS3.5 7.5): read from anybody, bounded."""

from __future__ import annotations

import time
from io import BytesIO
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset, dcmread
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.sequence import Sequence

from yingqiao.dicom.commitment import datasets
from yingqiao.dicom.commitment.datasets import (
    EXPLICIT_LE,
    IMPLICIT_LE,
    BadRequest,
    read_request,
    write_report,
    write_request,
)
from yingqiao.exchange.commitment import Failure, FailureReason, Reference, Verdict

CT = "1.2.840.10008.5.1.4.1.1.2"
SYNTAXES = [IMPLICIT_LE, EXPLICIT_LE]
REFERENCES = [Reference(CT, f"1.2.3.{n}") for n in range(3)]


def pydicom_bytes(dataset: Dataset, syntax: str) -> bytes:
    """As another implementation writes it."""
    out = DicomBytesIO()
    out.is_little_endian, out.is_implicit_VR = True, syntax == IMPLICIT_LE
    write_dataset(out, dataset)
    return out.getvalue()


def pydicom_request(undefined: bool) -> Dataset:
    dataset = Dataset()
    dataset.TransactionUID = "1.2.9"
    dataset.StorageMediaFileSetID = "SET"
    items = []
    for sop_class, sop_instance in REFERENCES:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, sop_instance
        purpose = Dataset()
        purpose.CodeValue, purpose.CodeMeaning = "1", "nested"
        item.PurposeOfReferenceCodeSequence = Sequence([purpose])
        item["PurposeOfReferenceCodeSequence"].is_undefined_length = undefined
        item.is_undefined_length_sequence_item = undefined
        items.append(item)
    dataset.ReferencedSOPSequence = Sequence(items)
    dataset["ReferencedSOPSequence"].is_undefined_length = undefined
    return dataset


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("undefined", [False, True])
def test_what_pydicom_writes_is_read(syntax: str, undefined: bool) -> None:
    """Nested sequences, defined and undefined lengths, optional elements before and after."""
    found = read_request(pydicom_bytes(pydicom_request(undefined), syntax), syntax)
    assert found == ("1.2.9", tuple(REFERENCES))


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_what_is_written_is_read(syntax: str) -> None:
    assert read_request(write_request("1.2.9", REFERENCES, syntax), syntax).references == tuple(REFERENCES)


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_pydicom_reads_the_report(syntax: str) -> None:
    """PS3.4 table J.3-3."""
    failed = Failure(Reference(CT, "1.2.4"), FailureReason.NO_SUCH_OBJECT_INSTANCE)
    raw = write_report("1.2.9", Verdict(tuple(REFERENCES), (failed,)), syntax)
    meta = b"\x02\x00\x10\x00UI" + pack("<H", len(syntax) + len(syntax) % 2)
    meta += syntax.encode() + b"\0" * (len(syntax) % 2)
    found = dcmread(BytesIO(bytes(128) + b"DICM" + meta + raw))
    assert found.TransactionUID == "1.2.9"
    assert [i.ReferencedSOPInstanceUID for i in found.ReferencedSOPSequence] == [r[1] for r in REFERENCES]
    assert [(i.ReferencedSOPInstanceUID, i.FailureReason) for i in found.FailedSOPSequence] == [
        ("1.2.4", 0x0112)
    ]
    assert [int(element.tag) for element in found] == sorted(int(element.tag) for element in found)


def test_each_reference_counts_once() -> None:
    raw = write_request("1.2.9", REFERENCES * 2, EXPLICIT_LE)
    assert len(read_request(raw, EXPLICIT_LE).references) == 3


def _long_item() -> bytes:
    return write_request("1.2.9", REFERENCES[:1], IMPLICIT_LE)[:-4]


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"", 0x0115),
        (write_request("1.2.9", [], IMPLICIT_LE), 0x0115),
        (write_request("1.2.9", REFERENCES, IMPLICIT_LE)[16:], 0x0115),
        (_long_item(), 0x0115),
        (write_request("1.2.9", [Reference(CT, "not a uid")], IMPLICIT_LE), 0x0115),
        (write_request("1.2.9", [Reference(CT, "1." * 40)], IMPLICIT_LE), 0x0115),
        (write_request("1.2.9", [Reference("", "1.2.3")], IMPLICIT_LE), 0x0115),
        (b"\x08\x00\x99\x11\xff\xff\xff\xff" * 1000, 0x0115),
        (b"\x08\x00\x99\x11\xff\xff\xff\xff" + b"\xfe\xff\x00\xe0\xff\xff\xff\xff" * 1000, 0x0115),
        (b"\x08\x00\x00\x10\xff\xff\xff\xff" + b"\xfe\xff\x00\xe0\xff\xff\xff\xff" * 100_000, 0x0115),
    ],
    ids=["empty", "no-items", "no-transaction", "cut", "no-uid", "long", "no-class", "open", "items", "deep"],
)
def test_what_is_no_request_is_refused(raw: bytes, status: int) -> None:
    """PS3.7 annex C: invalid argument value."""
    with pytest.raises(BadRequest) as refused:
        read_request(raw, IMPLICIT_LE)
    assert refused.value.status == status
    assert refused.value.comment.isascii()
    assert len(refused.value.comment) <= 64


def test_a_hundred_thousand_references_are_read_and_one_more_is_not() -> None:
    many = [Reference(CT, f"1.2.840.113619.2.55.3.604688119.868.1449475345.{n}") for n in range(100_001)]
    raw = write_request("1.2.9", many[:-1], EXPLICIT_LE)
    assert len(raw) < datasets.MAX_BYTES
    began = time.process_time()
    assert len(read_request(raw, EXPLICIT_LE).references) == 100_000
    assert time.process_time() - began < 20
    with pytest.raises(BadRequest) as refused:
        read_request(write_request("1.2.9", many, EXPLICIT_LE), EXPLICIT_LE)
    assert refused.value.status == 0x0213


def test_elements_without_end_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets, "MAX_ELEMENTS", 1000)
    with pytest.raises(BadRequest) as refused:
        read_request(b"\x08\x00\x01\x00\x00\x00\x00\x00" * 2000, IMPLICIT_LE)
    assert refused.value.status == 0x0213


SEED = pydicom_bytes(pydicom_request(undefined=True), EXPLICIT_LE)


@given(st.binary(max_size=300), st.sampled_from(SYNTAXES))
def test_any_bytes_are_read_or_refused(raw: bytes, syntax: str) -> None:
    _read(raw, syntax)


@given(
    st.lists(st.tuples(st.integers(0, len(SEED) - 1), st.integers(0, 255)), max_size=6),
    st.integers(0, len(SEED)),
)
def test_broken_requests_are_read_or_refused(changes: list[tuple[int, int]], cut: int) -> None:
    """A good one with bytes changed and the end cut off."""
    raw = bytearray(SEED)
    for place, value in changes:
        raw[place] = value
    _read(bytes(raw[:cut]), EXPLICIT_LE)
    _read(bytes(raw), IMPLICIT_LE)


def _read(raw: bytes, syntax: str) -> None:
    try:
        found = read_request(raw, syntax)
    except BadRequest:
        pass
    else:
        assert found.references
        assert all(len(uid) <= 64 for one in found.references for uid in one)
