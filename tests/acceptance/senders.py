"""Senders that know the wire and nothing of our code: what they were answered is what the gateway must still have."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.client
import json
import random
import socket
import struct
import time
from dataclasses import dataclass, field
from threading import Event, Thread

from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import SM4
from cryptography.hazmat.primitives.padding import PKCS7

HOSPITAL = "12140000MB00000005"
KEY_HEX = "2a77be8ebc9c90cd25ccd1d31dce7a77"


def envelope(record: dict[str, object], *, hospital: str = HOSPITAL, key_hex: str = KEY_HEX) -> bytes:
    """The request body of 三(一): SM4/ECB/PKCS5, base64, SHA-1 over data+hospitalCode+timestamp."""
    padder = PKCS7(128).padder()
    plain = padder.update(json.dumps(record, ensure_ascii=False).encode()) + padder.finalize()
    encryptor = Cipher(SM4(bytes.fromhex(key_hex)), modes.ECB()).encryptor()
    data = base64.b64encode(encryptor.update(plain) + encryptor.finalize()).decode()
    now = str(int(time.time()))
    signature = hashlib.sha1((data + hospital + now).encode()).hexdigest().upper()
    return json.dumps(
        {"hospitalCode": hospital, "data": data, "timestamp": now, "signature": signature}
    ).encode()


def exam(ris_study_id: str, **changes: object) -> dict[str, object]:
    """A complete, finished CT examination."""
    return {
        "patName": "张三丰",
        "cardType": "01",
        "idCard": "140105199003070418",
        "sex": "1",
        "patAge": "35",
        "ageUnit": "Y",
        "patTelephone": "13900000000",
        "fixmedinsCode": "H14010000001",
        "examAdmndvs": "140100",
        "hosplv": "02",
        "hospitalName": "太原市某某医院",
        "hospitalCode": HOSPITAL,
        "labNum": f"L{ris_study_id}",
        "studyUid": f"1.2.826.0.1.3680043.9.{abs(hash(ris_study_id))}",
        "risStudyId": ris_study_id,
        "inhospExamItemCode": "CT001",
        "inhospExamItemName": "胸部CT平扫",
        "examItemName": "胸部CT平扫",
        "examItemCode": "CT020072506",
        "imgExamType": "2",
        "modality": "CT",
        "bodyCode": "BB24ZYZZZ",
        "patientFrom": 1,
        "outPatientId": "MZ0001",
        "patientId": "P0001",
        "diagnosisCategoryCode": "J18",
        "diagnosisCategoryName": "肺炎",
        "diagnosisCode": "J18.9",
        "diagnosisName": "肺炎",
        "examStatus": 4,
        "checkFinishTime": "2026-11-20 10:00:00",
        "examDeptName": "放射科",
        "examDoctorIndustryCode": "D140100000001",
        "accessionNumber": f"A{ris_study_id}",
        "lastChangeTime": "2026-11-20 10:00:00",
        "disableFlag": 0,
        "billgDrCode": "D140100000002",
        "orderName": "O1",
        "mtuRecMark": "HR",
        "setInfoList": [
            {"setId": "0" * 20, "medListCode": "M1", "feeDetailSn": "0" * 18, "examPart": "BB24ZYZZZ"}
        ],
    } | changes


def report(record_num: str, ris_study_id: str, **changes: object) -> dict[str, object]:
    """A complete, audited report with an embedded PDF."""
    pdf = b"%PDF-1.4\n" + record_num.encode() + random.randbytes(2000) + b"\n%%EOF\n"
    return {
        "hospitalName": "太原市某某医院",
        "hospitalCode": HOSPITAL,
        "patId": "H0001",
        "patType": 1,
        "xno": "P0001",
        "labNum": f"L{ris_study_id}",
        "risStudyId": ris_study_id,
        "categoryName": "胸部",
        "itemName": "胸部CT平扫",
        "dep": 2,
        "instra": "CT",
        "checkDate": "2026-11-20 10:00:00",
        "radioDepName": "放射科",
        "radioDoctorName": "李四",
        "recordNum": record_num,
        "ACCESS_NO": record_num,
        "reportStatus": 3,
        "modality": "CT",
        "reportDoctorName": "王五",
        "reportDate": "2026-11-20 10:30:00",
        "confirmDoctorName": "赵六",
        "confirmDate": "2026-11-20 11:00:00",
        "findings": "双肺纹理清晰。",
        "inspectExamResult": "未见异常。",
        "isLastAudit": 0,
        "lastAuditDoctor": "",
        "reportPdfBase64": base64.b64encode(pdf).decode(),
        "checkPositiveMark": 2,
        "checkStatus": 4,
        "lastChangeTime": "2026-11-20 11:00:00",
        "disableFlag": 0,
    } | changes


@dataclass
class Pushed:
    """What was acknowledged: record keys with a value to look for, instances with their digest."""

    exams: dict[str, str] = field(default_factory=dict)
    reports: dict[str, str] = field(default_factory=dict)
    instances: dict[str, str] = field(default_factory=dict)


@dataclass
class Answers:
    """What a gateway in trouble said: HTTP (status, code, Retry-After) and DICOM statuses, in order."""

    http: list[tuple[int, int, str | None]] = field(default_factory=list)
    dicom: list[int] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    """Connections that ended without an answer."""


def push_records(
    host: str, port: int, name: str, stop: Event, pushed: Pushed, answers: Answers | None = None
) -> None:
    """Pushes exams, updates of exams and reports until told to stop or the gateway dies.

    With `answers` it goes on whatever it is told, and writes that down.
    """
    connection = http.client.HTTPConnection(host, port, timeout=120)
    number = 0
    while not stop.is_set():
        number += 1
        key, value = f"{name}-{number}", f"{random.getrandbits(60):x}"
        path, record, answered = (
            ("/report/sync", report(key, key, remark=value), pushed.reports)
            if number % 3 == 0
            else ("/exam-sync", exam(key, illnessSummary=value), pushed.exams)
        )
        try:
            connection.request(
                "POST", path, envelope(record), {"Content-Type": "application/json", "encryption-type": "SM4"}
            )
            response = connection.getresponse()
            answer = json.loads(response.read())
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            if answers is None:
                return
            answers.broken.append(f"HTTP: {error!r}")
            continue
        if answers is not None:
            answers.http.append((response.status, answer["code"], response.getheader("retry-after")))
        else:
            assert answer["code"] == 1, answer
        if answer["code"] == 1:
            answered[key] = value
        elif stop.wait(0.02):
            break
    connection.close()


CT_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"


def _item(kind: int, value: bytes) -> bytes:
    return struct.pack(">BBH", kind, 0, len(value)) + value


def _associate_request(called: str, calling: str) -> bytes:
    context = (
        struct.pack(">BBBB", 1, 0, 0, 0)
        + _item(0x30, CT_IMAGE_STORAGE.encode())
        + _item(0x40, EXPLICIT_LITTLE.encode())
    )
    user = _item(0x51, struct.pack(">I", 65536)) + _item(0x52, b"1.2.3.4.5")
    body = struct.pack(">HH16s16s32s", 1, 0, called.encode().ljust(16), calling.encode().ljust(16), b"")
    body += _item(0x10, b"1.2.840.10008.3.1.1.1") + _item(0x20, context) + _item(0x50, user)
    return struct.pack(">BBI", 1, 0, len(body)) + body


def _element(group: int, element: int, value: bytes) -> bytes:
    return struct.pack("<HHI", group, element, len(value)) + value


def _store_request(message_id: int, sop_uid: str) -> bytes:
    def uid(text: str) -> bytes:
        return text.encode() + b"\0" * (len(text) % 2)

    elements = (
        _element(0, 0x0002, uid(CT_IMAGE_STORAGE))
        + _element(0, 0x0100, struct.pack("<H", 1))
        + _element(0, 0x0110, struct.pack("<H", message_id))
        + _element(0, 0x0700, struct.pack("<H", 0))
        + _element(0, 0x0800, struct.pack("<H", 1))
        + _element(0, 0x1000, uid(sop_uid))
    )
    return _element(0, 0, struct.pack("<I", len(elements))) + elements


def dataset(sop_uid: str, study_uid: str, size: int) -> bytes:
    """A CT instance in explicit little endian with `size` bytes of random pixels."""

    def short(group: int, element: int, vr: bytes, text: str) -> bytes:
        value = text.encode("gb18030") + (b"\0" if vr == b"UI" else b" ") * (len(text.encode("gb18030")) % 2)
        return struct.pack("<HH2sH", group, element, vr, len(value)) + value

    pixels = random.randbytes(size - size % 2)
    return (
        short(0x0008, 0x0005, b"CS", "GB18030")
        + short(0x0008, 0x0016, b"UI", CT_IMAGE_STORAGE)
        + short(0x0008, 0x0018, b"UI", sop_uid)
        + short(0x0008, 0x0020, b"DA", "20261120")
        + short(0x0008, 0x0050, b"SH", "A1")
        + short(0x0008, 0x0060, b"CS", "CT")
        + short(0x0010, 0x0010, b"PN", "张三丰")
        + short(0x0010, 0x0020, b"LO", "P0001")
        + short(0x0020, 0x000D, b"UI", study_uid)
        + short(0x0020, 0x000E, b"UI", study_uid + ".1")
        + struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OW", 0, len(pixels))
        + pixels
    )


def _pdus(context: int, control: int, data: bytes, limit: int = 32768) -> bytes:
    out = b""
    for start in range(0, len(data), limit):
        part = data[start : start + limit]
        last = 2 if start + limit >= len(data) else 0
        out += struct.pack(">BBIIBB", 4, 0, len(part) + 6, len(part) + 2, context, control | last) + part
    return out


def _read_pdu(connection: socket.socket) -> tuple[int, bytes]:
    def exactly(count: int) -> bytes:
        data = b""
        while len(data) < count:
            part = connection.recv(count - len(data))
            if not part:
                raise ConnectionError("closed")
            data += part
        return data

    kind, _, length = struct.unpack(">BBI", exactly(6))
    return kind, exactly(length)


def store_status(reply: bytes) -> int:
    """The status (0000,0900) of a C-STORE response: the PDU's body, one value with the whole command set."""
    at = 6
    while True:  # element by element: a message id may look like the tag
        _, element, length = struct.unpack_from("<HHI", reply, at)
        if element == 0x0900:
            return int(struct.unpack_from("<H", reply, at + 8)[0])
        at += 8 + length


def open_association(host: str, port: int, called: str, calling: str = "TESTER") -> socket.socket:
    connection = socket.create_connection((host, port), timeout=120)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        connection.sendall(_associate_request(called, calling))
        kind, _ = _read_pdu(connection)
        if kind != 2:
            raise ConnectionError(f"association refused with PDU {kind}")
    except OSError:
        connection.close()
        raise
    return connection


def store(connection: socket.socket, message_id: int, sop_uid: str, data: bytes) -> int:
    connection.sendall(_pdus(1, 1, _store_request(message_id % 65536, sop_uid)) + _pdus(1, 0, data))
    kind, reply = _read_pdu(connection)
    if kind != 4:
        raise ConnectionError(f"PDU {kind}")
    return store_status(reply)


def push_images(
    host: str, port: int, called: str, name: str, stop: Event, pushed: Pushed, answers: Answers | None = None
) -> None:
    """Stores instances until told to stop or the gateway dies; `answers` as for `push_records`."""
    number, root = 0, f"1.2.826.0.1.3680043.8.{random.getrandbits(48)}"
    with contextlib.suppress(OSError), open_association(host, port, called, name) as connection:
        while not stop.is_set():
            number += 1
            sop_uid = f"{root}.{number}"
            data = dataset(sop_uid, f"{root}.0", random.choice((600, 20_000, 200_000)))
            status = store(connection, number, sop_uid, data)
            if status == 0:
                pushed.instances[sop_uid] = hashlib.sha256(data).hexdigest()
            if answers is not None:
                answers.dicom.append(status)
                if status and stop.wait(0.02):
                    break
    if answers is not None and not stop.is_set():
        answers.broken.append("DICOM")


def in_background(target: object, *args: object) -> Thread:
    thread = Thread(target=target, args=args, daemon=True)  # type: ignore[arg-type]
    thread.start()
    return thread
