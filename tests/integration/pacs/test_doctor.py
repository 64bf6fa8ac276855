"""The C-MOVE doctor against real PACS that are wrong in one way each: it names the link and the side."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.helpers.ports import free_port
from tests.integration.pacs.rig import AET, Rig, trouble
from tests.peers.pacs import ROOT, Dcmqrscp, OrthancPacs, instance, study
from yingqiao.exchange.doctor import Diagnosis, Mark, Side, Step, Trouble
from yingqiao.exchange.pacs import PacsOptions
from yingqiao.exchange.pull import Query, QueryKind

pytestmark = pytest.mark.peer
MakeOrthanc = Callable[..., OrthancPacs]
MakeDcmqrscp = Callable[..., Dcmqrscp]
UID = f"{ROOT}.1"
ASKED = Query(QueryKind.ACCESSION, "A1")


def marks(diagnosis: Diagnosis) -> dict[Step, Mark]:
    return {finding.step: finding.mark for finding in diagnosis.findings}


def well_known(make: MakeOrthanc, rig: Rig, **given: object) -> OrthancPacs:
    pacs = make()
    pacs.keep(study(UID, 2, 2))
    pacs.knows(AET, rig.port, **given)
    rig.node(pacs.address)
    return pacs


def test_all_is_well(rig: Rig, make_orthanc: MakeOrthanc):
    well_known(make_orthanc, rig)
    diagnosis = rig.examine(asked=ASKED)
    expected = dict.fromkeys(Step, Mark.PASSED) | {Step.TLS: Mark.SKIPPED}
    assert marks(diagnosis) == expected, [f.words for f in diagnosis.findings]
    assert diagnosis.usable
    assert diagnosis.summary() == "可以调取：用 C-MOVE"
    rig.settle()
    assert rig.count() == 1


def test_a_probe_that_was_here_before_is_seen_to_come_again(rig: Rig, make_orthanc: MakeOrthanc):
    """In the landing area; the index does not change."""
    pacs = make_orthanc()
    pacs.keep([instance(UID)])
    pacs.knows(AET, rig.port)
    rig.node(pacs.address)
    assert rig.examine(asked=ASKED).usable
    assert marks(rig.examine(asked=Query(QueryKind.STUDY_UID, UID)))[Step.MOVE] is Mark.PASSED
    rig.settle()
    assert rig.rows() == 1


def test_dcmqrscp_that_knows_us(rig: Rig, make_dcmqrscp: MakeDcmqrscp):
    pacs = make_dcmqrscp(destinations={AET: rig.port})
    pacs.keep(study(UID, 1, 2))
    rig.node(pacs.address)
    assert rig.examine(asked=ASKED).usable


def test_nobody_listens(rig: Rig):
    rig.node(f"PACS@127.0.0.1:{free_port()}")
    diagnosis = rig.examine()
    assert trouble(diagnosis, Step.CONNECT) is Trouble.REFUSED
    assert marks(diagnosis)[Step.MOVE] is Mark.SKIPPED
    assert marks(diagnosis)[Step.BACK] is Mark.PASSED
    assert "需PACS 厂商处理" in diagnosis.summary()


def test_a_name_nobody_knows(rig: Rig):
    rig.node("PACS@pacs.invalid:104")
    assert trouble(rig.examine(), Step.NAME) is Trouble.NAME_UNKNOWN


def test_packets_that_vanish(rig: Rig):
    """A full backlog drops connections as a firewall does."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server, contextlib.ExitStack() as waiting:
        port = server.getsockname()[1]
        for _ in range(4):
            one = waiting.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        rig.node(f"PACS@127.0.0.1:{port}")
        diagnosis = rig.examine(connect=1.0)
    assert trouble(diagnosis, Step.CONNECT) is Trouble.FILTERED
    assert "网络管理员" in diagnosis.summary()


@contextlib.contextmanager
def answering(*answers: bytes) -> Iterator[int]:
    """A port where every connection gets these bytes, and then nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        kept: list[socket.socket] = []

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    kept.append(connection)
                    for answer in answers:
                        connection.recv(1024)
                        connection.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]
        for connection in kept:
            connection.close()
        server.shutdown(socket.SHUT_RDWR)


def test_a_port_that_accepts_and_never_answers(rig: Rig):
    with answering() as port:
        rig.node(f"PACS@127.0.0.1:{port}")
        diagnosis = rig.examine(association=1.0)
    assert trouble(diagnosis, Step.ASSOCIATION) is Trouble.SILENT


def test_a_port_that_is_no_dicom(rig: Rig):
    with answering(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n") as port:
        rig.node(f"PACS@127.0.0.1:{port}")
        diagnosis = rig.examine()
    assert trouble(diagnosis, Step.ASSOCIATION) is Trouble.NOT_DICOM


def test_tls_to_a_plain_port(rig: Rig, make_dcmqrscp: MakeDcmqrscp):
    pacs = make_dcmqrscp()
    rig.node(pacs.address, options=PacsOptions(tls=True))
    diagnosis = rig.examine()
    assert trouble(diagnosis, Step.TLS) in (Trouble.TLS_NOT_SPOKEN, Trouble.TLS_FAILED)
    assert marks(diagnosis)[Step.CONNECT] is Mark.PASSED


def test_a_wrong_called_title(rig: Rig, make_dcmqrscp: MakeDcmqrscp):
    pacs = make_dcmqrscp()
    rig.node(f"WRONG@127.0.0.1:{pacs.port}")
    diagnosis = rig.examine()
    assert trouble(diagnosis, Step.ASSOCIATION) is Trouble.CALLED_AET
    assert "WRONG" in diagnosis.summary()


def test_a_calling_title_nobody_registered(rig: Rig, make_dcmqrscp: MakeDcmqrscp):
    pacs = make_dcmqrscp(peers=("OTHER",))
    rig.node(pacs.address)
    diagnosis = rig.examine()
    finding = next(f for f in diagnosis.findings if f.step is Step.ASSOCIATION)
    assert finding.trouble in (Trouble.CALLING_AET, Trouble.CALLED_AET, Trouble.REJECTED), finding.words
    assert f"AET={AET} IP=127.0.0.1 端口={rig.port}" in finding.mend or finding.side is Side.GATEWAY


def test_an_unknown_destination(rig: Rig, make_dcmqrscp: MakeDcmqrscp):
    """A801: what to register is said."""
    pacs = make_dcmqrscp(options=("--disable-get",))
    pacs.keep(study(UID, 1, 1))
    rig.node(pacs.address)
    diagnosis = rig.examine(asked=ASKED)
    assert trouble(diagnosis, Step.MOVE) is Trouble.DESTINATION_UNKNOWN
    assert f"登记目的地 AET={AET} IP=127.0.0.1 端口={rig.port}" in diagnosis.summary()


def test_a_destination_behind_a_closed_port(rig: Rig, make_orthanc: MakeOrthanc):
    """The PACS knows our title, with a port that is closed: a firewall, or the port mistyped."""
    pacs = make_orthanc()
    pacs.keep(study(UID, 1, 1))
    pacs.knows(AET, free_port())
    rig.node(pacs.address)
    diagnosis = rig.examine(asked=ASKED)
    assert trouble(diagnosis, Step.MOVE) in (Trouble.DESTINATION_UNREACHABLE, Trouble.MOVE_FAILED)
    assert marks(diagnosis)[Step.GET] is Mark.PASSED
    assert diagnosis.summary().startswith("可以调取：用 C-GET；C-MOVE 不通")


def test_a_destination_behind_a_closed_port_of_dcmqrscp(rig: Rig, make_dcmqrscp: MakeDcmqrscp):
    pacs = make_dcmqrscp(destinations={AET: free_port()})
    pacs.keep(study(UID, 1, 1))
    rig.node(pacs.address)
    diagnosis = rig.examine(asked=ASKED)
    assert trouble(diagnosis, Step.MOVE) is Trouble.DESTINATION_UNREACHABLE


def test_images_that_go_elsewhere(rig: Rig, make_orthanc: MakeOrthanc, storescp: tuple[int, object]):
    pacs = make_orthanc()
    pacs.keep(study(UID, 1, 1))
    pacs.knows(AET, storescp[0])
    rig.node(pacs.address)
    diagnosis = rig.examine(asked=ASKED)
    assert trouble(diagnosis, Step.MOVE) is Trouble.WENT_ELSEWHERE
    assert "本机收到 0 幅" in diagnosis.summary()


@pytest.mark.parametrize(
    ("switch", "step"),
    [("AllowFind", Step.FIND), ("AllowMove", Step.MOVE), ("AllowEcho", Step.ECHO)],
)
def test_a_pacs_that_does_not_allow_it(rig: Rig, make_orthanc: MakeOrthanc, switch: str, step: Step):
    """Orthanc refuses by aborting, or by rejecting the service: either way the step is named."""
    pacs = make_orthanc(DicomAlwaysAllowFind=False, DicomAlwaysAllowMove=False, DicomAlwaysAllowEcho=False)
    pacs.keep(study(UID, 1, 1))
    pacs.knows(AET, rig.port, **{switch: False})
    rig.node(pacs.address)
    diagnosis = rig.examine(asked=ASKED)
    finding = next(f for f in diagnosis.findings if f.step is step)
    assert finding.mark is Mark.FAILED, [f.words for f in diagnosis.findings]
    assert finding.side is Side.PACS


def test_no_get(rig: Rig, make_dcmqrscp: MakeDcmqrscp):
    pacs = make_dcmqrscp(destinations={AET: rig.port}, options=("--disable-get",))
    pacs.keep(study(UID, 1, 1))
    rig.node(pacs.address)
    diagnosis = rig.examine(asked=ASKED)
    assert diagnosis.usable
    assert marks(diagnosis)[Step.GET] is Mark.SKIPPED


def test_nothing_to_find(rig: Rig, make_orthanc: MakeOrthanc):
    pacs = make_orthanc()
    pacs.knows(AET, rig.port)
    rig.node(pacs.address)
    diagnosis = rig.examine(asked=Query(QueryKind.ACCESSION, "NONE"))
    assert trouble(diagnosis, Step.FIND) is Trouble.EMPTY
    diagnosis = rig.examine()
    assert marks(diagnosis)[Step.FIND] is Mark.PASSED
    assert trouble(diagnosis, Step.MOVE) is Trouble.NOTHING_TO_PROBE


def test_our_receiver_is_off(make_rig: Callable[..., Rig], make_orthanc: MakeOrthanc):
    rig = make_rig(listens=False)
    pacs = make_orthanc()
    pacs.keep(study(UID, 1, 1))
    rig.node(pacs.address)
    diagnosis = rig.examine(asked=ASKED)
    assert trouble(diagnosis, Step.BACK) is Trouble.OWN_OFF
    assert diagnosis.summary() == "可以调取：用 C-GET"


def test_our_receiver_is_down(rig: Rig, make_orthanc: MakeOrthanc):
    well_known(make_orthanc, rig)
    assert rig.scp is not None
    rig.scp.stop()
    rig.scp = None
    diagnosis = rig.examine(asked=ASKED)
    assert trouble(diagnosis, Step.BACK) is Trouble.OWN_DOWN
    assert marks(diagnosis)[Step.MOVE] is Mark.FAILED


def test_our_receiver_checks_its_title(make_rig: Callable[..., Rig], make_orthanc: MakeOrthanc):
    rig = make_rig(check_called_aet=True)
    pacs = make_orthanc()
    rig.node(pacs.address, calling_aet="ANOTHER")
    assert trouble(rig.examine(), Step.BACK) is Trouble.OWN_AET


@contextlib.contextmanager
def encrypted(folder: Path, **context: Any) -> Iterator[tuple[int, Path]]:
    """A TLS port with a certificate signed by itself, and that certificate's file."""
    certificate, key = self_signed(folder)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    if context.get("wants_clients"):
        tls.verify_mode = ssl.CERT_REQUIRED
        tls.load_verify_locations(certificate)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    with contextlib.suppress(OSError), tls.wrap_socket(connection, server_side=True) as wire:
                        wire.recv(1024)

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1], certificate
        server.shutdown(socket.SHUT_RDWR)


def self_signed(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "pacs.hospital")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate, secret = folder / "pacs.pem", folder / "pacs.key"
    certificate.write_bytes(made.public_bytes(Encoding.PEM))
    secret.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return certificate, secret


def test_a_certificate_nobody_here_trusts(rig: Rig, tmp_path: Path):
    with encrypted(tmp_path) as (port, _):
        rig.node(f"PACS@127.0.0.1:{port}", options=PacsOptions(tls=True))
        diagnosis = rig.examine()
    assert trouble(diagnosis, Step.TLS) is Trouble.TLS_UNTRUSTED
    assert "--tls-ca" in diagnosis.summary()


def test_a_certificate_for_another_name(rig: Rig, tmp_path: Path):
    """Trusted, but it names no host we know: --tls-any-name is what hospitals need."""
    with encrypted(tmp_path) as (port, certificate):
        rig.node(f"PACS@127.0.0.1:{port}", options=PacsOptions(tls=True, tls_ca=str(certificate)))
        assert trouble(rig.examine(), Step.TLS) is Trouble.TLS_UNTRUSTED
        options = PacsOptions(tls=True, tls_ca=str(certificate), tls_any_name=True)
        rig.node(f"PACS@127.0.0.1:{port}", "again", options=options)
        diagnosis = rig.examine("again")
    assert marks(diagnosis)[Step.TLS] is Mark.PASSED
    assert marks(diagnosis)[Step.ASSOCIATION] is Mark.FAILED


def test_own_files_that_are_not_there(rig: Rig, make_dcmqrscp: MakeDcmqrscp):
    pacs = make_dcmqrscp()
    rig.node(pacs.address, options=PacsOptions(tls=True, tls_ca="/nowhere/ca.pem"))
    assert trouble(rig.examine(), Step.TLS) is Trouble.TLS_OWN_FILES
