"""Storage commitment with real requesters, against the whole gateway (PS3.4 annex J)."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Any

import httpx
import pydicom
import pytest
from pydicom.uid import generate_uid

from tests.peers.gateway import GatewayMaker, RunningGateway, free_port
from tests.peers.orthanc import Orthanc
from tests.peers.pynetdicom import Entity
from tests.peers.requester import Requester

pytestmark = pytest.mark.peer
FILES = Path(pydicom.__file__).parent / "data" / "test_files"
CT, MR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"


def send(gateway: RunningGateway, count: int = 2) -> list[tuple[str, str]]:
    """C-STORE so many CT images of one series; their references."""
    dataset = pydicom.dcmread(FILES / "CT_small.dcm")
    ae = Entity(ae_title="CT1")
    ae.add_requested_context(CT, dataset.file_meta.TransferSyntaxUID)
    association = ae.associate("127.0.0.1", gateway.dicom_port)
    sent = []
    for _ in range(count):
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        assert association.send_c_store(dataset).Status == 0
        sent.append((CT, str(dataset.SOPInstanceUID)))
    association.release()
    return sent


def listed(gateway: RunningGateway) -> list[Any]:
    return gateway.json("commitments", "list")


def test_told_on_the_same_association(make_gateway: GatewayMaker) -> None:
    """J.3.3: a requester that keeps its association open is told there; stored and missing ones apart."""
    gateway = make_gateway()
    sent = send(gateway)
    requester, missing = Requester(), (CT, generate_uid())
    assert requester.ask(gateway.dicom_port, [*sent, missing], stay=120) == 0x0000
    assert [event for event, _ in requester.told] == [2]
    assert requester.committed() == {uid for _, uid in sent}
    assert requester.failed() == {missing[1]: 0x0112}
    (shown,) = listed(gateway)
    assert (shown["referenceCount"], shown["failedCount"]) == (3, 1)
    wait_for(lambda: listed(gateway)[0]["notifiedAt"] is not None)  # noted when the answer has come


def test_told_on_a_new_association(make_gateway: GatewayMaker) -> None:
    """J.3.3: a requester that releases is called back, in the provider's role."""
    port = free_port()
    gateway = make_gateway(DICOM_COMMITMENT_PEERS=f"CT1@127.0.0.1:{port}")
    sent, requester = send(gateway), Requester()
    with requester.listening(port):
        assert requester.ask(gateway.dicom_port, sent) == 0x0000
        assert requester.wait(1)
    assert requester.told[0][0] == 1
    assert requester.committed() == {uid for _, uid in sent}
    assert requester.failed() == {}


def test_another_class_is_a_conflict(make_gateway: GatewayMaker) -> None:
    gateway = make_gateway()
    ((_, uid),) = send(gateway, 1)
    requester = Requester()
    requester.ask(gateway.dicom_port, [(MR, uid)], stay=120)
    assert requester.failed() == {uid: 0x0119}


def test_the_same_transaction_is_answered_again(make_gateway: GatewayMaker) -> None:
    gateway = make_gateway()
    sent, requester, transaction = send(gateway), Requester(), generate_uid()
    missing = (CT, generate_uid())
    requester.ask(gateway.dicom_port, [*sent, missing], transaction=transaction, stay=120)
    requester.ask(gateway.dicom_port, sent, transaction=transaction, stay=0)
    again = Requester()
    again.ask(gateway.dicom_port, sent, transaction=transaction, stay=120)
    assert [event for event, _ in (*requester.told, *again.told)] == [2, 1]
    assert len(listed(gateway)) == 1


def test_a_requester_away_at_first_is_told_when_it_is_back(make_gateway: GatewayMaker) -> None:
    port = free_port()
    gateway = make_gateway(DICOM_COMMITMENT_PEERS=f"CT1@127.0.0.1:{port}")
    sent, requester = send(gateway), Requester()
    assert requester.ask(gateway.dicom_port, sent) == 0x0000
    wait_for(lambda: listed(gateway)[0]["attempts"] >= 1)
    (shown,) = listed(gateway)
    assert shown["notifiedAt"] is None
    assert "拒绝连接" in shown["reason"]
    with requester.listening(port):
        assert requester.wait(1)
    assert requester.committed() == {uid for _, uid in sent}


def test_a_requester_nobody_knows_is_kept_with_a_warning(make_gateway: GatewayMaker) -> None:
    gateway = make_gateway()
    requester = Requester(aet="STRANGER")
    requester.ask(gateway.dicom_port, send(gateway))
    wait_for(lambda: listed(gateway)[0]["reason"])
    assert "不知道请求方 STRANGER 的地址" in listed(gateway)[0]["reason"]


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_killed_between_request_and_report(
    make_gateway: GatewayMaker, kind: str, request: pytest.FixtureRequest
) -> None:
    """0000 to an N-ACTION is a promise: after kill -9 the result is told all the same."""
    port = free_port()
    flags = ["--database", request.getfixturevalue("postgres_empty_url")] if kind == "postgresql" else []
    gateway = make_gateway(*flags, DICOM_COMMITMENT_PEERS=f"CT1@127.0.0.1:{port}")
    sent, requester = send(gateway), Requester()
    missing = (CT, generate_uid())
    assert requester.ask(gateway.dicom_port, [*sent, missing]) == 0x0000
    gateway.stop(signal.SIGKILL)
    assert requester.told == []
    with requester.listening(port):
        gateway.start()
        assert requester.wait(1)
    assert requester.committed() == {uid for _, uid in sent}
    assert requester.failed() == {missing[1]: 0x0112}


def test_orthanc_asks(make_gateway: GatewayMaker, orthanc: Orthanc) -> None:
    """Orthanc as SCU (/modalities/{id}/storage-commitment), with what is stored here and what is not."""
    gateway = make_gateway(DICOM_COMMITMENT_PEERS=f"ORTHANC@127.0.0.1:{orthanc.dicom_port}")
    ids = [orthanc.upload((FILES / name).read_bytes()) for name in ("CT_small.dcm", "MR_small.dcm")]
    orthanc.send("YINGQIAO", gateway.dicom_port, ids[:1])
    stored, missing = (pydicom.dcmread(FILES / name) for name in ("CT_small.dcm", "MR_small.dcm"))
    report = commitment_of(orthanc, f"to{gateway.dicom_port}", ids)
    assert report["Status"] == "Failure"
    assert [one["SOPInstanceUID"] for one in report["Success"]] == [stored.SOPInstanceUID]
    assert [(one["SOPInstanceUID"], one["FailureReason"]) for one in report["Failures"]] == [
        (missing.SOPInstanceUID, 0x0112)
    ]
    orthanc.send("YINGQIAO", gateway.dicom_port, ids[1:])
    assert commitment_of(orthanc, f"to{gateway.dicom_port}", ids)["Status"] == "Success"


def commitment_of(orthanc: Orthanc, modality: str, ids: list[str]) -> dict[str, Any]:
    """What Orthanc was told."""
    asked = httpx.post(
        f"{orthanc.url}/modalities/{modality}/storage-commitment", json={"Resources": ids}, timeout=120
    )
    asked.raise_for_status()
    path = asked.json()["Path"]
    found: dict[str, Any] = {}

    def is_told() -> bool:
        found.update(httpx.get(f"{orthanc.url}{path}", timeout=120).json())
        return found["Status"] != "Pending"

    wait_for(is_told)
    return found


def wait_for(holds: Any, seconds: float = 180.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "in vain"
        time.sleep(0.2)


def test_a_request_tells_how_many_images_a_study_has(make_gateway: GatewayMaker) -> None:
    """A modality that wants 3 safe has 3: with 2 here, the exam's images are short by 1."""
    gateway = make_gateway()
    sent, requester = send(gateway), Requester()
    requester.ask(gateway.dicom_port, [*sent, (CT, generate_uid())], stay=120)
    study = str(pydicom.dcmread(FILES / "CT_small.dcm").StudyInstanceUID)
    shown: dict[str, Any] = {}

    def is_known() -> bool:
        """Noted when the answer to the report has come."""
        shown.update(gateway.json("studies", "show", study)["images"])
        return bool(shown["told"])

    wait_for(is_known)
    assert (shown["expected"], shown["present"], shown["missing"]) == (3, 2, 1)
    assert shown["told"][0]["source"] == "commitment"
