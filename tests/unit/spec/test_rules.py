import pytest

from yingqiao.spec import Edition
from yingqiao.spec.notes import notes_of
from yingqiao.spec.rules import CONDITIONS, FORMATS, words_of


def test_every_name_of_the_closed_lists_is_used(edition: Edition) -> None:
    """A rule no edition uses is behaviour nobody asked for."""
    assert {c.when.partition(":")[0] for c in edition.conditions} == set(CONDITIONS)
    assert {f.format for t in edition.tables.values() for f in t.fields} - {""} == set(FORMATS)


def test_conditions_have_words() -> None:
    assert words_of("present:patAge") == "填写patAge时"
    assert words_of("last-audit") == "存在终审（isLastAudit=1）时"
    with pytest.raises(KeyError):
        words_of("no-such-rule")


def test_every_contradiction_and_repair_has_its_row(edition: Edition) -> None:
    """T01 to T169 with the numbering's own holes; A-01 to A-20, B-01 to B-35, C-01 to C-10, D-01 to D-28."""
    notes = notes_of(edition)
    expected = {"T": 146, "A": 20, "B": 35, "C": 10, "D": 28}
    assert {letter: sum(n.startswith(letter) for n in notes) for letter in expected} == expected
    assert all(n.problem and n.decision for n in notes.values())
