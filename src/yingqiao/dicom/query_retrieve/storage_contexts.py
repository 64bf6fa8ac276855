"""What a C-GET proposes, so that the peer sends everything as it has it: one presentation context for each class
and transfer syntax. A context accepts one syntax only, and a peer that has no context for the syntax of a file
recodes it, or leaves it out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from yingqiao.dicom.negotiation import is_storage
from yingqiao.dicom.upper_layer.items import MAX_CONTEXTS, ContextProposed, RoleSelection

Proposal = tuple[tuple[ContextProposed, ...], tuple[RoleSelection, ...]]
"""Contexts and roles of one association."""
EXPLICIT_LE = "1.2.840.10008.1.2.1"
IMPLICIT_LE = "1.2.840.10008.1.2"
_PLAIN = (
    EXPLICIT_LE,
    IMPLICIT_LE,
    "1.2.840.10008.1.2.1.99",  # deflated
)
_EXPLICIT_BE = "1.2.840.10008.1.2.2"
_IMAGE = (
    *_PLAIN,
    _EXPLICIT_BE,
    "1.2.840.10008.1.2.4.50",  # JPEG baseline
    "1.2.840.10008.1.2.4.51",  # JPEG extended
    "1.2.840.10008.1.2.4.57",  # JPEG lossless
    "1.2.840.10008.1.2.4.70",  # JPEG lossless, selection value 1
    "1.2.840.10008.1.2.4.80",  # JPEG-LS lossless
    "1.2.840.10008.1.2.4.81",  # JPEG-LS
    "1.2.840.10008.1.2.4.90",  # JPEG 2000 lossless
    "1.2.840.10008.1.2.4.91",  # JPEG 2000
    "1.2.840.10008.1.2.5",  # RLE
    "1.2.840.10008.1.2.4.201",  # HTJ2K lossless
    "1.2.840.10008.1.2.4.203",  # HTJ2K
)
_VIDEO = (
    *_IMAGE,
    "1.2.840.10008.1.2.4.100",  # MPEG2 main level
    "1.2.840.10008.1.2.4.101",  # MPEG2 high level
    "1.2.840.10008.1.2.4.102",  # MPEG-4 high profile 4.1
    "1.2.840.10008.1.2.4.103",  # MPEG-4, Blu-ray
    "1.2.840.10008.1.2.4.104",  # MPEG-4 4.2, 2D
    "1.2.840.10008.1.2.4.105",  # MPEG-4 4.2, 3D
    "1.2.840.10008.1.2.4.106",  # MPEG-4 4.2, stereo
    "1.2.840.10008.1.2.4.107",  # HEVC main
    "1.2.840.10008.1.2.4.108",  # HEVC main 10
)
_DOCUMENT_ROOTS = (
    "1.2.840.10008.5.1.4.1.1.9.",  # waveforms
    "1.2.840.10008.5.1.4.1.1.11.",  # presentation states
    "1.2.840.10008.5.1.4.1.1.66",  # raw data, registration, segmentation …
    "1.2.840.10008.5.1.4.1.1.88.",  # structured reports, key object selection
    "1.2.840.10008.5.1.4.1.1.104.",  # encapsulated documents
)
_SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"
_VIDEO_ROOTS = (
    "1.2.840.10008.5.1.4.1.1.77.1.",  # visible light
    "1.2.840.10008.5.1.4.1.1.3.1",  # ultrasound multi-frame
    "1.2.840.10008.5.1.4.1.1.7.4",  # multi-frame true colour secondary capture
    "1.2.840.10008.5.1.4.1.1.12.",  # angiography, fluoroscopy
)

COMMON_CLASSES = tuple(
    f"1.2.840.10008.5.1.4.1.1.{end}"
    for end in (
        *("2", "4", "1.1", "1", "7", "6.1", "3.1", "12.1", "12.2", "2.1", "4.1", "1.1.1", "1.2", "1.2.1"),
        *("88.67", "88.59", "11.1", "104.1", "88.22", "88.33", "88.11", "20", "128", "130", "1.3", "1.3.1"),
        *(
            "7.1",
            "7.2",
            "7.3",
            "7.4",
            "77.1.1",
            "77.1.2",
            "77.1.4",
            "77.1.1.1",
            "77.1.4.1",
            "13.1.1",
            "13.1.3",
        ),
        *("66.4", "66", "481.1", "481.2", "481.3", "481.5", "4.2", "4.4", "12.1.1", "12.2.1", "9.1.1", "6.2"),
        *("6", "3", "5", "12.3", "2.2", "11.2", "104.2", "66.1", "77.1.5.1", "77.1.5.4", "481.4", "88.34"),
    )
)
"""What hospitals have, the most frequent first: proposed when the peer does not say what a study holds."""


def syntaxes_of(sop_class_uid: str) -> tuple[str, ...]:
    """Every transfer syntax instances of a class are found in."""
    if sop_class_uid.startswith(_DOCUMENT_ROOTS) and sop_class_uid != _SEGMENTATION:
        return _PLAIN
    return _VIDEO if sop_class_uid.startswith(_VIDEO_ROOTS) else _IMAGE


def proposals(
    get_class_uid: str, sop_classes: Iterable[str], *, compressed_only: bool = False
) -> Iterator[Proposal]:
    """Contexts and roles of as many associations as the classes need, none of them in two. What is no storage
    class is left out. `compressed_only` is for peers that send all of a class on its first context, whatever the
    file's syntax (DCMTK's), and cannot recode.
    """
    batch: list[tuple[str, str]] = []
    for uid in dict.fromkeys(filter(is_storage, sop_classes)):
        wanted = [
            (uid, syntax)
            for syntax in syntaxes_of(uid)
            if not (compressed_only and syntax in (*_PLAIN, _EXPLICIT_BE))
        ]
        if len(batch) + len(wanted) > MAX_CONTEXTS - 1:
            yield _proposal(get_class_uid, batch)
            batch = []
        batch += wanted
    if batch:
        yield _proposal(get_class_uid, batch)


def _proposal(get_class_uid: str, pairs: Sequence[tuple[str, str]]) -> Proposal:
    """The C-GET itself, then storage with us as SCP (PS3.4 C.5.3)."""
    contexts = [ContextProposed(1, get_class_uid, (EXPLICIT_LE, IMPLICIT_LE))]
    contexts += [ContextProposed(2 * n + 3, uid, (syntax,)) for n, (uid, syntax) in enumerate(pairs)]
    roles = (RoleSelection(uid, scu=False, scp=True) for uid in dict.fromkeys(uid for uid, _ in pairs))
    return tuple(contexts), tuple(roles)
