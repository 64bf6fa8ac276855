"""What a C-GET proposes, and how progress over several associations adds up (PS3.4 C.4.3, C.5.3)."""

import pytest

from tests.unit.dicom.asking import response
from yingqiao.dicom.query_retrieve.client import Model
from yingqiao.dicom.query_retrieve.progress import Progress, Tally
from yingqiao.dicom.query_retrieve.retrieval import plan
from yingqiao.dicom.query_retrieve.storage_contexts import COMMON_CLASSES, proposals, syntaxes_of
from yingqiao.dicom.upper_layer.dimse import decode_command
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


END = decode_command(response(0xA702, field=0x8010))


def after(tally, progress, *stored, refused=0, cancelled=False):
    tally.stored.update(stored)
    tally.ended(progress, END, refused=refused, cancelled=cancelled)
    return tally


def test_what_one_association_cannot_get_another_may():
    """Failures of the first are no failures of the whole; completed is what is durable here."""
    tally = Tally()
    assert tally.under_way(Progress(0xFF00, 2, 1, 0, 0)) == Progress(0xFF00, 3, 0, 0, 0)
    assert not after(tally, Progress(0xB000, 0, 1, 2, 0), "a").is_over
    assert tally.missing == 2
    assert after(tally, Progress(0xB000, 0, 2, 1, 0), "b", "c").is_over
    assert tally.finish() == (Progress(0, 0, 3, 0, 0), None)


def test_what_none_gets_has_failed():
    tally = after(after(Tally(), Progress(0xA702, 0, 0, 3, 0)), Progress(0xB000, 0, 2, 1, 0), "a", "b")
    final, error = tally.finish()
    assert final == Progress(0xA702, 0, 2, 1, 0)
    assert error.status == 0xA702


def test_a_success_is_not_believed_when_we_refused():
    """A peer that counts what we answered A700 as completed."""
    tally = after(Tally(), Progress(0, 0, 3, 0, 0), "a", refused=2)
    assert tally.is_over
    final, error = tally.finish()
    assert (final.status, final.failed, error.status) == (0xB000, 2, 0xB000)


def test_an_instance_the_pacs_has_twice_is_no_miss():
    """Two files of one UID: the peer sent both, we have one."""
    assert after(Tally(), Progress(0, 0, 2, 0, 0), "a").finish() == (Progress(0, 0, 1, 0, 0), None)


def test_a_peer_that_counts_nothing():
    assert after(Tally(), Progress(0), "a").finish() == (Progress(0, 0, 1, 0, None), None)


def test_a_cancelled_one_is_no_failure():
    tally = after(Tally(), Progress(0xFE00, 4, 1, 0, 0), "a", cancelled=True)
    assert tally.finish() == (Progress(0xFE00, 4, 1, 0, 0), None)


@pytest.mark.parametrize("status", [0xA900, 0xC000, 0x0122])
def test_other_ends_are_ends(status):
    """Nothing counted: another association would hear the same."""
    tally = after(Tally(), Progress(status))
    assert tally.is_over
    assert tally.finish()[1].status == status


def test_compressed_images_get_a_second_chance():
    """DCMTK's PACS sends all of a class on its first context: those contexts are then left out."""
    tally = Tally()
    first, second = plan(GET, [CT], tally)
    assert {c.transfer_syntaxes[0] for c in second[0][1:]} < {c.transfer_syntaxes[0] for c in first[0][1:]}
    assert not {"1.2.840.10008.1.2", "1.2.840.10008.1.2.1"} & {c.transfer_syntaxes[0] for c in second[0][1:]}
    after(tally, Progress(0, 0, 1, 0, 0), "a")
    assert len(list(plan(GET, [CT], tally))) == 1
