"""What the first issue left: an old landing area, instances that never fit, a stop while starting."""

from __future__ import annotations

import shutil
import signal
import time
from pathlib import Path

import pydicom
import pytest
from pydicom.uid import generate_uid

from tests.peers.gateway import GatewayMaker, RunningGateway
from tests.peers.pynetdicom import Entity

FILES = Path(pydicom.__file__).parent / "data" / "test_files"


def store(gateway: RunningGateway) -> tuple[int, str, str]:
    """Status, comment and SOP Instance UID of one CT image sent."""
    dataset = pydicom.dcmread(FILES / "CT_small.dcm")
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    ae = Entity()
    ae.add_requested_context(dataset.SOPClassUID, dataset.file_meta.TransferSyntaxUID)
    association = ae.associate("127.0.0.1", gateway.dicom_port)
    answer = association.send_c_store(dataset)
    association.release()
    return answer.Status, str(answer.get("ErrorComment", "")), str(dataset.SOPInstanceUID)


def places(gateway: RunningGateway, count: int) -> dict[str, str]:
    """SOP Instance UID -> landing file, once so many are indexed."""
    import sqlite3

    deadline = time.monotonic() + 180
    while True:
        with sqlite3.connect(
            f"file:{gateway.data}/yingqiao.sqlite?mode=ro", uri=True, timeout=120
        ) as database:
            found = dict(database.execute("SELECT sop_uid, segment FROM instances"))
        if len(found) >= count:
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.1)


def test_a_landing_area_older_than_the_database_gives_no_name_twice(make_gateway: GatewayMaker) -> None:
    """Restored from an earlier backup: new images do not take the names of files the database knows."""
    gateway = make_gateway()
    old = gateway.data.parent / "old-landing"
    shutil.copytree(gateway.data / "landing", old)
    assert store(gateway)[0] == 0
    before = places(gateway, 1)
    gateway.stop()
    shutil.rmtree(gateway.data / "landing")
    shutil.copytree(old, gateway.data / "landing")
    gateway.start()
    assert store(gateway)[0] == 0
    after = places(gateway, 2)
    (new,) = after.keys() - before.keys()
    assert after[new] not in before.values()
    assert '"landing.files_missing"' in gateway.log


def test_an_instance_that_never_fits_is_not_told_to_try_again(make_gateway: GatewayMaker) -> None:
    """PS3.4 table B.2-1: A7xx means later; larger than dicom.max_instance_bytes is for ever."""
    gateway = make_gateway(DICOM_MAX_INSTANCE_BYTES="2048")
    status, comment, _ = store(gateway)
    assert status == 0xC001
    assert "2048" in comment


@pytest.mark.parametrize("after", [0.0, 0.1, 0.3, 0.6, 1.0, 1.5])
def test_a_stop_while_starting_is_a_clean_exit(make_gateway: GatewayMaker, after: float) -> None:
    """SIGTERM at any moment from the lock of the folder on."""
    gateway = make_gateway(start=False)
    lock = gateway.data / "gateway.lock"
    lock.unlink(missing_ok=True)
    gateway.launch()
    deadline = time.monotonic() + 180
    while not lock.exists():
        assert time.monotonic() < deadline
        time.sleep(0.005)
    time.sleep(after)
    assert gateway.stop(signal.SIGTERM, timeout=120) == 0
    assert "Traceback" not in gateway.log
