"""Real PACS: Debian's Orthanc and DCMTK's dcmqrscp; C-FIND, C-MOVE to our own receiver, C-GET (PS3.4 annex C)."""

from __future__ import annotations

import hashlib
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest
from sqlalchemy import select

from tests.helpers.ports import free_port
from tests.integration.dicom.conftest import Receiver, receiver  # noqa: F401 a fixture
from tests.peers.dcmtk import end
from tests.peers.orthanc import Orthanc, start_orthanc
from tests.peers.qrscp import dcmqrscp
from yingqiao.dicom.keeper import Store
from yingqiao.dicom.query_retrieve.attributes import Level
from yingqiao.dicom.query_retrieve.client import Model, Requestor
from yingqiao.dicom.query_retrieve.errors import Aborted, FailedStatus
from yingqiao.dicom.query_retrieve.node import Limits, Node
from yingqiao.dicom.query_retrieve.studies import find_instances, find_series, find_studies, sop_classes
from yingqiao.exchange.pull import Query, QueryKind
from yingqiao.store.landing import LandingFull
from yingqiao.store.schema import instances

pytestmark = pytest.mark.peer
FILES = Path(pydicom.__file__).parent / "data/test_files"
PLAIN = (
    "CT_small.dcm",
    "MR_small.dcm",
    "rtplan.dcm",
    "waveform_ecg.dcm",
    "test-SR.dcm",
    "MR_small_implicit.dcm",
)
COMPRESSED = {
    "SC_rgb_jpeg_dcmtk.dcm": "+xy",
    "JPEG-lossy.dcm": "+xx",
    "MR_small_RLE.dcm": "+xr",
    "MR_small_jpeg_ls_lossless.dcm": "+xt",
    "JPEG2000.dcm": "+xw",
}
"""With the option that makes dcmqrscp take their syntax."""
NAME = "欧阳^昞區"


def made(path: Path, number: int = 1, charset: str = "GB18030", **values: str) -> Path:
    """A small CT with a Chinese name, in its own study."""
    dataset = pydicom.dcmread(FILES / "CT_small.dcm")
    dataset.SpecificCharacterSet = charset
    dataset.PatientName = NAME
    dataset.PatientID = "P昞1"
    dataset.AccessionNumber = "ACC1"
    dataset.StudyInstanceUID = "1.2.826.0.1.3680043.9.7777.501"
    dataset.SeriesInstanceUID = f"1.2.826.0.1.3680043.9.7777.501.{number % 2}"
    dataset.SOPInstanceUID = f"1.2.826.0.1.3680043.9.7777.501.9.{number}"
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    for name, value in values.items():
        setattr(dataset, name, value)
    dataset.save_as(path)
    return path


def as_getscu_gets(port: int, called: str, folder: Path, **keys: str) -> dict[str, str]:
    """What DCMTK's getscu receives, bit for bit: SOP instance UID → SHA-256 of the dataset."""
    folder.mkdir()
    arguments = [word for name, value in keys.items() for word in ("-k", f"{name}={value}")]
    command = ["getscu", "-S", "+B", "-od", str(folder), "-aet", "YINGQIAO", "-aec", called, *arguments]
    subprocess.run([*command, "127.0.0.1", str(port)], check=True, capture_output=True, timeout=60)
    return {str(pydicom.dcmread(path).SOPInstanceUID): digest_of(path) for path in folder.iterdir()}


def digest_of(path: Path) -> str:
    """Of a Part 10 file's dataset, as it is."""
    raw = path.read_bytes()
    return hashlib.sha256(raw[144 + int.from_bytes(raw[140:144], "little") :]).hexdigest()


def digests(gateway: Receiver) -> dict[str, str]:
    return {uid: hashlib.sha256(raw).hexdigest() for uid, raw in gateway.datasets().items()}


def number(accession: str) -> Query:
    return Query(QueryKind.ACCESSION, accession)


def store_of(gateway: Receiver) -> Store:
    return Store(gateway.landing, gateway.indexer.submit)


def limits(**values) -> Limits:
    return Limits(**({"response": 60.0} | values))


@pytest.fixture
def gateway(receiver) -> Receiver:  # noqa: F811
    return receiver()


@pytest.fixture
def study(tmp_path: Path) -> list[Path]:
    """Five instances in two series."""
    return [made(tmp_path / f"{n}.dcm", n) for n in range(5)]


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    """Answers Chinese names in GB18030; without that setting it drops their characters."""
    process, peer = start_orthanc(tmp_path_factory.mktemp("orthanc"), DefaultEncoding="Chinese")
    try:
        yield peer
    finally:
        end(process)


@pytest.fixture
def pacs(orthanc: Orthanc, gateway: Receiver, study: list[Path]):
    for path in study:
        orthanc.upload(path.read_bytes())
    orthanc.register("us", "YINGQIAO", gateway.port)
    node = Node("127.0.0.1", orthanc.dicom_port, "ORTHANC", "YINGQIAO")
    with Requestor(node, limits()) as requestor:
        yield requestor


STUDY = "1.2.826.0.1.3680043.9.7777.501"


# Orthanc


def test_orthanc_says_who_it_is_and_echoes(pacs):
    peer = pacs.associate()
    assert peer.implementation_version.startswith("OFFIS_DCMTK")
    assert peer.address == "127.0.0.1"
    assert all(
        peer.offers(uid) for uid in (Model.STUDY_ROOT.find, Model.STUDY_ROOT.move, Model.STUDY_ROOT.get)
    )
    began = time.monotonic()
    assert 0 < pacs.echo() <= time.monotonic() - began


@pytest.mark.parametrize("charset", ["", "GB18030", "ISO_IR 192", "GBK"])
def test_orthanc_finds_a_chinese_patient(pacs, charset):
    """The query is written in the node's charset, the answer decoded by its own."""
    node = Node(pacs.node.host, pacs.node.port, "ORTHANC", "YINGQIAO", charset)
    with Requestor(node, limits()) as asking:
        for asked in (
            number("ACC1"),
            Query(QueryKind.STUDY_UID, STUDY),
            Query(QueryKind.PATIENT_DAY, "P昞1", "20040101-"),
        ):
            (found,) = find_studies(asking, asked)
            assert (found.study_uid, found.patient_name, found.patient_id) == (STUDY, NAME, "P昞1")
            assert found.accession_number == "ACC1"
        assert found.instance_count == 5
        assert found.series_count == 2
        assert found.modalities == "CT"
    assert find_studies(pacs, number("ACC2")) == []


def test_orthanc_counts_its_series(pacs):
    told = {s.series_uid: s.instance_count for s in find_series(pacs, STUDY)}
    listed = {uid: len({sop_uid for _, sop_uid in find_instances(pacs, STUDY, uid)}) for uid in told}
    assert told == listed == {f"{STUDY}.0": 3, f"{STUDY}.1": 2}
    assert sop_classes(pacs, STUDY) == ("1.2.840.10008.5.1.4.1.1.2",)


@pytest.mark.parametrize(
    ("level", "keys", "expected"),
    [
        (Level.STUDY, {"StudyInstanceUID": STUDY}, {0, 1, 2, 3, 4}),
        (Level.SERIES, {"StudyInstanceUID": STUDY, "SeriesInstanceUID": f"{STUDY}.1"}, {1, 3}),
        (
            Level.IMAGE,
            {
                "StudyInstanceUID": STUDY,
                "SeriesInstanceUID": f"{STUDY}.0",
                "SOPInstanceUID": [f"{STUDY}.9.0", f"{STUDY}.9.4"],
            },
            {0, 4},
        ),
    ],
)
@pytest.mark.parametrize("by", ["move", "get"])
def test_orthanc_sends_what_is_asked_for(pacs, gateway, tmp_path, level, keys, expected, by):
    """Whole studies, one series, single instances; byte for byte what getscu gets."""
    if by == "move":
        steps = list(pacs.move("YINGQIAO", level, keys))
    else:
        steps = list(pacs.get(level, keys, store_of(gateway), sop_classes=sop_classes(pacs, STUDY)))
    assert steps[-1].status == 0
    assert steps[-1].completed == len(expected)
    theirs = as_getscu_gets(
        pacs.node.port, "ORTHANC", tmp_path / "getscu", QueryRetrieveLevel="STUDY", StudyInstanceUID=STUDY
    )
    assert digests(gateway) == {uid: theirs[uid] for uid in (f"{STUDY}.9.{n}" for n in expected)}


def test_what_was_got_is_indexed_with_where_it_came_from(pacs, gateway):
    list(
        pacs.get(
            Level.STUDY, {"StudyInstanceUID": STUDY}, store_of(gateway), sop_classes=sop_classes(pacs, STUDY)
        )
    )
    gateway.stop()
    with gateway.database.read() as connection:
        (row, *_) = connection.execute(select(instances)).mappings()
    assert row["sop_uid"].startswith(STUDY)
    record = next(iter(gateway.landing.scan(row["segment"])))
    arrival = record.arrival
    assert (arrival.calling_aet, arrival.called_aet, arrival.peer) == ("ORTHANC", "YINGQIAO", "127.0.0.1")


def test_a_destination_orthanc_does_not_know(pacs):
    """Orthanc says C000 where the standard has A801: the words name the destination all the same."""
    with pytest.raises(FailedStatus, match="目的地"):
        list(pacs.move("NOWHERE", Level.STUDY, {"StudyInstanceUID": STUDY}))
    assert pacs.echo() > 0  # the association is still good


def test_a_destination_where_nobody_listens(pacs, orthanc):
    orthanc.register("dead", "DEAD", free_port())
    with pytest.raises(FailedStatus) as raised:
        list(pacs.move("DEAD", Level.STUDY, {"StudyInstanceUID": STUDY}))
    assert raised.value.words


def test_a_requester_orthanc_does_not_know(orthanc):
    """Orthanc takes the association and aborts the query."""
    node = Node("127.0.0.1", orthanc.dicom_port, "ORTHANC", "STRANGER")
    with Requestor(node, limits()) as asking, pytest.raises(Aborted, match="没有登记我方"):
        find_studies(asking, Query(QueryKind.STUDY_UID, STUDY))


def test_our_full_disk_is_told_and_nothing_is_claimed(pacs, gateway, monkeypatch):
    """A700 for each instance: the PACS counts them as failed, so do we."""

    def full(_size):
        raise LandingFull("the disk's reserve is reached")

    monkeypatch.setattr(gateway.landing, "ensure_room", full)
    with pytest.raises(FailedStatus) as raised:
        list(
            pacs.get(
                Level.STUDY,
                {"StudyInstanceUID": STUDY},
                store_of(gateway),
                sop_classes=["1.2.840.10008.5.1.4.1.1.2"],
            )
        )
    assert raised.value.counts.failed == 5
    monkeypatch.undo()
    assert gateway.datasets() == {}


def test_classes_that_need_several_associations(pacs, gateway):
    """Without knowing what the study holds: the counts are those of the whole in the end."""
    steps = list(pacs.get(Level.STUDY, {"StudyInstanceUID": STUDY}, store_of(gateway)))
    assert steps[-1].status == 0
    assert steps[-1].completed == 5
    assert sum(step.is_final for step in steps) == 1
    assert len(gateway.datasets()) == 5


def test_several_at_once(pacs, gateway):
    """Parallel associations into one landing area: every instance once."""
    failures = []

    def get():
        try:
            with Requestor(pacs.node, limits()) as mine:
                keys = {"StudyInstanceUID": STUDY}
                list(
                    mine.get(Level.STUDY, keys, store_of(gateway), sop_classes=["1.2.840.10008.5.1.4.1.1.2"])
                )
        except Exception as error:  # noqa: BLE001 shown below
            failures.append(error)

    threads = [threading.Thread(target=get) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(gateway.datasets()) == 5


# dcmqrscp


def asking(port: int, **values) -> Requestor:
    return Requestor(Node("127.0.0.1", port, "QRSCP", "YINGQIAO", **values), limits())


@pytest.mark.parametrize("charset", ["GB18030", "ISO_IR 192", "ISO 2022 IR 58"])
def test_dcmqrscp_finds_a_chinese_patient(tmp_path, charset):
    """It answers in the charset of its files, whatever the question's."""
    term = ["", charset] if "58" in charset else charset
    file = made(tmp_path / "1.dcm", charset=term, PatientName="王^小明", PatientID="P1")
    with dcmqrscp(tmp_path / "pacs", [file], {}) as port, asking(port) as pacs:
        (found,) = find_studies(pacs, number("ACC1"))
        assert found.patient_name == "王^小明"
        assert find_studies(pacs, number("ACC9")) == []


@pytest.mark.parametrize("by", ["move", "get"])
def test_dcmqrscp_sends_byte_for_byte(tmp_path, gateway, by):
    """CT, MR, RT, ECG, SR: by C-GET what getscu gets bit for bit, by C-MOVE every one."""
    files = [FILES / name for name in PLAIN]
    expected = {str(pydicom.dcmread(f).SOPInstanceUID): pydicom.dcmread(f) for f in files}
    studies = {str(d.StudyInstanceUID) for d in expected.values()}
    with dcmqrscp(tmp_path / "pacs", files, {"YINGQIAO": gateway.port}) as port, asking(port) as pacs:
        for uid in studies:
            keys = {"StudyInstanceUID": uid}
            if by == "move":
                last = list(pacs.move("YINGQIAO", Level.STUDY, keys))[-1]
            else:
                found = sop_classes(pacs, uid)
                last = list(pacs.get(Level.STUDY, keys, store_of(gateway), sop_classes=found))[-1]
            assert last.status == 0
        theirs: dict[str, str] = {}
        for number, uid in enumerate(studies):
            folder = tmp_path / f"getscu{number}"
            theirs |= as_getscu_gets(port, "QRSCP", folder, QueryRetrieveLevel="STUDY", StudyInstanceUID=uid)
    kept = digests(gateway)
    assert kept.keys() == expected.keys()
    if by == "get":
        assert {uid: kept[uid] for uid in theirs} == theirs
        assert len(theirs) > 3, "getscu proposes no waveforms"


@pytest.mark.parametrize(("name", "option"), COMPRESSED.items())
def test_compressed_images_come_as_they_are(tmp_path, gateway, name, option):
    """PS3.5 annex A: the syntax of the file has a context of its own."""
    original = pydicom.dcmread(FILES / name)
    with dcmqrscp(tmp_path / "pacs", [FILES / name], {}, option) as port, asking(port) as pacs:
        keys = {"StudyInstanceUID": str(original.StudyInstanceUID)}
        found = [str(original.SOPClassUID)]
        last = list(pacs.get(Level.STUDY, keys, store_of(gateway), sop_classes=found))[-1]
        assert (last.status, last.completed) == (0, 1)
    (row,) = gateway.rows()
    assert row.transfer_syntax_uid == original.file_meta.TransferSyntaxUID
    assert original.PixelData in gateway.dataset(row)


def test_dcmqrscp_knows_no_destination(tmp_path):
    """A801, as the standard has it."""
    with (
        dcmqrscp(tmp_path / "pacs", [made(tmp_path / "1.dcm")], {}) as port,
        asking(port) as pacs,
        pytest.raises(FailedStatus, match="目的地") as raised,
    ):
        list(pacs.move("NOWHERE", Level.STUDY, {"StudyInstanceUID": STUDY}))
    assert raised.value.status == 0xA801
