"""PACS that refuse, lie, hang and die: every one ends in a typed error whose words help (三(八): Q/R)."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
import time
from dataclasses import replace

import pytest
from pydicom import Dataset
from pynetdicom import evt

from tests.helpers.odd_pacs import pynetdicom_pacs, scripted
from tests.unit.exchange import link_facts
from yingqiao.dicom.query_retrieve.association import Association
from yingqiao.dicom.query_retrieve.attributes import Level
from yingqiao.dicom.query_retrieve.client import Model, Requestor
from yingqiao.dicom.query_retrieve.errors import (
    Aborted,
    BadAnswer,
    BadQuery,
    ContextRefused,
    FailedStatus,
    NodeError,
    Rejected,
    TimedOut,
    TooManyMatches,
    Unreachable,
)
from yingqiao.dicom.query_retrieve.identifier import EXPLICIT_LE, encode_query
from yingqiao.dicom.query_retrieve.node import Limits, Node
from yingqiao.dicom.query_retrieve.progress import Progress
from yingqiao.dicom.query_retrieve.studies import find_instances, find_series, find_studies, sop_classes
from yingqiao.dicom.upper_layer import items, pdu
from yingqiao.exchange.pull import Query, QueryKind, judge
from yingqiao.exchange.work import ErrorClass

STUDY = {"StudyInstanceUID": "1.2.3"}
PATIENT = Limits(connect=60, association=60, response=60, pdu=60, cancel=60, release=60, operation=120)
"""A test that waits for a limit shortens that one; no other may be reached on a busy machine."""


def node(port, **values):
    return Node(**({"host": "127.0.0.1", "port": port, "called_aet": "PYNET", "calling_aet": "US"} | values))


def requestor(port, **limits):
    return Requestor(node(port), replace(PATIENT, **limits))


# Nobody there, or nobody who speaks DICOM


def test_nothing_listens():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with requestor(port) as pacs, pytest.raises(Unreachable, match="没有程序在听") as raised:
        pacs.echo()
    assert raised.value.cause == "refused"
    assert raised.value.words == str(raised.value)
    assert raised.value.error_class is ErrorClass.PASSING


@pytest.mark.parametrize("name", ["no-such-host.invalid", "x" * 70 + ".invalid", "医院"])
def test_a_name_that_is_none(name):
    with Requestor(node(104, host=name), PATIENT) as pacs, pytest.raises(Unreachable, match="解析") as raised:
        pacs.echo()
    assert raised.value.cause == "name"


def test_a_host_that_drops_packets():
    """A full listen queue answers no SYN: what a firewall does."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        fillers = [socket.socket() for _ in range(3)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        time.sleep(0.1)
        with (
            requestor(listener.getsockname()[1], connect=0.5) as pacs,
            pytest.raises(Unreachable, match="防火墙") as raised,
        ):
            pacs.echo()
        assert raised.value.cause == "timeout"
        for filler in fillers:
            filler.close()


def test_a_port_that_never_answers():
    began = time.monotonic()
    with (
        scripted(lambda line: [line.hear(), line.hear()]) as port,
        requestor(port, association=1) as pacs,
        pytest.raises(TimedOut, match="不答话") as raised,
    ):
        pacs.echo()
    assert raised.value.stage == "association"
    assert time.monotonic() - began < 60


def test_a_port_that_hangs_up():
    with (
        scripted(lambda line: line.hear()) as port,
        requestor(port) as pacs,
        pytest.raises(Unreachable, match="直接断开"),
    ):
        pacs.echo()


def test_a_web_server():
    with (
        scripted(
            lambda line: [line.hear(), line.socket.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")]
        ) as port,
        requestor(port) as pacs,
        pytest.raises(BadAnswer, match="不合 DICOM 协议"),
    ):
        pacs.echo()


# Associations


@pytest.mark.parametrize(
    ("option", "words", "reason"),
    [
        ({"require_calling_aet": ["OTHER"]}, "不认识我方 AE", 3),
        ({"require_called_aet": True, "ae_title": "ELSE"}, "不认识被叫 AE", 7),
    ],
)
def test_titles_that_are_not_known(option, words, reason):
    with (
        pynetdicom_pacs([], **option) as port,
        requestor(port) as pacs,
        pytest.raises(Rejected, match=words) as raised,
    ):
        pacs.echo()
    assert raised.value.reason == reason
    assert raised.value.error_class is ErrorClass.THEIRS


@pytest.mark.parametrize("numbers", [(2, 3, 1), (2, 3, 2), (1, 3, 0), (2, 1, 1), (1, 2, 200)])
def test_every_rejection_has_words(numbers):
    def reject(line):
        line.hear()
        line.say(pdu.AssociateReject(*numbers))

    with scripted(reject) as port, requestor(port) as pacs, pytest.raises(Rejected) as raised:
        pacs.echo()
    assert raised.value.words
    assert (raised.value.error_class is ErrorClass.PASSING) == (numbers[0] == 2 or numbers[1] == 3)


def test_a_peer_for_echo_only():
    def serve(line):
        request = line.hear()
        results = tuple(
            items.ContextResult(c.id, 0 if c.id == 1 else 3, EXPLICIT_LE) for c in request.contexts
        )
        line.say(pdu.AssociateAccept("A", "B", results))
        context, command, _ = line.hear_request()
        line.respond(context, command, 0)
        line.hear()

    with scripted(serve) as port, requestor(port) as pacs:
        assert pacs.echo() < 60
        assert pacs.associate().services == ("1.2.840.10008.1.1",)
        with pytest.raises(ContextRefused, match="检查级查询") as raised:
            list(pacs.find(Level.STUDY, STUDY))
    assert raised.value.results == {Model.STUDY_ROOT.find: 3}
    assert raised.value.error_class is ErrorClass.THEIRS


def test_a_context_never_proposed():
    def serve(line):
        line.hear()
        line.say(pdu.AssociateAccept("A", "B", (items.ContextResult(99, 0, EXPLICIT_LE),)))
        line.hear()

    with scripted(serve) as port, requestor(port) as pacs, pytest.raises(BadAnswer, match="not proposed"):
        pacs.echo()


def test_an_association_that_ended_meanwhile_is_made_anew():
    """PACS end idle associations; the next question must not fail for it."""
    seen, ended = [], threading.Event()

    def serve(line):
        seen.append(line.accept())
        context, command, _ = line.hear_request()
        line.respond(context, command, 0)
        line.say(pdu.Abort(0, 0))
        ended.set()

    with scripted(serve) as port, requestor(port) as pacs:
        pacs.echo()
        assert ended.wait(60)
        pacs.echo()
    assert len(seen) == 2


def test_a_release_that_nobody_answers_is_no_error():
    def serve(line):
        line.accept()
        line.respond(*line.hear_request()[:2], 0)
        line.hear()
        line.hear()

    with scripted(serve) as port:
        began = time.monotonic()
        with requestor(port, release=1) as pacs:
            pacs.echo()
    assert time.monotonic() - began < 60


# Questions


def answers(*values):
    def handle(event):
        for value in values:
            dataset = Dataset()
            dataset.update(value)
            dataset.QueryRetrieveLevel = "STUDY"
            yield 0xFF00, dataset

    return [(evt.EVT_C_FIND, handle)]


def test_a_pacs_that_ignores_the_key_is_seen_through():
    """It answers with other people's studies: they are seen, not taken."""
    asked = Query(QueryKind.ACCESSION, "A1")
    found = answers(
        {"StudyInstanceUID": "1.2.1", "AccessionNumber": "A1"},
        {"StudyInstanceUID": "1.2.2", "AccessionNumber": "B2"},
        {"StudyInstanceUID": "1.2.3"},
        {"AccessionNumber": "A1"},
    )
    with pynetdicom_pacs(found) as port, requestor(port) as pacs:
        found = find_studies(pacs, asked)
    assert [s.study_uid for s in found] == ["1.2.1", "1.2.2", "1.2.3"], "without a UID it is no study"
    judged = judge(link_facts.exam(), [], asked, found)
    assert [s.study_uid for s in judged.accepted] == ["1.2.1"]
    assert len(judged.refused) == 2


def test_series_and_instances_of_other_studies_are_left_out():
    """PS3.4 C.4.1.1.3.1: a PACS that ignores StudyInstanceUID offers every series and every class it has."""

    def handle(event):
        level = event.identifier.QueryRetrieveLevel
        for study, series, number in (("1.2.3", 1, 1), ("1.2.4", 2, 2), ("", 3, 3), ("1.2.3", 1, 4)):
            dataset = Dataset()
            dataset.StudyInstanceUID = study
            if level != "STUDY":
                dataset.SeriesInstanceUID = f"1.3.{series}"
            if level == "IMAGE":
                dataset.SOPInstanceUID = f"1.9.{number}"
                dataset.SOPClassUID = f"1.2.840.10008.5.1.4.1.1.{number}"
            yield 0xFF00, dataset

    with pynetdicom_pacs([(evt.EVT_C_FIND, handle)]) as port, requestor(port) as pacs:
        series = find_series(pacs, "1.2.3")
        classes = sop_classes(pacs, "1.2.3")
    assert [(s.series_uid, s.instance_count) for s in series] == [("1.3.1", 2), ("1.3.3", 1)]
    assert sorted(classes) == [f"1.2.840.10008.5.1.4.1.1.{number}" for number in (1, 3, 4)]


@pytest.mark.parametrize(
    "asked",
    [
        Query(QueryKind.STUDY_UID, ""),
        Query(QueryKind.ACCESSION, " "),
        Query(QueryKind.ACCESSION, "*"),
        Query(QueryKind.PATIENT_DAY, "", "20260101"),
    ],
)
def test_a_question_for_everything_is_never_sent(asked):
    with requestor(9) as pacs, pytest.raises(BadQuery):
        find_studies(pacs, asked)


@pytest.mark.parametrize("ask", [find_series, sop_classes])
def test_a_question_for_no_study_is_never_sent(ask):
    with requestor(9) as pacs, pytest.raises(BadQuery):
        ask(pacs, "")


def test_a_pacs_that_answers_for_ever_is_stopped():
    def endless(event):
        while not event.is_cancelled:
            dataset = Dataset()
            dataset.StudyInstanceUID = "1.2.3"
            yield 0xFF00, dataset
        yield 0xFE00, None

    with pynetdicom_pacs([(evt.EVT_C_FIND, endless)]) as port, requestor(port, cancel=2) as pacs:
        with pytest.raises(TooManyMatches, match="忽略了查询条件"):
            list(pacs.find(Level.STUDY, STUDY, limit=50))
        assert pacs.echo() < 60, "cancelled, or where it does not listen while it talks, associated anew"


def test_a_consumer_that_stops_early_cancels():
    told = []

    def slow(event):
        for _ in range(3000):
            if event.is_cancelled:
                told.append("cancelled")
                yield 0xFE00, None
                return
            dataset = Dataset()
            dataset.StudyInstanceUID = "1.2.3"
            time.sleep(0.02)
            yield 0xFF00, dataset

    with pynetdicom_pacs([(evt.EVT_C_FIND, slow)]) as port, requestor(port) as pacs:
        for _ in pacs.find(Level.STUDY, STUDY):
            break
        pacs.echo()
    assert told == ["cancelled"]


def test_a_silent_peer_is_given_up():
    given_up = threading.Event()

    def silent(event):
        given_up.wait(60)
        yield 0x0000, None

    with pynetdicom_pacs([(evt.EVT_C_FIND, silent)]) as port, requestor(port, response=1) as pacs:
        with pytest.raises(TimedOut, match="不再答话") as raised:
            list(pacs.find(Level.STUDY, STUDY))
        given_up.set()
    assert raised.value.stage == "response"


def test_silence_half_way_through_a_message():
    def serve(line):
        line.accept()
        line.hear_request()
        line.socket.sendall(b"\4\0\0\0\1\0\0\0\0\x20")
        line.hear()

    with (
        scripted(serve) as port,
        requestor(port, pdu=1) as pacs,
        pytest.raises(TimedOut, match="一半") as raised,
    ):
        list(pacs.find(Level.STUDY, STUDY))
    assert raised.value.stage == "pdu"


def test_a_move_may_be_silent_for_long():
    """Its images go elsewhere meanwhile. pynetdicom gives up after 30 s (its issue 825); here 35 s of silence
    and 600 s of patience are 1.5 s and a minute; the second that half a message is given is not meant."""

    def serve(line):
        line.accept()
        context, command, _ = line.hear_request()
        line.respond(context, command, 0xFF00, n1020=1)
        time.sleep(1.5)
        line.respond(context, command, 0, n1021=1)
        line.hear()

    with scripted(serve) as port, requestor(port, pdu=1) as pacs:
        assert [p.status for p in pacs.move("US", Level.STUDY, STUDY)] == [0xFF00, 0]


def test_an_operation_without_end_ends():
    """A peer that says “pending” for ever, never silent."""

    def serve(line):
        line.accept()
        context, command, _ = line.hear_request()
        while True:
            line.respond(context, command, 0xFF00, n1020=1)
            time.sleep(0.01)

    with (
        scripted(serve) as port,
        requestor(port, operation=1) as pacs,
        pytest.raises(TimedOut, match="用时过长"),
    ):
        list(pacs.move("US", Level.STUDY, STUDY))


def test_what_we_wait_with_can_end_the_wait():
    """The work engine stops within a second although the PACS says nothing."""

    class StopError(Exception):
        pass

    until = time.monotonic() + 0.7

    def check():
        if time.monotonic() > until:
            raise StopError

    def silent(line):
        line.accept()
        line.hear_request()
        line.hear()
        line.hear()

    with scripted(silent) as port:
        began = time.monotonic()
        with pytest.raises(StopError), Requestor(node(port), Limits(), check=check) as pacs:
            list(pacs.find(Level.STUDY, STUDY))
        assert time.monotonic() - began < 60


@pytest.mark.parametrize(
    ("status", "words", "error_class"),
    [
        (0xA700, "资源不足", ErrorClass.PASSING),
        (0xA701, "A701", ErrorClass.PASSING),
        (0xA702, "接收端口", ErrorClass.PASSING),
        (0xA801, "目的地", ErrorClass.THEIRS),
        (0xA900, "不符", ErrorClass.THEIRS),
        (0xC001, "不认识调取目的地", ErrorClass.PASSING),
        (0xFE00, "已取消", ErrorClass.PASSING),
        (0xB000, "部分影像", ErrorClass.PASSING),
        (0x0124, "不授权", ErrorClass.THEIRS),
        (0x9999, "未知状态", ErrorClass.PASSING),
    ],
)
def test_every_status_of_a_move_has_words(status, words, error_class):
    def serve(line):
        line.accept()
        context, command, _ = line.hear_request()
        line.respond(context, command, status, "找不到目的地".encode("gb18030"), n1021=1, n1022=2)
        line.hear()

    seen: list[Progress] = []
    with scripted(serve) as port, requestor(port) as pacs, pytest.raises(FailedStatus, match=words) as raised:
        seen.extend(pacs.move("US", Level.STUDY, STUDY))
    assert raised.value.status == status
    assert raised.value.comment == "找不到目的地"
    assert raised.value.error_class is error_class
    assert raised.value.counts.failed == 2


def test_warnings_alone_are_a_success():
    """B000 with nothing failed: the images are here."""

    def serve(line):
        line.accept()
        context, command, _ = line.hear_request()
        line.respond(context, command, 0xB000, n1021=1, n1022=0, n1023=2)
        line.hear()

    with scripted(serve) as port, requestor(port) as pacs:
        assert list(pacs.move("US", Level.STUDY, STUDY)) == [Progress(0xB000, None, 1, 0, 2)]


def test_failed_instances_are_named():
    failed = encode_query(Level.IMAGE, {"FailedSOPInstanceUIDList": ["1.2.8", "1.2.9"]}, "", EXPLICIT_LE)

    def serve(line):
        line.accept()
        context, command, _ = line.hear_request()
        line.respond(context, command, 0xB000, dataset=failed, n1022=2)
        line.hear()

    with scripted(serve) as port, requestor(port) as pacs:
        moving = pacs.move("US", Level.STUDY, STUDY)
        assert next(moving).failed_uids == ("1.2.8", "1.2.9")
        with pytest.raises(FailedStatus):
            next(moving)


@pytest.mark.parametrize(
    ("level", "keys"),
    [
        (Level.STUDY, {}),
        (Level.STUDY, {"StudyInstanceUID": ""}),
        (Level.SERIES, STUDY),
        (Level.PATIENT, STUDY),
    ],
)
def test_a_move_without_its_key_is_never_sent(level, keys):
    with requestor(9) as pacs, pytest.raises(BadQuery, match="缺少"):
        pacs.move("US", level, keys)


def test_a_response_to_nothing():
    def serve(line):
        line.accept()
        context, _command, _ = line.hear_request()
        line.say_message(
            context, b"".join((b"\0\0\0\1\2\0\0\0\x20\x80", b"\0\0\x20\1\2\0\0\0\x63\0", _PENDING))
        )
        line.hear()

    with scripted(serve) as port, requestor(port) as pacs, pytest.raises(BadAnswer, match="to nothing"):
        list(pacs.find(Level.STUDY, STUDY))


_PENDING = b"\0\0\0\x08\2\0\0\0\1\1\0\0\0\x09\2\0\0\0\0\xff"


def test_an_answer_without_end_is_not_kept():
    """Memory is bounded whatever one response holds."""

    def serve(line):
        line.accept()
        context, command, _ = line.hear_request()
        line.respond(context, command, 0xFF00, dataset=b"x" * 10)
        elements = {0x0100: 0x8020, 0x0120: 1, 0x0800: 1, 0x0900: 0xFF00}
        from yingqiao.dicom.upper_layer import dimse

        line.say_message(context, dimse.encode_command(elements))
        while True:
            line.say(pdu.PData((pdu.Pdv(context, False, False, bytes(16000)),)))

    with scripted(serve) as port, requestor(port) as pacs, pytest.raises(BadAnswer, match="larger than"):
        list(pacs.find(Level.STUDY, STUDY))


def test_an_abort_amid_answers():
    def serve(line):
        line.accept()
        context, command, _ = line.hear_request()
        line.respond(context, command, 0xFF00, dataset=encode_query(Level.STUDY, STUDY, "", EXPLICIT_LE))
        line.say(pdu.Abort(2, 1))

    found = []
    with scripted(serve) as port, requestor(port) as pacs, pytest.raises(Aborted, match="不认识") as raised:
        found.extend(pacs.find(Level.STUDY, STUDY))
    assert (raised.value.source, raised.value.reason) == (2, 1)


def test_a_connection_lost_amid_a_move():
    def serve(line):
        line.accept()
        context, command, _ = line.hear_request()
        line.respond(context, command, 0xFF00, n1020=5)

    with scripted(serve) as port, requestor(port) as pacs, pytest.raises(Aborted, match="连接中断") as raised:
        list(pacs.move("US", Level.STUDY, STUDY))
    assert raised.value.lost


def test_cancel_from_another_thread():
    moving = threading.Event()

    def cancel_then(pacs):
        moving.wait(60)
        pacs.cancel()

    def serve(line):
        line.accept()
        context, command, _ = line.hear_request()
        line.respond(context, command, 0xFF00, n1020=5)
        moving.set()
        _, cancel, _ = line.hear_request()
        assert cancel.field == 0x0FFF
        assert cancel.message_id == command.message_id
        line.respond(context, command, 0xFE00, n1020=4, n1021=1)
        line.hear()

    with scripted(serve) as port, requestor(port) as pacs:
        threading.Thread(target=cancel_then, args=(pacs,)).start()
        assert [p.status for p in pacs.move("US", Level.STUDY, STUDY)] == [0xFF00, 0xFE00]


def test_a_cancel_while_the_request_is_sent(monkeypatch):
    """Whoever cancels what the peer has, and we have not noted yet, is not passed over."""
    cancelling: list[threading.Thread] = []
    begin = Association.begin

    def slowly(association, *request):
        message_id = begin(association, *request)
        cancelling.append(threading.Thread(target=pacs.cancel))
        cancelling[0].start()
        cancelling[0].join(0.3)
        return message_id

    def serve(line):
        line.accept()
        context, command, _ = line.hear_request()
        _, cancel, _ = line.hear_request()
        assert cancel.field == 0x0FFF
        line.respond(context, command, 0xFE00, n1020=5, n1021=0)
        line.hear()

    monkeypatch.setattr(Association, "begin", slowly)
    with scripted(serve) as port, requestor(port) as pacs:
        assert [p.status for p in pacs.move("US", Level.STUDY, STUDY)] == [0xFE00]
        cancelling[0].join()


def test_a_cancel_that_is_ignored():
    def serve(line):
        line.accept()
        context, command, _ = line.hear_request()
        while True:
            line.respond(context, command, 0xFF00, n1020=5)
            time.sleep(0.02)

    with scripted(serve) as port, requestor(port, cancel=0.5) as pacs:
        moving = pacs.move("US", Level.STUDY, STUDY)
        next(moving)
        pacs.cancel()
        with pytest.raises(TimedOut, match="取消"):
            list(moving)


def test_counts_of_a_pacs_that_does_not_count():
    """Series without (0020,1209) are listed; an instance told twice is one."""

    def handle(event):
        level = event.identifier.QueryRetrieveLevel
        for number in range(2) if level == "SERIES" else (1, 2, 2, 3):
            dataset = Dataset()
            dataset.StudyInstanceUID = "1.2.3"
            if level == "SERIES":
                dataset.SeriesInstanceUID = f"1.2.3.{number}"
                if number:
                    dataset.NumberOfSeriesRelatedInstances = 7
            else:
                dataset.SOPInstanceUID = f"1.9.{number}"
                dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
            yield 0xFF00, dataset

    with pynetdicom_pacs([(evt.EVT_C_FIND, handle)]) as port, requestor(port) as pacs:
        first, second = find_series(pacs, "1.2.3")
        assert [uid for _, uid in find_instances(pacs, "1.2.3", first.series_uid)] == [
            "1.9.1",
            "1.9.2",
            "1.9.2",
            "1.9.3",
        ]
        assert sop_classes(pacs, "1.2.3") == ("1.2.840.10008.5.1.4.1.1.2",)
    assert (first.instance_count, second.instance_count) == (3, 7)


def test_counts_of_a_pacs_without_queries_at_image_level():
    """What is neither told nor listed is not known; it is not nothing."""

    def handle(event):
        if event.identifier.QueryRetrieveLevel == "IMAGE":
            yield 0xA900, None
            return
        dataset = Dataset()
        dataset.StudyInstanceUID = "1.2.3"
        dataset.SeriesInstanceUID = "1.2.3.1"
        yield 0xFF00, dataset

    with pynetdicom_pacs([(evt.EVT_C_FIND, handle)]) as port, requestor(port) as pacs:
        (series,) = find_series(pacs, "1.2.3")
    assert series.instance_count is None


# TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    made, key = folder / "c.pem", folder / "k.pem"
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost "
        f"-addext subjectAltName=DNS:localhost -keyout {key} -out {made}"
    )
    subprocess.run(command.split(), check=True, capture_output=True)
    return made, key


def test_tls(certificate):
    """Over TLS with the right name; a wrong one and an unknown issuer are told apart from a dead port."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(*certificate)

    def serve(line):
        with server.wrap_socket(line.socket, server_side=True) as line.socket:
            line.accept()
            line.respond(*line.hear_request()[:2], 0)
            line.hear()
            line.say(pdu.ReleaseResponse())

    trusting = ssl.create_default_context(cafile=str(certificate[0]))
    with scripted(serve) as port:
        with Requestor(node(port, tls_name="localhost"), PATIENT, trusting) as pacs:
            assert pacs.echo() < 60
        for name, context in (("other", trusting), ("localhost", ssl.create_default_context())):
            pacs = Requestor(node(port, tls_name=name), PATIENT, context)
            with pacs, pytest.raises(Unreachable, match="TLS 握手失败") as raised:
                pacs.echo()
            assert raised.value.cause == "tls"


def test_every_error_is_one_kind():
    """Callers catch NodeError and show its words."""
    for kind in (Aborted, BadAnswer, BadQuery, ContextRefused, FailedStatus, Rejected, TimedOut, Unreachable):
        assert issubclass(kind, NodeError)
