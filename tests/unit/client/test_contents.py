"""What a fetched file holds: DICOM in whatever users put it in, bounded whatever the bytes (四 interface mode)."""

import gzip
import io
import struct
import time
import tracemalloc
import zipfile
from pathlib import Path

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.dicom_files import CT, EXPLICIT, IMPLICIT, dataset, element, part10
from yingqiao.client.fetch.contents import Instance, instances
from yingqiao.client.fetch.walk import EXPLICIT_LE, walk
from yingqiao.exchange.fetch import FetchError, FileState
from yingqiao.exchange.work import ErrorClass

FILES = sorted((Path(pydicom.__file__).parent / "data/test_files").glob("*.dcm"))
UIDS = ("1.2.3.1", "1.2.3.2", "1.2.3.3")


def held(data: bytes, content_type: str = "") -> list[tuple[str, bytes, bytes, str]]:
    """UID, prefix, dataset and syntax of each instance, copied."""
    return [
        (i.sop_instance_uid, bytes(i.prefix), bytes(i.dataset), i.transfer_syntax_uid)
        for i in instances(memoryview(data), content_type)
    ]


def said(error: FetchError) -> None:
    """A designed refusal."""
    assert error.state is FileState.UNUSABLE
    assert error.reason


def refused(data: bytes, content_type: str = "") -> tuple[ErrorClass, str]:
    with pytest.raises(FetchError) as error:
        held(data, content_type)
    assert error.value.state is FileState.UNUSABLE
    return error.value.error_class, error.value.reason


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def test_a_file_is_kept_byte_for_byte():
    data = part10("1.2.3.1")
    ((uid, prefix, body, syntax),) = held(data)
    assert (uid, prefix + body, syntax) == ("1.2.3.1", data, EXPLICIT)
    assert body == dataset("1.2.3.1")


def test_files_without_preamble_without_meta_without_anything():
    data = part10("1.2.3.1")
    for cut in (data[128:], data[132:]):
        ((uid, prefix, body, _),) = held(cut)
        assert (uid, prefix + body) == ("1.2.3.1", data)
    assert held(dataset("1.2.3.1")) == [("1.2.3.1", b"", dataset("1.2.3.1"), EXPLICIT)]
    bare = dataset("1.2.3.1", implicit=True)
    assert held(bare) == [("1.2.3.1", b"", bare, IMPLICIT)]


def test_meta_that_lies_about_its_length_or_lacks_the_syntax():
    data = bytearray(part10("1.2.3.1"))
    data[140:144] = struct.pack("<L", 7)
    assert held(bytes(data))[0][0] == "1.2.3.1"
    head = bytes(128) + b"DICM" + element(2, 1, "OB", b"\0\1")
    assert held(head + dataset("1.2.3.1"))[0][::3] == ("1.2.3.1", EXPLICIT)
    assert held(head + dataset("1.2.3.1", implicit=True))[0][::3] == ("1.2.3.1", IMPLICIT)


def test_the_datasets_own_uid_stands_when_the_meta_says_another():
    data = part10("1.2.3.1").replace(element(2, 3, "UI", b"1.2.3.1"), element(2, 3, "UI", b"1.2.3.9"))
    assert held(data)[0][0] == "1.2.3.1"


@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_pydicom_reads_is_read_alike(path):
    """Real and odd files of many vendors: the same instance as pydicom finds, or a designed refusal."""
    data = path.read_bytes()
    try:
        found = held(data)
    except FetchError as error:
        said(error)
        return
    known = pydicom.dcmread(path, force=True, stop_before_pixels=True)
    assert len(found) == 1
    uid, prefix, body, _syntax = found[0]
    assert data.endswith(body)
    assert not prefix or (prefix + body).endswith(data)
    assert uid in (known.get("SOPInstanceUID"), known.file_meta.get("MediaStorageSOPInstanceUID"))


@pytest.mark.parametrize(
    "method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
)
def test_zip_of_images_and_other_things(method):
    members = {f"序列/{uid}.dcm": part10(uid) for uid in UIDS}
    members |= {
        "DICOMDIR": part10("1.2.3.4", sop_class="1.2.840.10008.1.3.10"),
        "说明.txt": b"read me",
        "x/": b"",
    }
    members |= {"../../etc/passwd": part10("1.2.3.5")}  # a name is never used as a path
    assert [uid for uid, *_ in held(zipped(members, method))] == [*UIDS, "1.2.3.5"]


def test_large_members_go_through_a_temporary_file(tmp_path):
    pixels = bytes(range(256)) * 80_000
    found = list(instances(memoryview(zipped({"a": part10("1.2.3.1", pixels)})), folder=tmp_path))
    assert [i.sop_instance_uid for i in found] == ["1.2.3.1"]
    assert list(tmp_path.iterdir()) == []


def test_archives_in_archives_once():
    inner = zipped({"a": part10("1.2.3.1")})
    assert held(zipped({"inner.zip": inner, "b": gzip.compress(part10("1.2.3.2"))}))[1][0] == "1.2.3.2"
    assert (
        refused(zipped({"o": zipped({"inner.zip": inner})}))[1]
        == "其中 1 个文件无法使用：" * 2 + "压缩包套了太多层"
    )
    assert [uid for uid, *_ in held(gzip.compress(zipped({"a": part10("1.2.3.1")})))] == ["1.2.3.1"]


def test_gzip_whole_and_cut():
    packed = gzip.compress(part10("1.2.3.1"))
    assert held(packed)[0][0] == "1.2.3.1"
    assert refused(packed[:-20]) == (ErrorClass.THEIRS, "gzip 文件不完整")


def test_multipart_answers_of_dicomweb():
    """PS3.18 8.6.1.2: multipart/related; type=application/dicom."""
    parts = b"".join(
        b"--b-1\r\nContent-Type: application/dicom\r\n\r\n" + part10(uid) + b"\r\n" for uid in UIDS
    )
    whole = parts + b"--b-1--\r\n"
    for content_type in (
        'multipart/related; type="application/dicom"; boundary=b-1',
        "multipart/related",
        "",
    ):
        assert [uid for uid, *_ in held(whole, content_type)] == list(UIDS)
    assert held(whole)[1][2] == dataset("1.2.3.2")
    with pytest.raises(FetchError, match="不完整"):
        held(parts, "multipart/related; boundary=b-1")


def test_the_good_members_come_before_the_error_of_the_bad_one():
    data = zipped({"1": part10("1.2.3.1"), "2": part10("1.2.3.2")[:-20], "3": part10("1.2.3.3")})
    found: list[Instance] = []
    with pytest.raises(FetchError, match="其中 1 个文件无法使用") as error:
        found.extend(instances(memoryview(data)))
    assert [i.sop_instance_uid for i in found] == ["1.2.3.1", "1.2.3.3"]
    assert error.value.error_class is ErrorClass.THEIRS


@pytest.mark.parametrize(
    ("data", "error_class", "words"),
    [
        (b"", ErrorClass.THEIRS, "文件是空的"),
        (b"<!DOCTYPE html><html>login</html>", ErrorClass.THEIRS, "返回的是网页，不是影像"),
        (b"\xef\xbb\xbf <html>", ErrorClass.THEIRS, "返回的是网页，不是影像"),
        (b'{"code": 500}', ErrorClass.THEIRS, "返回的是JSON 文本，不是影像"),
        (b"%PDF-1.7", ErrorClass.POISON, "返回的是PDF，不是影像"),
        (b"\xff\xd8\xff\xe0" + bytes(100), ErrorClass.POISON, "返回的是普通图片，不是影像"),
        (b"hello", ErrorClass.POISON, "不是 DICOM 影像"),
        (bytes(1000), ErrorClass.POISON, "不是 DICOM 影像"),
        (zipped({"a.txt": b"x"}), ErrorClass.THEIRS, "压缩包或应答里没有影像"),
        (
            part10("1.2.3.1", sop_class="1.2.840.10008.1.3.10"),
            ErrorClass.THEIRS,
            "这是 DICOMDIR 目录文件，不是影像",
        ),
        (part10("1.2.3.1")[:-1], ErrorClass.THEIRS, "影像不完整：文件在数据中间结束"),
        (part10("1.2.3.1")[:333], ErrorClass.THEIRS, "影像不完整：文件在数据中间结束"),
        (part10("1.2.3.1")[:140], ErrorClass.THEIRS, "DICOM 文件头已损坏"),
        (zipped({"a": part10("1.2.3.1")})[:-30], ErrorClass.THEIRS, "zip 压缩包已损坏，或不完整"),
    ],
)
def test_what_is_no_image_is_named(data, error_class, words):
    if words.startswith("这是"):
        data = data.replace(
            element(8, 0x16, "UI", CT.encode()), element(8, 0x16, "UI", b"1.2.840.10008.1.3.10")
        )
    assert refused(data) == (error_class, words)


def test_an_encrypted_zip_is_poison():
    data = bytearray(zipped({"a": part10("1.2.3.1")}))
    data[6] |= 1
    data[data.rindex(b"PK\1\2") + 8] |= 1
    assert refused(bytes(data)) == (ErrorClass.POISON, "zip 压缩包有密码，无法打开")


def test_bombs_are_stopped_soon_and_in_little_memory(tmp_path):
    many = zipped({f"{n}": b"" for n in range(20_001)}, zipfile.ZIP_STORED)
    bombs = {
        "one large member": zipped({"a": bytes(400 << 20)}),
        "gzip": gzip.compress(bytes(400 << 20), 1),
        "many members": many,
        "a table of contents of five million bytes": _huge_directory(),
    }
    tracemalloc.start()
    for name, bomb in bombs.items():
        started = time.process_time()
        with pytest.raises(FetchError):
            list(instances(memoryview(bomb), folder=tmp_path))
        assert time.process_time() - started < 20, name
    assert tracemalloc.get_traced_memory()[1] < 200 << 20
    tracemalloc.stop()
    assert list(tmp_path.iterdir()) == []


def _huge_directory() -> bytes:
    """A few bytes of zip whose end says that the five million before are its table of contents."""
    size = 5_000_000
    return b"PK\3\4" + bytes(size) + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 100, 100, size, 4, 0)


def test_a_walk_of_undefined_lengths():
    """PS3.5 7.5: sequences, encapsulated pixel data (A.4), UN of undefined length (6.2.2)."""
    item = struct.pack("<HHL", 0xFFFE, 0xE000, 0xFFFFFFFF)
    item_end, end = struct.pack("<HHL", 0xFFFE, 0xE00D, 0), struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)
    sequence = (
        struct.pack("<HH2sHL", 0x40, 0x275, b"SQ", 0, 0xFFFFFFFF) + item + element(8, 0x18, "UI", b"9.9")
    )
    unknown = struct.pack("<HH2sHL", 0x41, 0x1001, b"UN", 0, 0xFFFFFFFF) + item
    unknown += element(8, 0x18, "UI", b"9.9", implicit=True) + item_end + end
    fragment = struct.pack("<HHL", 0xFFFE, 0xE000, 4) + b"abcd"
    pixels = struct.pack("<HH2sHL", 0x7FE0, 0x10, b"OB", 0, 0xFFFFFFFF) + fragment * 3
    whole = element(8, 0x18, "UI", b"1.2") + sequence + item_end + end + unknown + pixels + end
    walked = walk(memoryview(whole), EXPLICIT_LE)
    assert (walked.sop_instance_uid, walked.short) == ("1.2", False)
    for cut in (end, end + fragment[:6], end + item_end):
        assert walk(memoryview(whole[: len(whole) - len(cut)]), EXPLICIT_LE).short
    assert not walk(memoryview(whole + bytes(200)), EXPLICIT_LE).short  # padded to a sector


_SEEDS = [
    part10("1.2.3.1"),
    dataset("1.2.3.1", implicit=True),
    zipped({"a": part10("1.2.3.1"), "b": b"text"}),
    gzip.compress(part10("1.2.3.1")),
    b"--b\r\nContent-Type: application/dicom\r\n\r\n" + part10("1.2.3.1") + b"\r\n--b--",
    zipped({"i": zipped({"a": part10("1.2.3.1")})}),
]


@settings(max_examples=400)
@given(
    st.sampled_from(_SEEDS),
    st.lists(st.tuples(st.integers(0, 1200), st.integers(0, 255)), max_size=4),
    st.integers(0, 1500),
)
def test_damaged_files_end_in_instances_or_a_designed_error(seed, changes, length):
    data = bytearray(seed[: length or None])
    for position, value in changes:
        if position < len(data):
            data[position] = value
    check_contents(bytes(data))


def check_contents(data: bytes, content_type: str = "") -> None:
    """What holds of every file; the fuzzer's invariant too."""
    try:
        for instance in instances(memoryview(data), content_type):
            assert instance.sop_class_uid
            assert 0 < len(instance.sop_instance_uid) <= 64
            assert set(instance.sop_instance_uid) <= set("0123456789.")
            assert len(instance.transfer_syntax_uid) <= 64
            assert len(instance.dataset) <= 100 * len(data) + (256 << 20)
    except FetchError as error:
        said(error)
