"""What a busy hospital and a hostile network need: limits, timeouts, refusals by cause, TLS, a stop."""

from __future__ import annotations

import resource
import socket
import ssl
import subprocess
import threading
import time

import pytest

from tests.integration.dicom.raw_sender import CT, EXPLICIT, VERIFICATION, RawSender, message
from yingqiao.dicom.sources import AllowList, Source
from yingqiao.dicom.upper_layer import dimse, items, pdu
from yingqiao.store.segment import Disk

DATASET = b"\x08\x00\x60\x00CS\x02\x00CT" + b"\x08\x00\x70\x00LO\x08\x00Acme Inc"


def test_over_the_limit_is_refused_for_now(receiver):
    """PS3.8 table 9-21: rejected-transient, provider (presentation), local-limit-exceeded."""
    gateway = receiver(max_associations=3)
    open_ones = [RawSender(gateway.port) for _ in range(3)]
    assert RawSender(gateway.port).answer == pdu.AssociateReject(2, 3, 2)
    open_ones.pop().release()
    deadline = time.monotonic() + 120
    while not isinstance(RawSender(gateway.port).answer, pdu.AssociateAccept):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_hundreds_of_associations_at_once(receiver):
    gateway = receiver()
    senders = [RawSender(gateway.port) for _ in range(300)]
    for number, sender in enumerate(senders):
        assert sender.store(DATASET, f"1.2.{number}") == 0
    for sender in senders:
        sender.release()
    assert len(gateway.rows()) == 300


@pytest.mark.parametrize(
    ("sources", "calling", "accepted"),
    [
        ([], "ANY", True),
        ([Source("CT1", "127.0.0.0/8", "H1")], "CT1", True),
        ([Source("CT1", "127.0.0.0/8", "H1")], "CT2", False),
        ([Source("CT1", "10.0.0.0/8", "H1")], "CT1", False),
        ([Source("*", "127.0.0.1", "H1")], "CT9", True),
        ([Source("CT1", "*", "H1")], "CT1", True),
    ],
)
def test_only_listed_sources_may_send(receiver, sources, calling, accepted):
    """Rejected-permanent, calling AE title not recognized."""
    gateway = receiver(admits=AllowList(sources))
    answer = RawSender(gateway.port, calling=calling).answer
    assert isinstance(answer, pdu.AssociateAccept) if accepted else answer == pdu.AssociateReject(1, 1, 3)


def test_the_called_title_is_checked_when_asked(receiver):
    gateway = receiver(check_called_aet=True, aet="GATEWAY")
    assert RawSender(gateway.port, called="OTHER").answer == pdu.AssociateReject(1, 1, 7)
    assert isinstance(RawSender(gateway.port, called="GATEWAY").answer, pdu.AssociateAccept)


def test_an_operations_window_is_taken_and_answers_stay_in_order(receiver):
    """PS3.7 D.3.3.3."""
    gateway = receiver(async_window=16)
    with RawSender(gateway.port, window=(0, 1)) as sender:
        assert isinstance(sender.answer, pdu.AssociateAccept)
        assert sender.answer.user.async_window == (16, 1)
        for start in range(0, 64, 16):
            batch = range(start, start + 16)
            data = b"".join(sender.store_bytes(DATASET + bytes(900 * n), f"1.2.{n}", n) for n in batch)
            sender.socket.sendall(data)
            answers = [sender.receive_command() for _ in batch]
            assert [(a.message_id, a.status) for a in answers] == [(n, 0) for n in batch]
        sender.release()
    assert len(gateway.rows()) == 64


def test_roles_and_identity_are_answered(receiver):
    """PS3.7 D.3.3.4, D.3.3.7."""
    gateway = receiver()
    user = items.UserInformation(
        roles=(items.RoleSelection(CT, True, True),),
        identity=items.UserIdentity(1, b"someone", b"", wants_response=True),
        extended=(items.ExtendedNegotiation(CT, b"\2\0\0\0\0\0"),),
    )
    answer = RawSender(gateway.port, user=user).answer
    assert isinstance(answer, pdu.AssociateAccept)
    assert answer.user.roles == (items.RoleSelection(CT, True, False),)
    assert answer.user.identity_response == b""


@pytest.mark.parametrize(
    ("sop_class", "uid", "dataset", "status"),
    [
        (CT, "1.2.3", b"", 0xC000),
        (CT, "", DATASET, 0x0117),
        (CT, "1." * 32 + "1", DATASET, 0x0117),
        (VERIFICATION, "1.2.3", DATASET, 0x0122),
        ("1.2.840.10008.5.1.4.1.2.1.1", "1.2.3", DATASET, 0x0122),
    ],
)
def test_their_fault_has_its_own_status(receiver, sop_class, uid, dataset, status):
    """PS3.4 table B.2-1, PS3.7 annex C; the association goes on."""
    gateway = receiver()
    with RawSender(gateway.port) as sender:
        assert sender.store(dataset, uid, sop_class=sop_class) == status
        assert sender.store(DATASET, "1.2.3.4") == 0
    assert len(gateway.rows()) == 1


def test_an_operation_not_served_is_said(receiver):
    """0211H, with and without a dataset."""
    gateway = receiver()
    find = dimse.encode_command({0x0002: CT, 0x0100: 0x0020, 0x0110: 5, 0x0700: 0, 0x0800: 0})
    with RawSender(gateway.port) as sender:
        sender.socket.sendall(message(1, find, DATASET))
        assert sender.receive_command().status == 0x0211
        assert sender.store(DATASET, "1.2.3") == 0


def test_an_index_too_far_behind_refuses(receiver):
    """A700: the sender keeps the instance and tries again."""
    behind = [True]
    gateway = receiver(is_behind=lambda: behind[0])
    with RawSender(gateway.port) as sender:
        assert sender.store(DATASET, "1.2.3") == 0xA700
        behind[0] = False
        assert sender.store(DATASET, "1.2.3") == 0


def test_before_the_disk_is_full_it_refuses(receiver):
    gateway = receiver(landing={"reserve_bytes": 1 << 60})
    with RawSender(gateway.port) as sender:
        assert sender.store(DATASET, "1.2.3") == 0xA700
        assert sender.store(DATASET * 600_000, "1.2.4") == 0xA700
        assert sender.echo() == 0


def test_a_full_disk_refuses_and_loses_nothing(receiver):
    """A file size limit stands for the full disk: appending fails, a large instance fails in the middle."""
    gateway = receiver(landing={"segment_bytes": 1 << 30})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    kept = []
    with RawSender(gateway.port) as sender:
        resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, hard))
        try:
            statuses = [sender.store(DATASET + bytes(200_000), f"1.2.{n}") for n in range(40)]
            kept = [f"1.2.{n}" for n, status in enumerate(statuses) if status == 0]
            assert set(statuses) == {0, 0xA700}
            assert sender.store(DATASET + bytes(12_000_000), "1.2.900") == 0xA700
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert sender.store(DATASET + bytes(12_000_000), "1.2.901") == 0
    assert sorted(r.sop_uid for r in gateway.rows()) == sorted([*kept, "1.2.901"])


def test_a_failing_flush_refuses(receiver):
    broken = [False]

    class Failing(Disk):
        def write(self, fd, parts, offset, *, durably=False):
            super().write(fd, parts, offset, durably=durably)
            if durably and broken[0]:
                raise OSError(5, "Input/output error")

    gateway = receiver(landing={"disk": Failing()})
    with RawSender(gateway.port) as sender:
        assert sender.store(DATASET, "1.2.1") == 0
        broken[0] = True
        assert sender.store(DATASET, "1.2.2") == 0xA700
        broken[0] = False
        assert sender.store(DATASET, "1.2.2") == 0


@pytest.mark.parametrize("stage", ["connected", "half a request", "half a head", "half a dataset"])
def test_a_peer_that_stops_is_given_up(receiver, stage):
    """Slow-loris: every wait ends."""
    short = {
        "connected": {"request_timeout": 0.6},
        "half a request": {"request_timeout": 0.6, "pdu_timeout": 0.6},
        "half a head": {"pdu_timeout": 0.6, "idle_timeout": 0.6},
        "half a dataset": {"pdu_timeout": 0.6},
    }
    gateway = receiver(**({"request_timeout": 300, "pdu_timeout": 300, "idle_timeout": 300} | short[stage]))
    sender = RawSender(gateway.port, connect_only=stage in ("connected", "half a request"))
    if stage == "half a request":
        sender.socket.sendall(b"\1\0\0\0\1\0\0\1")
    elif stage == "half a head":
        sender.socket.sendall(b"\4\0\0")
    elif stage == "half a dataset":
        sender.socket.sendall(sender.store_bytes(bytes(50_000), "1.2.3")[:30_000])
    assert sender.is_closed(60.0)
    assert gateway.rows() == []


def test_a_trickle_is_given_up(receiver):
    """Each byte in time, the message never: too slow on the whole."""
    gateway = receiver(pdu_timeout=1.0, min_bytes_per_second=100_000)
    sender = RawSender(gateway.port)
    data = sender.store_bytes(bytes(100_000), "1.2.3", fragment=100)

    def trickle():
        for start in range(0, len(data), 400):
            try:
                sender.socket.sendall(data[start : start + 400])
            except OSError:
                return
            time.sleep(0.05)

    thread = threading.Thread(target=trickle)
    thread.start()
    assert sender.is_closed(60.0)
    sender.socket.close()
    thread.join()


def test_an_idle_association_is_ended(receiver):
    gateway = receiver(idle_timeout=0.6)
    deadline = time.monotonic() + 60
    while True:
        with RawSender(gateway.port) as sender:
            try:
                status = sender.store(DATASET, "1.2.3")
            except (EOFError, OSError, AssertionError):  # this process was held up, and idle before it began
                assert time.monotonic() < deadline
                continue
            assert status == 0
            assert sender.is_closed(60.0)
            return


def test_a_peer_that_does_not_read_is_given_up(receiver):
    """The write timeout: otherwise it would hold its thread for ever."""
    gateway = receiver(write_timeout=0.5)
    with RawSender(gateway.port) as sender:
        sender.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        echo = message(1, dimse.encode_request(dimse.CommandField.C_ECHO_RQ, 7, VERIFICATION)) * 500
        sender.socket.settimeout(60.0)
        try:
            for _ in range(2000):
                sender.socket.sendall(echo)
        except OSError:
            return
        raise AssertionError("every byte was taken and no answer read")


def test_probes_and_noise_leave_nothing_behind(receiver):
    """Load balancers' health checks, port scanners, TLS and HTTP on the wrong port."""
    gateway = receiver()
    for noise in (
        b"",
        b"\0",
        b"GET / HTTP/1.0\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01",
        b"\4\0\0\0\0\x10" + bytes(16),
    ):
        with socket.create_connection(("127.0.0.1", gateway.port)) as probe:
            probe.sendall(noise)
    deadline = time.monotonic() + 120
    while gateway.scp.associations:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    with RawSender(gateway.port) as sender:
        assert sender.store(DATASET, "1.2.3") == 0


def test_a_stop_lets_a_message_end(receiver):
    gateway = receiver()
    with RawSender(gateway.port) as sender, RawSender(gateway.port) as idle:
        data = sender.store_bytes(DATASET + bytes(40_000), "1.2.3")
        sender.socket.sendall(data[:20_000])
        stopping = threading.Thread(target=gateway.scp.stop, args=(60.0,))
        stopping.start()
        assert gateway.scp._stopping.wait(60)
        time.sleep(0.3)
        sender.socket.sendall(data[20_000:])
        assert sender.receive_command().status == 0
        stopping.join(60)
        assert not stopping.is_alive()
        assert idle.is_closed(60.0)


def test_tls(receiver, tmp_path):
    """PS3.15 annex B: the same service over TLS."""
    certificate, key = tmp_path / "c.pem", tmp_path / "k.pem"
    subprocess.run(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost "
        f"-addext subjectAltName=DNS:localhost -keyout {key} -out {certificate}".split(),
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    gateway = receiver(tls=context)
    client = ssl.create_default_context(cafile=str(certificate))
    sender = RawSender(gateway.port, connect_only=True)
    sender.socket = client.wrap_socket(sender.socket, server_hostname="localhost")
    proposed = (items.ContextProposed(1, CT, (EXPLICIT,)),)
    sender.socket.sendall(pdu.encode(pdu.AssociateRequest("YINGQIAO", "TLS", proposed)))
    assert isinstance(sender.receive(), pdu.AssociateAccept)
    assert sender.store(DATASET + bytes(300_000), "1.2.3") == 0
    sender.release()
    assert RawSender(gateway.port, connect_only=True).socket.send(b"plain") == 5
    assert len(gateway.rows()) == 1


def test_the_same_uid_with_other_bytes_is_kept_too(receiver):
    gateway = receiver()
    with RawSender(gateway.port, [(CT, EXPLICIT)]) as sender:
        for dataset in (DATASET, DATASET, DATASET + DATASET):
            assert sender.store(dataset, "1.2.3") == 0
    rows = gateway.rows()
    assert sorted(gateway.dataset(r) for r in rows) == sorted([DATASET, DATASET + DATASET])
    assert all(r.conflict for r in rows)
