"""The things that travel. Values only; times are Unix milliseconds unless a name says otherwise.

What is made for every request is a msgspec.Struct: a frozen dataclass costs several times as much to make.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from msgspec import Struct, field


class Level(StrEnum):
    """How a finding weighs, by the hospital's profile."""

    REFUSE = "refuse"
    WARN = "warn"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing validation found in a record. Texts are Chinese, for the hospital's engineer."""

    field: str
    """Wire name as printed by the standard; dotted for nested (`setInfoList[0].setId`); '' for the record."""
    label: str
    rule: str
    """A stable id: required | conditional | length | code_list | pattern | date | type | …"""
    level: Level
    problem: str
    mend: str
    traps: tuple[str, ...] = ()


class Outcome(StrEnum):
    ACCEPTED = "accepted"
    REFUSED = "refused"


class BodyKind(StrEnum):
    """What a kept submission's bytes are."""

    RECORD = "record"
    """The decrypted JSON, embedded documents replaced by `object:sha256:…`."""
    ENVELOPE = "envelope"
    """The request body as received: it could not be opened (wrong key, unknown hospital, broken)."""


class ExamRow(Struct, frozen=True):
    """What the ledger keeps of an exam in columns; everything else stays in the submission."""

    hospital_code: str
    ris_study_id: str
    last_change_time: str
    """Canonical `yyyy-MM-dd HH:mm:ss`, Beijing time; '' when absent or unreadable."""
    deleted: bool
    exam_status: int | None
    patient_name: str
    patient_id: str
    """影像号 (exam.patientId)."""
    his_patient_id: str
    id_number: str
    sex: str
    age: str
    lab_num: str
    accession_numbers: tuple[str, ...]
    study_uids: tuple[str, ...]
    modality: str
    img_exam_type: str
    item_name: str
    patient_from: str
    is_emergency: bool
    exam_time: str
    """checkFinishTime, else registerTime, else applyTime; canonical, Beijing time; '' when none."""


class ReportRow(Struct, frozen=True):
    hospital_code: str
    record_num: str
    ris_study_ids: tuple[str, ...]
    last_change_time: str
    deleted: bool
    report_status: int | None
    check_status: int | None
    access_no: str
    patient_id: str
    """xno."""
    his_patient_id: str
    """patId."""
    lab_num: str
    modality: str
    report_doctor: str
    confirm_doctor: str
    report_time: str
    confirm_time: str
    positive: str
    pdf_object: str
    """`sha256:<hex>` of the embedded PDF in the object store, or ''."""
    pdf_path: str
    signed: bool
    """All CA fields are there (verification is another matter)."""


class ListedFile(Struct, frozen=True):
    """One address of an images list, as decided when it came."""

    url: str
    """As sent."""
    digest: bytes
    """SHA-256 of the address in UTF-8, 32 bytes: what tells it from others of the list."""
    refused: str = ""
    """Why it will not be fetched, Chinese; '' = it will be."""


class ImageList(Struct, frozen=True):
    """One series' list of addresses (/images/list); upsert by series_uid, union of files (T95)."""

    hospital_code: str
    series_uid: str
    study_uid: str
    accession_number: str
    patient_id: str
    patient_name: str
    modality: str
    study_date: str
    files: tuple[ListedFile, ...]
    """Each address once, in the order sent."""

    @property
    def wanted(self) -> int:
        """Addresses that will be fetched."""
        return sum(not file.refused for file in self.files)


class Document(Struct, frozen=True):
    """An embedded document taken out of a record, to be put into the object store before acknowledging."""

    field: str
    digest: str
    """`sha256:<hex>`."""
    content: bytes


class Submission(Struct, frozen=True):
    """One request as decided by the pure middle, ready to be made durable and then answered."""

    interface: str
    hospital_code: str
    """As claimed in the envelope; '' when it could not be read."""
    received_at: int
    peer: str
    outcome: Outcome
    message: str
    """The short Chinese answer."""
    findings: tuple[Finding, ...]
    body_kind: BodyKind
    body: bytes
    digest: bytes
    """SHA-256 of the body as received after opening (RECORD: before documents were taken out), 32 bytes."""
    edition: str
    exam: ExamRow | None = None
    report: ReportRow | None = None
    documents: tuple[Document, ...] = ()
    replay_of: int | None = None
    exam_key: str = ""
    """risStudyId of a refused record that could be read; an accepted one has it in `exam`."""
    report_key: str = ""
    """recordNum, likewise."""
    images: ImageList | None = None
    """Kept even when all its addresses are refused: registering their host is enough then (T94)."""


@dataclass(frozen=True, slots=True)
class InstanceFacts:
    """What the index reads from one DICOM instance; strings decoded (see dicom/charset), without padding."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    study_uid: str = ""
    series_uid: str = ""
    patient_id: str = ""
    patient_name: str = ""
    patient_birth_date: str = ""
    patient_sex: str = ""
    other_patient_ids: str = ""
    accession_number: str = ""
    study_id: str = ""
    study_date: str = ""
    study_time: str = ""
    study_description: str = ""
    referring_physician: str = ""
    modality: str = ""
    series_number: str = ""
    series_description: str = ""
    body_part: str = ""
    institution: str = ""
    manufacturer: str = ""
    model_name: str = ""
    station_name: str = ""
    instance_number: str = ""
    rows: int = 0
    columns: int = 0
    number_of_frames: int = 1
    declared_charset: str = ""
    """(0008,0005) as sent."""
    used_charset: str = ""
    """What the arbitration decided on; differs from declared when the declaration lied."""
    oddities: tuple[str, ...] = ()
    """Stable ids of what was odd: charset-lied, no-study-uid, uid-mismatch, parse-stopped …"""


@dataclass(frozen=True, slots=True)
class Arrival:
    """How an instance came: what the landing area keeps beside its bytes. Each text at most 64 bytes."""

    received_at: int
    calling_aet: str
    called_aet: str
    peer: str
    transfer_syntax_uid: str
    sop_class_uid: str
    sop_instance_uid: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where a Part 10 file is in the landing area."""

    segment: str
    """Name of the landing file."""
    offset: int
    """Where the Part 10 file starts in it, bytes."""
    length: int
    """Length of the Part 10 file, bytes."""
    dataset_offset: int
    """Where the dataset starts, relative to `offset`."""
    digest: bytes
    """SHA-256 of the dataset, 32 bytes."""


class Laid(Struct, frozen=True):
    """An instance as it lies in memory, to be written from there: room for the landing area's header, the
    prefix (Part 10 head), the dataset.
    """

    memory: memoryview
    """Writable, begins on a page, and reaches at least to the next whole page after `end`."""
    prefix_size: int
    end: int
    """Where the dataset ends."""
    digest: bytes
    """SHA-256 of the dataset, 32 bytes."""


class Landed(Struct, frozen=True):
    """An instance just made durable, on its way to the index."""

    place: Place
    arrival: Arrival
    head: bytes
    """The dataset's first bytes, perhaps all, perhaps none: what the index needs is mostly there, and reading
    it from the disk again is spared.
    """


@dataclass(frozen=True, slots=True)
class LandedInstance:
    """An instance whose bytes are durable in the landing area, with what the index needs."""

    segment: str
    """Name of the landing file."""
    offset: int
    """Where the Part 10 file starts in the landing file, bytes."""
    length: int
    """Length of the Part 10 file, bytes."""
    dataset_offset: int
    """Where the dataset as received starts, relative to `offset`."""
    digest: bytes
    """SHA-256 of the dataset bytes as received, 32 bytes."""
    received_at: int
    calling_aet: str
    called_aet: str
    peer: str
    facts: InstanceFacts


class Validated(Struct, frozen=True):
    """A record after validation: canonical names, normalised values, everything found."""

    values: Mapping[str, Any]
    findings: tuple[Finding, ...] = ()
    unknown: Mapping[str, Any] = field(default_factory=dict)
    """Members no table knows, kept as sent."""

    @property
    def refused(self) -> bool:
        return any(f.level is Level.REFUSE for f in self.findings)
