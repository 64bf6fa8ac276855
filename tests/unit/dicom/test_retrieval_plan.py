"""What a C-GET proposes, and how progress over several associations adds up (PS3.4 C.4.3, C.5.3)."""

import pytest

from yingqiao.dicom.query_retrieve.client import Model
from yingqiao.dicom.query_retrieve.progress import Progress, Tally
from yingqiao.dicom.query_retrieve.storage_contexts import COMMON_CLASSES, proposals, syntaxes_of
from yingqiao.dicom.upper_layer.items import MAX_CONTEXTS, UserInformation
from yingqiao.dicom.upper_layer.pdu import AssociateRequest, decode, encode

CT, SR, US = (f"1.2.840.10008.5.1.4.1.1.{end}" for end in ("2", "88.22", "3.1"))
GET = Model.STUDY_ROOT.get


def test_every_class_and_syntax_has_a_context_of_its_own():
    """A context accepts one syntax: what has none is recoded by the peer, or not sent."""
    ((contexts, roles),) = proposals(GET, [CT, SR])
    assert contexts[0].abstract_syntax == GET
    pairs = {(c.abstract_syntax, c.transfer_syntaxes[0]) for c in contexts[1:]}
    assert pairs == {(uid, syntax) for uid in (CT, SR) for syntax in syntaxes_of(uid)}
    assert all(len(c.transfer_syntaxes) == 1 for c in contexts[1:])
    assert [(r.sop_class_uid, r.scu, r.scp) for r in roles] == [(CT, False, True), (SR, False, True)]


def test_what_does_not_fit_one_association_goes_to_several():
    """PS3.8 9.3.2.2: ids are odd and one byte, so 128 contexts."""
    plan = list(proposals(GET, COMMON_CLASSES))
    assert len(plan) > 1
    proposed = [c.abstract_syntax for contexts, _ in plan for c in contexts if c.abstract_syntax != GET]
    assert list(dict.fromkeys(proposed)) == list(COMMON_CLASSES)
    for contexts, roles in plan:
        assert len(contexts) <= MAX_CONTEXTS
        request = AssociateRequest("A", "B", contexts, UserInformation(roles=roles))
        raw = encode(request)
        assert decode(raw[0], raw[6:]) == request


def test_no_class_is_common_twice_and_what_is_no_storage_is_not_proposed():
    assert len(set(COMMON_CLASSES)) == len(COMMON_CLASSES)
    assert list(proposals(GET, [GET, "1.2.840.10008.1.1"])) == []


def test_video_and_documents_have_their_syntaxes():
    assert "1.2.840.10008.1.2.4.102" in syntaxes_of(US)
    assert "1.2.840.10008.1.2.4.70" in syntaxes_of(CT)
    assert "1.2.840.10008.1.2.4.70" not in syntaxes_of(SR)
    assert "1.2.840.10008.1.2.5" in syntaxes_of("1.2.840.10008.5.1.4.1.1.66.4"), "segmentations are images"


def test_one_association_is_told_as_it_is():
    progress = Progress(0xA702, 1, 2, 3, 4, ("1.2",))
    assert Tally(1).add(progress) is progress


def test_what_one_association_cannot_get_another_may():
    tally = Tally(2)
    assert tally.add(Progress(0xFF00, 2, 1, 0, 0)) == Progress(0xFF00, 2, 1, 0, 0)
    assert tally.add(Progress(0xB000, 0, 1, 2, 0)) == Progress(0xFF00, 2, 1, 0, 0)
    assert tally.add(Progress(0xB000, 0, 2, 1, 0)) == Progress(0x0000, 0, 3, 0, 0)


def test_what_none_gets_has_failed():
    tally = Tally(2)
    tally.add(Progress(0xA702, 0, 0, 3, 0))
    assert tally.add(Progress(0xB000, 0, 2, 1, 0)) == Progress(0xA702, 0, 2, 1, 0)


@pytest.mark.parametrize("status", [0xA900, 0xC000, 0xFE00, 0x0122])
def test_other_ends_are_ends(status):
    assert Tally(3).add(Progress(status, 0, 0, 0, 0)).is_final
