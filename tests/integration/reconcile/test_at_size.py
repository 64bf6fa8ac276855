"""A day of 100,000 ids, and a ledger of a million rows: time and memory (issue 4, How good)."""

from __future__ import annotations

import pytest

from benchmarks.reconcile import run


@pytest.mark.long
def test_a_large_day_is_answered_in_time_and_space(url: str) -> None:
    """Answered in under 2 s and under 300 MB; a million rows are compared within the same space, for they stream."""
    (_, seconds, size, missing), (_, _, balanced, unlisted) = run(url, 100_000, 1_000_000)
    assert missing == 10_000
    assert unlisted == 910_000
    assert seconds < 2
    assert size < 300
    assert balanced < 300
