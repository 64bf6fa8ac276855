"""The tag walker against pydicom on pydicom's own files, and on bytes no one should send (DICOM PS3.5)."""

import random
import struct
import warnings
import zlib
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.filereader import _read_file_meta_info

from yingqiao.dicom import index
from yingqiao.dicom.index import read_facts, read_head

DATA = Path(pydicom.__file__).parent / "data"
FILES = sorted(
    path
    for folder in ("test_files", "charset_files")
    for path in (DATA / folder).rglob("*")
    if path.is_file()
    and path.suffix not in (".txt", ".json", ".gz", ".icc", ".dump")
    and path.name != "README"
)
IMPLICIT, EXPLICIT, DEFLATED, BIG = (f"1.2.840.10008.1.2{end}" for end in ("", ".1", ".1.99", ".2"))
UID = "1.2.3"


def _parts(path: Path) -> tuple[bytes, str]:
    """Dataset bytes and transfer syntax of a file; without a meta header, what pydicom assumes."""
    raw = path.read_bytes()
    if raw[128:132] != b"DICM":
        return raw, IMPLICIT
    stream = BytesIO(raw)
    stream.seek(132)
    meta = _read_file_meta_info(stream)
    return raw[stream.tell() :], str(meta.get("TransferSyntaxUID", IMPLICIT))


def _text(dataset: pydicom.Dataset, tag: int) -> str:
    element = dataset.get(tag)
    if element is None or element.value is None:
        return ""
    value = "\\".join(map(str, element.value)) if element.VM > 1 else str(element.value)
    return value.strip()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
@pytest.mark.filterwarnings("ignore")
def test_facts_equal_pydicoms(path):
    dataset = pydicom.dcmread(path, force=True, stop_before_pixels=True)
    raw, syntax = _parts(path)
    sop = str(dataset.get("SOPInstanceUID", ""))
    facts = read_facts(memoryview(raw), syntax, str(dataset.get("SOPClassUID", "")), sop)
    for tag, name in index._TEXTS.items():
        # pydicom drops empty name groups
        assert getattr(facts, name).rstrip("=") == _text(dataset, tag), name
    assert facts.study_uid == str(dataset.get("StudyInstanceUID", ""))
    assert facts.series_uid == str(dataset.get("SeriesInstanceUID", ""))
    assert (facts.rows, facts.columns) == (dataset.get("Rows", 0), dataset.get("Columns", 0))
    if "bad-number" not in facts.oddities:
        assert facts.number_of_frames == int(dataset.get("NumberOfFrames", None) or 1)
    assert not {"uid-mismatch", "class-mismatch", "charset-lied"} & set(facts.oddities)
    assert not ("parse-stopped" in facts.oddities and facts.study_uid)


def _element(tag: int, vr: str, value: bytes, *, mark: str = "<") -> bytes:
    if mark == "implicit":
        return struct.pack("<HHL", tag >> 16, tag & 0xFFFF, len(value)) + value
    head = struct.pack(mark + "HH", tag >> 16, tag & 0xFFFF) + vr.encode()
    if vr in ("SQ", "UN", "OB", "OW"):
        return head + b"\0\0" + struct.pack(mark + "L", len(value)) + value
    return head + struct.pack(mark + "H", len(value)) + value


def _plain(mark: str = "<", *, before: bytes = b"") -> bytes:
    short = struct.pack(">H" if mark == ">" else "<H", 512)
    rows = [
        _element(0x00080005, "CS", b"ISO_IR 100", mark=mark),
        _element(0x00080018, "UI", b"1.2.3\0", mark=mark),
        before,
        _element(0x00100010, "PN", "王^昞".encode("gb18030"), mark=mark),
        _element(0x0020000D, "UI", b"1.2.3.4\0", mark=mark),
        _element(0x0020000E, "UI", b"1.2.3.4.5\0", mark=mark),
        _element(0x00280008, "IS", b"3 ", mark=mark),
        _element(0x00280010, "US", short, mark=mark),
        _element(0x00280011, "US", short, mark=mark),
        _element(0x7FE00010, "OW", b"\0" * 8, mark=mark),
    ]
    return b"".join(rows)


def _expect(facts: index.InstanceFacts, *oddities: str) -> None:
    assert (facts.study_uid, facts.series_uid, facts.patient_name) == ("1.2.3.4", "1.2.3.4.5", "王^昞")
    assert (facts.rows, facts.columns, facts.number_of_frames) == (512, 512, 3)
    assert (facts.declared_charset, facts.used_charset) == ("ISO_IR 100", "GB18030")
    assert set(facts.oddities) == {"charset-lied", *oddities}


@pytest.mark.parametrize(
    ("syntax", "mark"),
    [(IMPLICIT, "implicit"), (EXPLICIT, "<"), (BIG, ">"), ("1.2.840.113619.5.2", "implicit")],
)
def test_every_byte_order(syntax, mark):
    _expect(read_facts(_plain(mark), syntax, UID, UID))


@pytest.mark.parametrize(
    ("syntax", "mark"),
    [(IMPLICIT, "<"), (EXPLICIT, "implicit"), (BIG, "<"), (EXPLICIT, ">"), (IMPLICIT, ">")],
)
def test_a_syntax_the_bytes_contradict_is_overruled(syntax, mark):
    _expect(read_facts(_plain(mark), syntax, UID, UID), "syntax-lied")


def test_deflated_with_and_without_the_forbidden_wrapper():
    machine = zlib.compressobj(wbits=-15)
    _expect(read_facts(machine.compress(_plain()) + machine.flush() + b"\0", DEFLATED, UID, UID))
    _expect(read_facts(zlib.compress(_plain()), DEFLATED, UID, UID))
    _expect(read_facts(_plain(), DEFLATED, UID, UID), "bad-deflate")


def test_a_deflate_bomb_is_inflated_to_a_bound():
    machine = zlib.compressobj(wbits=-15)
    body = _element(0x00080005, "CS", b"ISO_IR 100") + _element(0x00090010, "UN", b"\0" * 40_000_000)
    facts = read_facts(machine.compress(body) + machine.flush(), DEFLATED, UID, UID)
    assert "parse-stopped" in facts.oddities


def test_large_private_data_before_the_study_in_a_deflated_dataset():
    machine = zlib.compressobj(wbits=-15)
    body = _plain(before=_element(0x00091001, "UN", b"\0" * 1_000_000))
    _expect(read_facts(machine.compress(body) + machine.flush(), DEFLATED, UID, UID))


def _nested(depth: int, mark: str) -> bytes:
    if mark == "implicit":
        head = struct.pack("<HHL", 8, 0x1140, 0xFFFFFFFF)
    else:
        head = struct.pack(mark + "HH2sHL", 8, 0x1140, b"SQ", 0, 0xFFFFFFFF)
    order = "<" if mark == "implicit" else mark
    item = struct.pack(order + "HHL", 0xFFFE, 0xE000, 0xFFFFFFFF)
    ends = struct.pack(order + "HHLHHL", 0xFFFE, 0xE00D, 0, 0xFFFE, 0xE0DD, 0)
    inner = _element(0x0020000D, "UI", b"9.9.9\0", mark=mark)
    return (head + item) * depth + inner + ends * depth


@pytest.mark.parametrize(("syntax", "mark"), [(IMPLICIT, "implicit"), (EXPLICIT, "<"), (BIG, ">")])
@pytest.mark.parametrize("depth", [1, 3, 2000])
def test_nested_sequences_of_undefined_length_are_skipped(syntax, mark, depth):
    """Deep nesting sends recursive readers over the edge; tags inside never count."""
    _expect(read_facts(_plain(mark, before=_nested(depth, mark)), syntax, UID, UID))


def test_an_unknown_vr_of_undefined_length_holds_implicit_elements():
    """PS3.5 6.2.2: UN of undefined length is implicit little endian, also inside an explicit sequence."""
    inner = struct.pack("<HH2sHL", 9, 0x1001, b"UN", 0, 0xFFFFFFFF) + _nested(1, "implicit")[8:]
    outer = struct.pack("<HH2sHLHHL", 8, 0x1140, b"SQ", 0, 0xFFFFFFFF, 0xFFFE, 0xE000, 0xFFFFFFFF)
    after = _element(0x00081155, "UI", b"1.2\0") + struct.pack(
        "<HHLHHL", 0xFFFE, 0xE00D, 0, 0xFFFE, 0xE0DD, 0
    )
    _expect(read_facts(_plain(before=inner), EXPLICIT, UID, UID))
    _expect(read_facts(_plain(before=outer + inner + after), EXPLICIT, UID, UID))


def test_oddities_say_what_was_odd():
    plain = _plain()
    assert "uid-mismatch" in read_facts(plain, EXPLICIT, UID, "1.2.9").oddities
    assert read_facts(plain, EXPLICIT, UID, "1.2.9").sop_instance_uid == "1.2.9"
    assert "class-mismatch" in read_facts(_element(0x00080016, "UI", b"1.1\0"), EXPLICIT, UID, UID).oddities
    assert set(read_facts(b"", EXPLICIT, UID, UID).oddities) == {"no-study-uid", "no-series-uid"}
    assert "parse-stopped" in read_facts(b"garbage that is no DICOM", EXPLICIT, UID, UID).oddities
    assert "parse-stopped" in read_facts(plain[:60], EXPLICIT, UID, UID).oddities
    assert "bad-vr" in read_facts(_plain(before=_element(0x00081030, "?!", b"")), EXPLICIT, UID, UID).oddities
    assert "bad-uid" in read_facts(_element(0x0020000D, "UI", b"1.2.x "), EXPLICIT, UID, UID).oddities
    assert "bad-number" in read_facts(_element(0x00280008, "IS", b"many"), EXPLICIT, UID, UID).oddities
    assert "tag-repeated" in read_facts(_element(0x0020000D, "UI", b"1.2 ") * 2, EXPLICIT, UID, UID).oddities
    long = _element(0x0020000D, "UI", b"1.2 ") + _element(0x00200010, "SH", b"x" * 60_000)
    assert "value-too-long" in read_facts(long, EXPLICIT, UID, UID).oddities
    many = _element(0x00090010, "LO", b"") * 60_000
    assert "too-many-elements" in read_facts(many, EXPLICIT, UID, UID).oddities


def test_a_whole_part10_file_sent_as_dataset():
    raw = (DATA / "test_files" / "CT_small.dcm").read_bytes()
    dataset = pydicom.dcmread(BytesIO(raw))
    facts = read_facts(raw, EXPLICIT, str(dataset.SOPClassUID), str(dataset.SOPInstanceUID))
    assert facts.study_uid == dataset.StudyInstanceUID
    assert facts.oddities == ("part10-inside",)


def test_tags_out_of_order_are_still_found():
    body = _element(0x00280030, "DS", b"1\\1 ") + _element(0x0020000D, "UI", b"1.2 ")
    assert read_facts(body, EXPLICIT, UID, UID).study_uid == "1.2"


def test_no_control_character_reaches_the_store():
    facts = read_facts(_element(0x00100020, "LO", b"A\0B\x1b[31mC\n "), EXPLICIT, UID, UID)
    assert facts.patient_id == "A B [31mC"


@settings(max_examples=300)
@given(st.binary(max_size=300), st.sampled_from([IMPLICIT, EXPLICIT, BIG, DEFLATED]))
def test_any_bytes_give_facts(raw, syntax):
    assert read_facts(memoryview(raw), syntax, UID, UID).sop_instance_uid == UID


def test_flipped_bytes_of_real_files_give_facts():
    rng = random.Random(7)
    for path in FILES:
        raw, syntax = _parts(path)
        for _ in range(20):
            changed = bytearray(raw[:20_000])
            for _ in range(rng.randint(1, 8)):
                if changed:
                    changed[rng.randrange(len(changed))] = rng.choice((0, 0xFF, rng.randrange(256)))
            with warnings.catch_warnings(record=True) as caught:
                read_facts(bytes(changed), syntax, UID, UID)
            assert not caught


def test_a_head_says_the_same_or_that_it_does_not_suffice():
    """The first bytes of a dataset never give other facts than the whole, wherever they are cut."""
    whole = _plain() + _element(0x7FE00010, "OW", bytes(2000))
    facts = read_facts(whole, EXPLICIT, UID, UID)
    heads = [read_head(whole[:size], EXPLICIT, UID, UID) for size in range(len(whole))]
    assert heads[-1] == facts
    assert {head for head in heads if head is not None} == {facts}
    assert heads[10] is None
