"""Query datasets: what we ask with, what we make of answers (PS3.4 C.2.2)."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset

from yingqiao.dicom.query_retrieve.attributes import BY_KEYWORD, Level
from yingqiao.dicom.query_retrieve.errors import BadQuery
from yingqiao.dicom.query_retrieve.identifier import (
    EXPLICIT_LE,
    IMPLICIT_LE,
    decode_answer,
    encode_query,
    require_identifying,
)

SYNTAXES = pytest.mark.parametrize("syntax", [EXPLICIT_LE, IMPLICIT_LE])


def pydicom_reads(raw, syntax):
    return read_dataset(DicomBytesIO(raw), is_implicit_VR=syntax == IMPLICIT_LE, is_little_endian=True)


def pydicom_writes(dataset, syntax, charset="gb18030"):
    out = DicomBytesIO()
    out.is_implicit_VR, out.is_little_endian = syntax == IMPLICIT_LE, True
    write_dataset(out, dataset, charset)
    return out.getvalue()


@SYNTAXES
def test_a_query_is_what_pydicom_reads(syntax):
    """Ordered tags, even lengths, the level; (0008,0005) is there and empty, so that peers answer with theirs."""
    keys = {"StudyInstanceUID": "1.2.3", "PatientName": "", "AccessionNumber": "A12", "ModalitiesInStudy": ""}
    read = pydicom_reads(encode_query(Level.STUDY, keys, "", syntax), syntax)
    assert read.QueryRetrieveLevel == "STUDY"
    assert read.StudyInstanceUID == "1.2.3"
    assert read.AccessionNumber == "A12"
    assert "PatientName" in read
    assert not read.PatientName
    assert "SpecificCharacterSet" in read
    assert not read.SpecificCharacterSet
    assert list(read.keys()) == sorted(read.keys())


@pytest.mark.parametrize(
    ("charset", "term", "raw"),
    [
        ("", "GB18030", "王^小明".encode("gb18030")),
        ("GB18030", "GB18030", "王^小明".encode("gb18030")),
        ("GBK", "GBK", "王^小明".encode("gbk")),
        ("ISO_IR 192", "ISO_IR 192", "王^小明".encode()),
        ("ISO 2022 IR 58", ["", "ISO 2022 IR 58"], b"\x1b$)A\xcd\xf5^\x1b$)A\xd0\xa1\xc3\xf7"),
    ],
)
def test_names_are_written_in_the_nodes_charset(charset, term, raw):
    """PS3.3 C.12.1.1.2; with ISO 2022 the set is called anew in each component (PS3.5 annex K)."""
    written = encode_query(Level.STUDY, {"PatientName": "王^小明"}, charset, EXPLICIT_LE)
    read = pydicom_reads(written, EXPLICIT_LE)
    assert raw in written
    assert read.SpecificCharacterSet == term
    assert decode_answer(written, EXPLICIT_LE).get("PatientName") == "王^小明"


def test_a_nodes_charset_is_declared_in_ascii_queries_too():
    """For peers that answer in the question's; without one (0008,0005) asks for theirs."""
    for charset, declared in (("ISO_IR 192", "ISO_IR 192"), ("", None)):
        written = encode_query(Level.STUDY, {"PatientName": "WANG^X"}, charset, EXPLICIT_LE)
        assert (pydicom_reads(written, EXPLICIT_LE).SpecificCharacterSet or None) == declared


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"AccessionNumber": "A*"}, "通配符"),
        ({"AccessionNumber": "A?"}, "通配符"),
        ({"PatientID": "A\\B"}, "分隔符"),
        ({"PatientName": "王\n"}, "控制字符"),
        ({"AccessionNumber": "1" * 17}, "16 个字符"),
        ({"PatientID": "1" * 65}, "64 个字符"),
        ({"StudyInstanceUID": "1.2.x"}, "不是 UID"),
        ({"StudyInstanceUID": "1." * 33}, "不是 UID"),
        ({"StudyInstanceUID": "1.2.*"}, "不是 UID"),
        ({"Modality": "磁共振"}, "ASCII"),
        ({"NoSuchKey": ""}, "不能查询"),
        ({"StudyInstanceUID": ["1.2", ""]}, "空值"),
        ({"StudyInstanceUID": []}, "为空"),
    ],
)
def test_values_that_would_ask_for_something_else_are_refused(keys, words):
    """A wildcard in an accession number from the RIS would find other people's studies."""
    with pytest.raises(BadQuery, match=words):
        encode_query(Level.STUDY, keys, "", EXPLICIT_LE)


def test_wildcards_can_be_asked_for_and_lists_of_uids():
    encode_query(Level.STUDY, {"PatientName": "王*"}, "", EXPLICIT_LE, wildcards=True)
    written = encode_query(Level.STUDY, {"StudyInstanceUID": ["1.2", "1.3"]}, "", EXPLICIT_LE)
    assert decode_answer(written, EXPLICIT_LE).values("StudyInstanceUID") == ("1.2", "1.3")


def test_a_name_that_the_charset_cannot_write_is_refused():
    with pytest.raises(BadQuery, match="书写"):
        encode_query(Level.STUDY, {"PatientName": "𠮷"}, "GBK", EXPLICIT_LE)
    with pytest.raises(BadQuery, match="不认识的字符集"):
        encode_query(Level.STUDY, {"PatientName": "王"}, "KLINGON", EXPLICIT_LE)


@pytest.mark.parametrize("keys", [{}, {"PatientName": ""}, {"PatientName": "*"}, {"Modality": "CT"}])
def test_a_query_for_everything_is_refused(keys):
    """Some PACS answer an empty key with all they have."""
    with pytest.raises(BadQuery, match="全部检查"):
        require_identifying(keys)


@SYNTAXES
@pytest.mark.parametrize("declared", ["GB18030", "", "ISO_IR 100", "ISO_IR 192"])
def test_answers_are_decoded_by_what_they_are(syntax, declared):
    """昞 and 區 end in bytes 5C and 5E: decoded before anything is split; the declaration may lie."""
    dataset = Dataset()
    dataset.SpecificCharacterSet = "GB18030"
    dataset.PatientName = "欧阳^昞區"
    dataset.PatientID = " P1 "
    dataset.ModalitiesInStudy = ["CT", "SR"]
    dataset.NumberOfStudyRelatedInstances = "123 "
    other = Dataset()
    other.SpecificCharacterSet = declared
    lying = pydicom_writes(other, syntax) + pydicom_writes(dataset, syntax)[16:]
    answer = decode_answer(lying, syntax)
    assert answer.get("PatientName") == "欧阳^昞區"
    assert answer.get("PatientID") == "P1"
    assert answer.values("ModalitiesInStudy") == ("CT", "SR")
    assert answer.number("NumberOfStudyRelatedInstances") == 123
    assert answer.number("NumberOfStudyRelatedSeries") is None
    assert answer.get("QueryRetrieveLevel") == ""


@SYNTAXES
def test_an_answer_in_the_other_syntax_is_understood(syntax):
    """Seen: explicit VR agreed, implicit sent."""
    other = IMPLICIT_LE if syntax == EXPLICIT_LE else EXPLICIT_LE
    answer = decode_answer(encode_query(Level.STUDY, {"StudyInstanceUID": "1.2"}, "", other), syntax)
    assert answer.get("StudyInstanceUID") == "1.2"
    assert answer.oddities == ("syntax-lied",)


@SYNTAXES
@pytest.mark.parametrize("undefined", [True, False])
def test_sequences_are_skipped(syntax, undefined):
    item = Dataset()
    item.StudyInstanceUID = "9.9"
    item.CodeValue = "1"
    dataset = Dataset()
    dataset.AnatomicRegionSequence = [item, item]
    dataset["AnatomicRegionSequence"].is_undefined_length = undefined
    item.is_undefined_length_sequence_item = undefined
    dataset.StudyInstanceUID = "1.2"
    answer = decode_answer(pydicom_writes(dataset, syntax), syntax)
    assert answer.get("StudyInstanceUID") == "1.2"
    assert not answer.oddities


def test_wrong_vrs_and_lower_case_ones_are_read():
    """What counts is the text: a UID as LO, a VR in lower case, a count as UN."""
    uid = struct.pack("<HH2sH", 0x20, 0xD, b"lo", 4) + b"1.2 "
    count = struct.pack("<HH2s2xI", 0x20, 0x1208, b"UN", 2) + b"7 "
    answer = decode_answer(uid + count, EXPLICIT_LE)
    assert answer.get("StudyInstanceUID") == "1.2"
    assert answer.number("NumberOfStudyRelatedInstances") == 7


def test_a_torn_answer_gives_what_could_be_read():
    raw = encode_query(Level.STUDY, {"PatientID": "P1", "StudyInstanceUID": "1.2.3.4"}, "", EXPLICIT_LE)
    answer = decode_answer(raw[:-3], EXPLICIT_LE)
    assert answer.get("PatientID") == "P1"
    assert answer.oddities == ("parse-stopped",)


_TEXT = st.text(
    st.characters(codec="gb18030", exclude_categories=["Cc", "Cs"], exclude_characters="\\*?=^"), max_size=20
)


@given(_TEXT, st.sampled_from(["GB18030", "ISO_IR 192"]), st.sampled_from([EXPLICIT_LE, IMPLICIT_LE]))
def test_what_is_asked_is_what_pydicom_decodes(text, charset, syntax):
    written = encode_query(Level.STUDY, {"PatientID": text}, charset, syntax)
    read = pydicom_reads(written, syntax)
    read.decode()
    assert str(read.PatientID or "").strip() == text.strip()


@given(st.binary(max_size=300), st.sampled_from([EXPLICIT_LE, IMPLICIT_LE]))
def test_no_answer_raises(data, syntax):
    answer = decode_answer(data, syntax)
    assert all(isinstance(answer.get(keyword), str) for keyword in BY_KEYWORD)
