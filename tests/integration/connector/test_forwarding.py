"""Images by C-STORE through the connector into a real gateway (四(二)2(1)): exact bytes, outages, kills."""

from __future__ import annotations

import hashlib
import signal
import sqlite3
import time

from tests.helpers.connector import until
from tests.helpers.dicom_files import CT, EXPLICIT, IMPLICIT, dataset
from tests.helpers.ports import free_port
from tests.integration.connector.conftest import HospitalMaker
from tests.peers.gateway import GatewayMaker, RunningGateway
from yingqiao.dicom.query_retrieve.node import Node
from yingqiao.dicom.storage_scu import StorageSender

MR = "1.2.840.10008.5.1.4.1.1.4"


def arrived(gateway: RunningGateway) -> dict[str, str]:
    """SOP instance UID → SHA-256 of its dataset as the gateway keeps it."""
    with sqlite3.connect(f"file:{gateway.data}/yingqiao.sqlite?mode=ro", uri=True, timeout=120) as db:
        rows = db.execute("SELECT sop_uid, digest FROM instances")
        return {uid: digest.hex() for uid, digest in rows}


def send(port: int, instances: dict[str, tuple[str, str, bytes]]) -> None:
    """Instances: UID → class, syntax, dataset; each has to be acknowledged."""
    kinds = [(sop_class, syntax) for sop_class, syntax, _ in instances.values()]
    with StorageSender(Node("127.0.0.1", port, "YQHOSPITAL", "PACS"), kinds) as sender:
        for uid, (sop_class, syntax, body) in instances.items():
            pieces = (body[start : start + 7001] for start in range(0, len(body), 7001))
            status, _ = sender.store((sop_class, syntax), uid, len(body), pieces)
            assert status == 0


def make(count: int, root: str = "1.9", size: int = 400) -> dict[str, tuple[str, str, bytes]]:
    made = {}
    for n in range(count):
        uid = f"{root}.{n}"
        implicit = bool(n % 2)
        body = dataset(uid, bytes([n % 256]) * size, study=root, implicit=implicit)
        made[uid] = (CT, IMPLICIT if implicit else EXPLICIT, body)
    return made


def digests(instances: dict[str, tuple[str, str, bytes]]) -> dict[str, str]:
    return {uid: hashlib.sha256(body).hexdigest() for uid, (_, _, body) in instances.items()}


def settings(gateway: RunningGateway, port: int) -> dict[str, object]:
    return {
        "mode": "forward",
        "host": "127.0.0.1",
        "port": port,
        "gateway_port": gateway.dicom_port,
        "keep_bytes": 0,
    }


def test_exact_bytes_through_outage_and_kills(make_gateway: GatewayMaker, make_hospital: HospitalMaker):
    """Acknowledged means durable at the hospital: what was answered 0000 arrives, byte for byte."""
    gateway = make_gateway(start=False)
    port = free_port()
    hospital = make_hospital(gateway, images=settings(gateway, port))
    sent = make(60) | {"1.9.900": (CT, EXPLICIT, dataset("1.9.900", b"\5" * 9_000_000, study="1.9"))}
    hospital.start()
    assert until(lambda: "connector.started" in hospital.log)
    send(port, sent)
    hospital.stop(signal.SIGKILL)
    hospital.start()
    assert until(lambda: "影像转发" in hospital.alarms())
    more = make(40, "1.8")
    send(port, more)
    gateway.start()
    time.sleep(0.5)
    hospital.stop(signal.SIGKILL)
    hospital.start()
    wanted = digests(sent | more)
    assert until(lambda: arrived(gateway) == wanted), hospital.log[-3000:]
    assert until(lambda: (s := hospital.status()) and s.images == {"sent": 101})
    assert until(lambda: not hospital.alarms())


def test_an_odd_instance_does_not_hold_up_the_others(
    shared_gateway: RunningGateway, make_hospital: HospitalMaker
):
    """Of another class, without anything in it."""
    gateway = shared_gateway
    port = free_port()
    hospital = make_hospital(gateway, own=True, images=settings(gateway, port))
    sent = make(3)
    hospital.start()
    assert until(lambda: "connector.started" in hospital.log)
    empty = {"1.9.77": (MR, EXPLICIT, b"\x08\x00\x05\x00CS\x00\x00")}
    send(port, empty | sent)
    assert until(
        lambda: (s := hospital.status()) and sum(s.images.values()) == 4 and "waiting" not in s.images
    )
    assert until(lambda: digests(sent).items() <= arrived(gateway).items())
