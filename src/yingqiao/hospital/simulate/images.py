"""DICOM instances: specified as plain values, drawn with pydicom when they are sent."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from yingqiao.hospital.simulate.records import Visit

if TYPE_CHECKING:
    import numpy as np  # comes with the extra `simulate`: the connector's commands do without

SOP_CLASSES = {
    "CT": "1.2.840.10008.5.1.4.1.1.2",
    "MR": "1.2.840.10008.5.1.4.1.1.4",
    "DX": "1.2.840.10008.5.1.4.1.1.1.1",
    "CR": "1.2.840.10008.5.1.4.1.1.1",
    "MG": "1.2.840.10008.5.1.4.1.1.1.2",
    "US": "1.2.840.10008.5.1.4.1.1.6.1",
    "NM": "1.2.840.10008.5.1.4.1.1.20",
}
SYNTAXES = (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    ExplicitVRBigEndian,
    DeflatedExplicitVRLittleEndian,
    RLELossless,
)
"""What devices use that need no encoder beyond pydicom; JPEG kinds need one and are left to the tests' own
files."""
SIZES = {"CT": 256, "MR": 192, "DX": 512, "CR": 448, "MG": 512, "US": 240, "NM": 128}


@dataclass(frozen=True, slots=True)
class Charset:
    """`declared` goes into (0008,0005), `codec` is what the text is really written in."""

    declared: str
    codec: str


HONEST = (Charset("GB18030", "gb18030"), Charset("ISO_IR 192", "utf-8"), Charset("GB18030", "gb18030"))
LIE = Charset("ISO_IR 100", "gb18030")
MISSING = Charset("", "gb18030")


@dataclass(frozen=True, slots=True)
class ImageSpec:
    visit: Visit
    study_uid: str
    accession: str
    series_uid: str
    series_number: int
    series_description: str
    sop_uid: str
    instance_number: int
    taken: datetime
    transfer_syntax: str
    charset: Charset
    variant: int = 0
    """Another number makes other pixels under the same UIDs."""
    size: int = 0
    """Pixels along a side; 0 = as the modality has it."""

    @property
    def sop_class(self) -> str:
        return SOP_CLASSES[self.visit.item.modality]


def make_uid(rng: random.Random) -> str:
    """A UUID-derived UID (PS3.5 B.2)."""
    return f"2.25.{rng.getrandbits(122)}"


def draw(spec: ImageSpec) -> Dataset:
    """The dataset with its file meta header, ready to be encoded in `spec.transfer_syntax`."""
    dataset = Dataset()
    dataset.file_meta = _meta(spec)
    _describe(dataset, spec)
    pixels = _pixels(spec)
    _frame(dataset, pixels)
    if spec.transfer_syntax == RLELossless:
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        dataset.PixelData = pixels.tobytes()
        dataset.compress(RLELossless, generate_instance_uid=False)
    else:
        big = spec.transfer_syntax == ExplicitVRBigEndian
        data = pixels.astype(">u2").tobytes() if big else pixels.tobytes()
        dataset.add_new(0x7FE00010, "OW", data)
    return dataset


def _meta(spec: ImageSpec) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(spec.sop_class)
    meta.MediaStorageSOPInstanceUID = UID(spec.sop_uid)
    meta.TransferSyntaxUID = UID(spec.transfer_syntax)
    return meta


def _describe(dataset: Dataset, spec: ImageSpec) -> None:
    visit, patient = spec.visit, spec.visit.patient
    values: dict[str, Any] = {
        "SOPClassUID": spec.sop_class,
        "SOPInstanceUID": spec.sop_uid,
        "StudyDate": f"{spec.taken:%Y%m%d}",
        "StudyTime": f"{spec.taken:%H%M%S}",
        "AccessionNumber": spec.accession,
        "Modality": visit.item.modality,
        "Manufacturer": "Yingqiao Simulation",
        "InstitutionName": visit.hospital_name,
        "StudyDescription": visit.item.name,
        "SeriesDescription": spec.series_description,
        "ManufacturerModelName": f"SIM-{visit.item.modality}",
        "PatientName": f"{patient.spelling}={patient.name_parts}",
        "PatientID": visit.image_number,
        "PatientBirthDate": f"{patient.birthday:%Y%m%d}",
        "PatientSex": "M" if patient.sex == "1" else "F",
        "BodyPartExamined": visit.item.body_part,
        "StudyInstanceUID": spec.study_uid,
        "SeriesInstanceUID": spec.series_uid,
        "StudyID": visit.accession[-8:],
        "SeriesNumber": spec.series_number,
        "InstanceNumber": spec.instance_number,
    }
    if spec.charset.declared:
        dataset.SpecificCharacterSet = spec.charset.declared
    honest = spec.charset in HONEST
    for name, value in values.items():
        setattr(
            dataset, name, value if honest or not isinstance(value, str) else _disguised(value, spec.charset)
        )


def _disguised(text: str, charset: Charset) -> str:
    """Text whose Latin-1 encoding is the bytes the device really writes: pydicom writes no lies by itself."""
    return text.encode(charset.codec).decode("latin-1")


def _frame(dataset: Dataset, pixels: np.ndarray[Any, Any]) -> None:
    if pixels.ndim == 3:
        dataset.NumberOfFrames = pixels.shape[0]
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.Rows, dataset.Columns = pixels.shape[-2:]
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 12, 11
    dataset.PixelRepresentation = 0


def _pixels(spec: ImageSpec) -> np.ndarray[Any, Any]:
    """A body-like ellipse with a lesion that wanders from slice to slice; little-endian 12 bits in 16."""
    import numpy as np

    size = spec.size or SIZES[spec.visit.item.modality]
    image = _body(size).copy()
    half = min(6, size // 8)
    at = (spec.instance_number * 7 + spec.series_number * 13 + spec.variant * 29) % (size // 4)
    image[size // 2 - half : size // 2 + half, size // 3 + at : size // 3 + at + 2 * half] = 3000
    return np.stack([image, image[:, ::-1]]) if spec.visit.item.modality == "NM" else image


@cache
def _body(size: int) -> np.ndarray[Any, Any]:
    import numpy as np

    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    inside = (x / 0.85) ** 2 + (y / 0.65) ** 2 < 1
    body: np.ndarray[Any, Any] = inside * (900 + 300 * np.cos(x * 9) * np.sin(y * 7))
    return body.astype("<u2")
