"""HL7 v2 ORM and ORU over MLLP: paths, orders, character sets, acknowledgements, framing, hostile bytes."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yingqiao.hospital.mapping import ConfigError
from yingqiao.hospital.source import SourceRecord, Table, Trouble
from yingqiao.hospital.sources import open_source
from yingqiao.hospital.sources.hl7 import Hl7Listener
from yingqiao.hospital.sources.hl7_message import Hl7Error, orders, parse, path_of, whole
from yingqiao.hospital.sources.mllp import Framer, FramingError, frame

ORM = (
    "MSH|^~\\&|RIS|院区|GW|YQ|20260305142000||ORM^O01|MSG1|P|2.4||||||{charset}\r"
    "PID|1||P100^^^MR~V200^^^VN||张三^ZHANG SAN||19900501|M\r"
    "ORC|NW|A1\rOBR|1|A1||CT01^胸部CT平扫\r"
    "ORC|NW|A2\rOBR|2|A2||CT02^头颅\\T\\颈CT\r"
)
ORU = (
    "MSH|^~\\&|RIS||GW||20260305||ORU^R01|MSG2|P|2.4||||||UNICODE UTF-8\rPID|1||P100||李四\r"
    "OBR|1|A1|R1|CT01\rOBX|1|TX|FIND^所见||第一行~第二行\rOBX|2|TX|FIND^所见||第三行\rOBX|3|TX|IMP||肺炎\r"
)
SAID = {
    "name": "his",
    "type": "hl7",
    "host": "127.0.0.1",
    "port": 0,
    "exam": {"fields": {"risStudyId": "OBR-2", "patName": "PID-5.1", "inhospExamItemName": "OBR-4.2"}},
    "report": {
        "fields": {
            "recordNum": "OBR-3",
            "findings": {"column": "OBX[3.1=FIND]-5[*]", "transform": [["join", "\n"]]},
            "inspectExamResult": {"column": "OBX[3.1=IMP]-5", "transform": ["first"]},
        }
    },
}


def raw(text: str = ORM, charset: str = "UNICODE UTF-8", codec: str = "utf-8") -> bytes:
    return text.replace("{charset}", charset).encode(codec)


class Spool:
    def __init__(self) -> None:
        self.kept: list[SourceRecord | Trouble] = []
        self.full = False

    def keep(self, told: object) -> None:
        if self.full:
            raise OSError("disk full")
        self.kept += told  # type: ignore[operator]


@pytest.fixture
def spool() -> Spool:
    return Spool()


@pytest.fixture
def listener(spool: Spool) -> Iterator[Hl7Listener]:
    with listening(spool) as made:
        yield made


@contextmanager
def listening(spool: Spool, message_seconds: float = 60) -> Iterator[Hl7Listener]:
    given = {**SAID, "message_seconds": message_seconds, "max_message_bytes": 4096}
    made = open_source(given, Path())
    assert isinstance(made, Hl7Listener)
    made.start(spool.keep)
    try:
        yield made
    finally:
        made.close()


def exchange(listener: Hl7Listener, *pieces: bytes, answers: int = 1) -> bytes:
    with socket.create_connection(("127.0.0.1", listener.port), timeout=120) as connection:
        for piece in pieces:
            connection.sendall(piece)
        got = b""
        while got.count(b"\x1c\r") < answers and (more := connection.recv(65536)):
            got += more
        return got


def test_an_order_message_brings_an_exam_for_each_order(listener: Hl7Listener, spool: Spool):
    answer = exchange(listener, frame(raw()))
    assert b"\rMSA|AA|MSG1|\r" in answer
    assert [one.values["inhospExamItemName"] for one in spool.kept] == ["胸部CT平扫", "头颅&颈CT"]
    assert [(one.table, one.key) for one in spool.kept] == [(Table.EXAM, "A1"), (Table.EXAM, "A2")]


def test_a_result_message_brings_a_report(listener: Hl7Listener, spool: Spool):
    assert b"MSA|AA|MSG2" in exchange(listener, frame(raw(ORU)))
    assert spool.kept[0].values == {
        "recordNum": "R1",
        "findings": "第一行\n第二行\n第三行",
        "inspectExamResult": "肺炎",
    }


@pytest.mark.parametrize(
    ("charset", "codec"),
    [("GB18030", "gb18030"), ("GBK", "gbk"), ("", "utf-8"), ("", "gb18030"), ("8859/1", "gbk")],
)
def test_character_sets(listener: Hl7Listener, spool: Spool, charset: str, codec: str):
    """MSH-18 says; where it is silent or wrong, the bytes do. 張 ends in 0x7C... in GBK some characters hold `|`."""
    exchange(listener, frame(raw(ORM.replace("张三", "张三丯"), charset, codec)))
    assert spool.kept[0].values["patName"] == "张三丯"


def test_the_acknowledgement_comes_only_after_keep(listener: Hl7Listener, spool: Spool):
    spool.full = True
    assert "MSA|AE|MSG1|暂时不能保存".encode() in exchange(listener, frame(raw()))
    spool.full = False
    assert b"MSA|AA|MSG1" in exchange(listener, frame(raw()))


def test_a_message_without_its_key_is_kept_as_trouble_and_answered_ae(listener: Hl7Listener, spool: Spool):
    answer = exchange(listener, frame(raw(ORM.replace("|A1|", "||"))))
    assert "MSA|AE|MSG1|没有 risStudyId".encode() in answer
    assert isinstance(spool.kept[0], Trouble)


@pytest.mark.parametrize("text", ["hello", "MSH", ORM.replace("ORM^O01", "ADT^A01"), "MSH|^~\\&|\r"])
def test_what_is_not_understood_is_rejected(listener: Hl7Listener, spool: Spool, text: str):
    assert b"MSA|AR|" in exchange(listener, frame(raw(text)))
    assert spool.kept == []


def test_many_messages_on_one_connection_in_any_pieces(listener: Hl7Listener, spool: Spool):
    stream = frame(raw()) * 3
    exchange(listener, *(stream[i : i + 7] for i in range(0, len(stream), 7)), answers=3)
    assert len(spool.kept) == 6


def test_too_large_and_too_slow_messages_end_the_connection(listener: Hl7Listener, spool: Spool):
    assert "超过 4096 字节".encode() in exchange(listener, b"\x0bMSH" + b"x" * 70_000)
    with listening(spool, message_seconds=1) as impatient:
        assert exchange(impatient, b"\x0bMSH|") == b""
    assert b"MSA|AA" in exchange(listener, frame(raw()))
    assert len(spool.kept) == 2


def test_no_mllp_at_all(listener: Hl7Listener):
    assert b"MLLP" in exchange(listener, b"GET / HTTP/1.1\r\n" * 200)


def test_a_cut_off_message_does_not_swallow_the_next():
    framer = Framer(10_000)
    assert list(framer.feed(b"\x0bMSH|cut\x0bMSH|whole\x1c\r")) == [b"MSH|whole"]


@given(st.lists(st.binary(max_size=40), max_size=8), st.data())
def test_framing_does_not_depend_on_the_pieces(bodies: list[bytes], data: st.DataObject):
    clean = [body.translate(None, b"\x0b\x1c") for body in bodies]
    stream = b"".join(frame(body) for body in clean)
    framer, got, place = Framer(1000), [], 0
    while place < len(stream):
        size = data.draw(st.integers(1, 20))
        got += framer.feed(stream[place : place + size])
        place += size
    assert got == clean


@given(st.binary(max_size=300))
def test_any_bytes_are_framed_or_refused(stream: bytes):
    framer = Framer(100)
    try:
        messages = list(framer.feed(stream))
    except FramingError:
        return
    assert all(b"\x1c" not in message for message in messages)


@given(
    st.one_of(st.binary(max_size=200), st.text("MSHPIDOBXRC|^~\\&\r\n1.A张", max_size=200).map(str.encode))
)
def test_any_bytes_are_a_message_or_refused(tail: bytes):
    listener = open_source(SAID, Path())
    assert isinstance(listener, Hl7Listener)
    for body in (tail, b"MSH|^~\\&|" + tail, raw(ORU)[:120] + tail):
        try:
            message = parse(body, "utf-8")
        except Hl7Error:
            continue
        for row in (whole(message), *orders(message)):
            assert all(isinstance(path, str) for path in row.paths())
            for table in listener.tables:
                listener.mapping(table).apply(row)


@pytest.mark.parametrize("text", ["PID", "pid-5", "PID-0", "OBX[0]-5", "OBX[x]-5", "PID-5.1.1.1", "PID-5[0]"])
def test_paths_that_are_none(text: str):
    with pytest.raises(ConfigError):
        path_of(text)
    with pytest.raises(ConfigError, match=r"his.*exam.*risStudyId"):
        open_source({**SAID, "exam": {"fields": {"risStudyId": text}}}, Path())


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("PID-3", "P100^^^MR"),
        ("PID-3.1", "P100"),
        ("PID-3[2].1", "V200"),
        ("PID-3[*].1", ["P100", "V200"]),
        ("PID-8", "M"),
        ("PID-8.1", "M"),
        ("PID-8.2", None),
        ("ORC[2]-2", "A2"),
        ("ORC[*]-2", ["A1", "A2"]),
        ("OBR[2=A2]-4.1", ["CT02"]),
        ("ZZZ-1", None),
        ("MSH-9.2", "O01"),
        ("MSH-1", "|"),
    ],
)
def test_paths(path: str, value: object):
    assert whole(parse(raw(), "utf-8"))(path) == value
