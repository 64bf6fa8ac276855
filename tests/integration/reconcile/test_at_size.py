"""A day of 100,000 ids, and a ledger of a million rows: in bounded memory (the time: `benchmarks.reconcile`)."""

from __future__ import annotations

import pytest

from benchmarks.reconcile import run


@pytest.mark.long
def test_a_large_day_is_answered_in_little_space(url: str) -> None:
    """Under 300 MB; a million rows are compared within the same space, for they stream."""
    (_, _, size, missing), (_, _, balanced, unlisted) = run(url, 100_000, 1_000_000)
    assert missing == 10_000
    assert unlisted == 910_000
    assert size < 300
    assert balanced < 300
