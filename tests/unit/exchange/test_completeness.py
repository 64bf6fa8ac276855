"""Complete by evidence, never by hope (三(五) of the images; PS3.4 annexes C and J): every rule of `judge`."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from yingqiao.exchange.completeness import (
    SOURCES_DISAGREE,
    Completeness,
    Expectation,
    Gap,
    ImagesState,
    Source,
    in_words,
    judge,
    together,
)

STUDY, NOW, STABLE = "1.2.3", 1_767_225_600_000, 600_000
LONG_AGO = NOW - 2 * STABLE


def told(
    expected: int, series: str = "", source: Source = Source.PACS, origin: str = "主PACS", at: int = LONG_AGO
) -> Expectation:
    return Expectation(STUDY, series, source, origin, expected, at)


def found(
    *expectations: Expectation, present: dict[str, int] | None = None, last: int | None = LONG_AGO
) -> Completeness:
    return judge(expectations, {"a": 60, "b": 58} if present is None else present, last, NOW, STABLE)


def test_nobody_told_is_never_complete() -> None:
    known = found()
    assert (known.state, known.expected, known.present) == (ImagesState.UNKNOWN, None, 118)
    assert in_words(known) == "现 118 幅，无人告知应有数量，未知是否齐全"


def test_every_series_as_told_and_stable_is_complete() -> None:
    known = found(told(60, "a"), told(58, "b"))
    assert (known.state, known.expected, known.missing) == (ImagesState.COMPLETE, 118, 0)


def test_arrivals_within_the_stable_time_are_growing() -> None:
    exact = (told(60, "a"), told(58, "b"))
    assert found(*exact, last=NOW - STABLE + 1).state is ImagesState.GROWING
    assert found(*exact, last=NOW - STABLE).state is ImagesState.COMPLETE
    assert found(told(200), last=NOW).state is ImagesState.GROWING
    assert found(told(200), last=NOW).missing == 82  # the gap is known all the same
    assert found(last=NOW).state is ImagesState.GROWING


def test_short_names_the_gaps_by_series() -> None:
    known = found(told(60, "a"), told(60, "b"))
    assert (known.state, known.expected) == (ImagesState.SHORT, 120)
    assert known.gaps == (Gap("b", 60, 58),)
    assert in_words(known).startswith(
        "影像不全：应 120 幅，现 118 幅（PACS 查询 主PACS，2026-01-01 07:40:00 告知）"
    )
    assert "序列 b 缺 2 幅" in in_words(known)


def test_a_series_with_more_does_not_make_up_for_one_with_fewer() -> None:
    known = found(told(58, "a"), told(60, "b"))
    assert (known.state, known.missing) == (ImagesState.SHORT, 2)


def test_short_by_the_total_alone() -> None:
    known = found(told(120))
    assert (known.state, known.gaps) == (ImagesState.SHORT, (Gap("", 120, 118),))


def test_a_series_nobody_of_which_came() -> None:
    assert found(told(60, "a"), told(58, "b"), told(2, "c")).gaps == (Gap("c", 2, 0),)


def test_nothing_came_at_all() -> None:
    assert found(told(3), present={}, last=None).state is ImagesState.SHORT


def test_more_than_told_is_over_not_complete() -> None:
    assert found(told(100)).state is ImagesState.OVER


def test_a_commitment_for_a_part_proves_nothing_more() -> None:
    """PS3.4 J.3: a request names what somebody wants safe, not what the study is."""
    part = told(60, "a", Source.COMMITMENT, "CT1")
    assert found(part).state is ImagesState.OVER
    whole = (part, told(58, "b", Source.COMMITMENT, "CT1"))
    assert found(*whole).state is ImagesState.COMPLETE


def test_zero_is_no_witness() -> None:
    assert found(told(0)).state is ImagesState.UNKNOWN


def test_sources_that_disagree_are_all_shown_the_largest_believed() -> None:
    known = found(told(118, at=NOW), told(120, source=Source.IMAGES_LIST, origin="清单"))
    assert known.believed is not None
    assert (known.believed.source, known.expected, known.state) == (
        Source.IMAGES_LIST,
        120,
        ImagesState.SHORT,
    )
    assert [telling.expected for telling in known.tellings] == [120, 118]
    assert known.findings == (SOURCES_DISAGREE,)


def test_of_equals_the_newest_is_believed() -> None:
    known = found(told(118), told(118, origin="备PACS", at=NOW))
    assert known.believed is not None
    assert (known.believed.origin, known.findings) == ("备PACS", ())


def test_what_any_source_misses_is_missing() -> None:
    """A PACS that does not know the series of a list must not hide that the list's images did not come."""
    known = found(told(118), told(10, "c", Source.IMAGES_LIST, "清单"))
    assert (known.state, known.gaps) == (ImagesState.SHORT, (Gap("c", 10, 0),))


def test_a_commitment_smaller_than_the_pacs_count_is_no_disagreement() -> None:
    assert found(told(118), told(60, "a", Source.COMMITMENT, "CT1")).findings == ()


def test_studies_together() -> None:
    short, unknown, complete = found(told(120)), found(), found(told(118))
    assert together([short, complete]).state is ImagesState.SHORT
    both = together([complete, unknown])
    assert (both.state, both.expected, both.present) == (ImagesState.UNKNOWN, 118, 236)
    assert together([]).state is ImagesState.UNKNOWN


_COUNTS = st.dictionaries(st.sampled_from("abc"), st.integers(0, 5))
_TOLD = st.builds(
    told,
    st.integers(0, 20),
    st.sampled_from(["", "a", "b", "c", "d"]),
    st.sampled_from(list(Source)),
    st.sampled_from(["x", "y"]),
    st.integers(LONG_AGO, NOW),
)


@given(st.lists(_TOLD, max_size=8), _COUNTS, st.none() | st.integers(LONG_AGO, NOW))
def test_complete_means_proven(
    expectations: list[Expectation], present: dict[str, int], last: int | None
) -> None:
    """Whatever was told: complete only when somebody told, nobody's number is missed, and it is stable."""
    known = judge(expectations, present, last, NOW, STABLE)
    assert known == judge(expectations, present, last, NOW, STABLE)
    if known.state is ImagesState.COMPLETE:
        assert known.tellings
        assert all(not telling.missing for telling in known.tellings)
        assert known.present >= max(one.expected for one in expectations if one.expected)
        assert last is None or NOW - last >= STABLE
    if known.state is ImagesState.SHORT:
        assert known.missing > 0
    in_words(known)
