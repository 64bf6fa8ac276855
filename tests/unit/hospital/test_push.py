"""The day pushed over real sockets: the pure middle decides as planned, an SCP gets readable images."""

import time
from datetime import date
from threading import Event

import pytest
from pynetdicom import AE, evt
from pynetdicom.sop_class import CTImageStorage

from tests.helpers.receiver_server import serve_receiver
from yingqiao.dicom.index import read_facts
from yingqiao.hospital.simulate import dicom_sender
from yingqiao.hospital.simulate.day import make_day
from yingqiao.hospital.simulate.dicom_sender import DicomNode, DicomUnreachableError, send_study
from yingqiao.hospital.simulate.images import LIE, MISSING, SOP_CLASSES, SYNTAXES, draw
from yingqiao.hospital.simulate.people import credit_code
from yingqiao.hospital.simulate.plan import Flaw, Kind
from yingqiao.hospital.simulate.push import Pusher, push_day, unplanned

CODE, KEY = credit_code("12149900000000001"), "00112233445566778899aabbccddeeff"


@pytest.fixture
def archive():
    """(node, what came): a storage SCP that keeps facts by SOP instance UID."""
    came = []

    def store(event):
        context, request = event.context, event.request
        raw = event.encoded_dataset(include_meta=False)
        came.append(
            read_facts(
                raw, context.transfer_syntax, request.AffectedSOPClassUID, request.AffectedSOPInstanceUID
            )
        )
        return 0

    ae = AE(ae_title="ARCHIVE")
    for sop_class in SOP_CLASSES.values():
        ae.add_supported_context(sop_class, SYNTAXES)
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, store)])
    yield DicomNode("ARCHIVE", "127.0.0.1", server.server_address[1]), came
    server.shutdown()


def test_the_whole_day_is_decided_as_planned(archive):
    day = make_day(CODE, exams=32, seed=3, day=date(2026, 1, 5))
    node, came = archive
    with serve_receiver(CODE, KEY) as server:
        pusher = Pusher(server.url, node, CODE, KEY)
        sent = push_day(day, pusher)
        pusher.close()
    assert unplanned(sent) == []
    assert len(sent) == len(day.steps)
    outcomes = [submission.outcome.value for submission in server.submissions]
    assert {o: outcomes.count(o) for o in outcomes} == day.expected().submissions
    _check_images(day, came)


def _check_images(day, came):
    """Every image arrives with the name its patient has, whatever its device declared."""
    specs = {image.sop_uid: image for step in day.steps for image in step.images}
    assert {facts.sop_instance_uid for facts in came} == specs.keys()
    for facts in came:
        spec = specs[facts.sop_instance_uid]
        patient = spec.visit.patient
        assert facts.patient_name == f"{patient.spelling}={patient.name_parts}"
        assert facts.institution == day.hospital_name
        assert facts.series_description == spec.series_description
        assert (facts.study_uid, facts.accession_number) == (spec.study_uid, spec.accession)
        odd = {LIE: ("charset-lied",), MISSING: ("charset-missing",)}.get(spec.charset, ())
        assert facts.oddities == odd
        assert facts.used_charset == (spec.charset.declared if not odd else "GB18030")


def test_an_answer_that_is_not_the_planned_one_is_noticed(archive):
    day = make_day(CODE, exams=2, day=date(2026, 1, 5))
    with serve_receiver(CODE, "ff" * 16) as server:
        pusher = Pusher(server.url, archive[0], CODE, KEY)
        records = [step for step in day.steps if step.kind is not Kind.IMAGES]
        assert len(unplanned(map(pusher.push, records))) == len(records)
        pusher.close()


def test_the_same_uid_with_other_bytes_really_differs():
    day = make_day(CODE, day=date(2026, 1, 5))
    case = next(case for case in day.cases if case.flaw is Flaw.SAME_UID)
    first, second = (step.images[-1] for step in case.steps if step.images)
    assert first.sop_uid == second.sop_uid
    assert draw(first).PixelData != draw(second).PixelData


# pynetdicom leaves the socket it could not connect to the garbage collector
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_nobody_there():
    spec = make_day(CODE, exams=1, day=date(2026, 1, 5)).steps
    images = next(step.images for step in spec if step.images)
    with pytest.raises(DicomUnreachableError, match="关联"):
        send_study(DicomNode("X", "127.0.0.1", 9), "SIM", [draw(images[0])])


def test_a_refusing_archive_is_no_success():
    ae = AE(ae_title="FULL")
    ae.add_supported_context(CTImageStorage, SYNTAXES)
    full = [(evt.EVT_C_STORE, lambda _: 0xA700)]
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=full)
    node = DicomNode("FULL", "127.0.0.1", server.server_address[1])
    day = make_day(CODE, exams=3, day=date(2026, 1, 5))
    images = next(s.images for s in day.steps if s.images and s.images[0].visit.item.modality == "CT")
    assert send_study(node, "SIM", [draw(images[0])]) == [0xA700]
    server.shutdown()


@pytest.mark.parametrize("text", ["X@h", "@h:1", "X@:1", "X@h:p", "ABCDEFGHIJKLMNOPQ@h:1"])
def test_node_addresses(text):
    with pytest.raises(ValueError, match="AET@HOST:PORT"):
        DicomNode.parse(text)


def test_a_node_address():
    assert DicomNode.parse("YQ@[::1]:104") == DicomNode("YQ", "::1", 104)


def test_an_association_that_breaks_off_is_made_anew(monkeypatch):
    """Every instance is answered in the end, those already answered are not sent again."""
    came, sent, real = [], [], dicom_sender._send

    def noted(association, dataset):
        sent.append((dataset.SOPInstanceUID, False))
        status = real(association, dataset)
        sent[-1] = (dataset.SOPInstanceUID, True)
        return status

    monkeypatch.setattr(dicom_sender, "_send", noted)

    def store(event):
        came.append(event.request.AffectedSOPInstanceUID)
        if len(came) == 2:
            event.assoc.abort()
        return 0

    ae = AE(ae_title="SHAKY")
    ae.add_supported_context(CTImageStorage, SYNTAXES)
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, store)])
    node = DicomNode("SHAKY", "127.0.0.1", server.server_address[1])
    day = make_day(CODE, exams=3, day=date(2026, 1, 5))
    images = next(s.images for s in day.steps if s.images and s.images[0].visit.item.modality == "CT")[:3]
    assert send_study(node, "SIM", [draw(image) for image in images]) == [0, 0, 0]
    # pynetdicom may lose an answer more than was meant to be: what it does not have counts as not answered
    assert len(came) > 3
    assert [uid for uid, answered in sent if answered] == [image.sop_uid for image in images]
    for image in images:
        assert [answered for uid, answered in sent if uid == image.sop_uid][-1], "sent again though answered"
    server.shutdown()


def hold_up(association, monkeypatch):
    """The reactor is preempted behind its checkpoint until an answer came, the sender before it takes it."""
    wait, get_msg = association._reactor_checkpoint.wait, association.dimse.get_msg
    held, taken = Event(), Event()

    def slow_wait():
        held.set()
        wait()
        until = time.monotonic() + 60
        while association.dimse.msg_queue.empty() and not taken.is_set() and time.monotonic() < until:
            time.sleep(0.01)

    def slow_get(block=False):
        if block:
            taken.wait(60)
            return get_msg(block)
        got = get_msg(block)
        if got[1] is not None:
            taken.set()
        return got

    monkeypatch.setattr(association._reactor_checkpoint, "wait", slow_wait)
    monkeypatch.setattr(association.dimse, "get_msg", slow_get)
    assert held.wait(60)


def test_an_answer_that_pynetdicom_loses_is_asked_for_again(monkeypatch):
    """Its reactor, held up after it was let through once more, takes the answer for a request and drops it."""
    real, associated = dicom_sender._associate, []

    def associate(*details):
        monkeypatch.setattr(dicom_sender, "_RESPONSE_S", 60 if associated else 1)
        association = real(*details)
        associated.append(association)
        if len(associated) == 1:
            hold_up(association, monkeypatch)
        return association

    monkeypatch.setattr(dicom_sender, "_associate", associate)
    ae = AE(ae_title="QUICK")
    ae.add_supported_context(CTImageStorage, SYNTAXES)
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, lambda _: 0)])
    node = DicomNode("QUICK", "127.0.0.1", server.server_address[1])
    day = make_day(CODE, exams=3, day=date(2026, 1, 5))
    images = next(s.images for s in day.steps if s.images and s.images[0].visit.item.modality == "CT")
    assert send_study(node, "SIM", [draw(images[0])]) == [0]
    assert len(associated) == 2
    server.shutdown()
