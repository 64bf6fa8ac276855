"""What the index needs of one instance: the walker's raw values, the character set decided, everything odd
named."""

from __future__ import annotations

import re
from functools import lru_cache

from yingqiao.dicom import elements
from yingqiao.dicom.charset import Decoded, arbitrate
from yingqiao.exchange.model import InstanceFacts

MAX_TEXT = 1024
"""Characters kept of one text value; the standard allows 64, or 324 for names."""

_TEXTS = {
    0x0008_0020: "study_date",
    0x0008_0030: "study_time",
    0x0008_0050: "accession_number",
    0x0008_0060: "modality",
    0x0008_0070: "manufacturer",
    0x0008_0080: "institution",
    0x0008_0090: "referring_physician",
    0x0008_1010: "station_name",
    0x0008_1030: "study_description",
    0x0008_103E: "series_description",
    0x0008_1090: "model_name",
    0x0010_0010: "patient_name",
    0x0010_0020: "patient_id",
    0x0010_0030: "patient_birth_date",
    0x0010_0040: "patient_sex",
    0x0010_1000: "other_patient_ids",
    0x0018_0015: "body_part",
    0x0020_0010: "study_id",
    0x0020_0011: "series_number",
    0x0020_0013: "instance_number",
}
_FRAMES = 0x0028_0008
_INSTANCE_NUMBER = 0x0020_0013
_TOO_LONG = "value-too-long"
_UID = re.compile(r"[0-9.]{1,64}")
_INTEGER = re.compile(rb"\s*\+?(\d{1,9})\s*")
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f]+")


def read_facts(
    dataset: bytes | memoryview, transfer_syntax_uid: str, sop_class_uid: str, sop_instance_uid: str
) -> InstanceFacts:
    """The facts of one instance from its dataset bytes as received (no preamble, no group 0002).

    The UIDs are those of the C-STORE request and stand when the dataset differs (`uid-mismatch`,
    `class-mismatch`). Never raises: bad bytes give what could be read, and `oddities` says the rest:
    parse-stopped, syntax-lied, bad-vr, bad-deflate, part10-inside, tag-repeated, too-many-elements,
    value-too-long, no-study-uid, no-series-uid, bad-uid, bad-number, and those of `charset.arbitrate`. About
    20 microseconds for a plain instance.
    """
    found = elements.read_elements(dataset, transfer_syntax_uid)
    return _facts(found, transfer_syntax_uid, sop_class_uid, sop_instance_uid)


def read_head(
    head: bytes, transfer_syntax_uid: str, sop_class_uid: str, sop_instance_uid: str
) -> InstanceFacts | None:
    """The same from a dataset's first bytes, or None when they end before everything wanted was passed."""
    found = elements.read_elements(head, transfer_syntax_uid)
    if found.ran_out or not _CUT_SHORT.isdisjoint(found.oddities):
        return None
    return _facts(found, transfer_syntax_uid, sop_class_uid, sop_instance_uid)


_CUT_SHORT = frozenset({"parse-stopped", "bad-deflate"})


def _facts(
    found: elements.Elements, transfer_syntax_uid: str, sop_class_uid: str, sop_instance_uid: str
) -> InstanceFacts:
    uids = _uids(found, sop_class_uid, sop_instance_uid)
    decoded, texts = _texts(found)
    return InstanceFacts(
        sop_class_uid=sop_class_uid,
        sop_instance_uid=sop_instance_uid,
        transfer_syntax_uid=transfer_syntax_uid,
        study_uid=uids[0],
        series_uid=uids[1],
        rows=_short(found, elements.ROWS),
        columns=_short(found, elements.COLUMNS),
        number_of_frames=_frames(found),
        declared_charset=_clean(decoded.declared, found),
        used_charset=_clean(decoded.used, found),
        oddities=(*found.oddities, *decoded.oddities),
        **texts,
    )


def _texts(found: elements.Elements) -> tuple[Decoded, dict[str, str]]:
    """The decoded texts by attribute of InstanceFacts. All but the instance number are a series' own, and
    digits have no say in the arbitration: only a series' first instance costs one.
    """
    raws = tuple(item for item in found.values.items() if item[0] in _TEXTS and item[0] != _INSTANCE_NUMBER)
    number = found.values.get(_INSTANCE_NUMBER, b"")
    declared = found.values.get(elements.SPECIFIC_CHARACTER_SET, b"")
    if not number.strip(b" \0").isdigit():
        raws, number = (*raws, (_INSTANCE_NUMBER, number)), b""
    small = sum(len(value) for _, value in raws) <= _CACHED_SIZE
    decoded, texts, too_long = (_describe_again if small else _describe)(raws, declared)
    if too_long:
        found.note(_TOO_LONG)
    if number:
        texts = texts | {_TEXTS[_INSTANCE_NUMBER]: _clean(number.decode("ascii"), found)}
    return decoded, texts


def _describe(raws: tuple[tuple[int, bytes], ...], declared: bytes) -> tuple[Decoded, dict[str, str], bool]:
    """Decoded, cleaned, and whether something was cut. The results are shared: not to be changed."""
    notes = elements.Elements()
    decoded = arbitrate(dict(raws), declared)
    texts = {_TEXTS[tag]: _clean(value, notes) for tag, value in decoded.values.items()}
    return decoded, texts, bool(notes.oddities)


_describe_again = lru_cache(maxsize=512)(_describe)
_CACHED_SIZE = 2048
"""Bytes of text; larger headers are not worth keeping."""


def _uids(found: elements.Elements, sop_class_uid: str, sop_instance_uid: str) -> tuple[str, str]:
    """Study and series UID; notes missing and malformed ones, and those that differ from the request's."""
    instance, sop_class = _uid(found, elements.SOP_INSTANCE_UID), _uid(found, elements.SOP_CLASS_UID)
    study, series = _uid(found, elements.STUDY_UID), _uid(found, elements.SERIES_UID)
    if instance and instance != sop_instance_uid:
        found.note("uid-mismatch")
    if sop_class and sop_class != sop_class_uid:
        found.note("class-mismatch")
    if not study:
        found.note("no-study-uid")
    if not series:
        found.note("no-series-uid")
    return study, series


def _uid(found: elements.Elements, tag: int) -> str:
    text = found.values.get(tag, b"").strip(b" \0").decode("ascii", "replace")
    if text and not _UID.fullmatch(text):
        found.note("bad-uid")
        text = _CONTROLS.sub("", text)[:64]
    return text


def _clean(text: str, found: elements.Elements) -> str:
    """Without padding and control characters (NUL cannot be stored, the others garble screens), within
    MAX_TEXT."""
    text = text.strip(" \0")
    if not text.isprintable():
        text = _CONTROLS.sub(" ", text).strip()
    if len(text) > MAX_TEXT:
        found.note(_TOO_LONG)
        text = text[:MAX_TEXT]
    return text


def _short(found: elements.Elements, tag: int) -> int:
    raw = found.values.get(tag, b"")
    return int.from_bytes(raw[:2], "little" if found.little else "big")


def _frames(found: elements.Elements) -> int:
    raw = found.values.get(_FRAMES, b"").strip(b" \0")
    if not raw:
        return 1
    match = _INTEGER.fullmatch(raw)
    if not match:
        found.note("bad-number")
        return 1
    return max(1, int(match[1]))
