"""What was told about numbers of images, on both databases."""

from __future__ import annotations

import pytest

from tests.store_makers import NOW, landed
from yingqiao.exchange.completeness import Expectation, ImagesState, Source
from yingqiao.store.database import Database
from yingqiao.store.expectations import completeness, forget, read, read_present, tell
from yingqiao.store.images import ImageIndex

LATER = NOW + 3_600_000


def told(expected: int, series: str = "", at: int = NOW, source: Source = Source.PACS) -> Expectation:
    return Expectation("1.2.3", series, source, "主PACS", expected, at, "H1")


def counts(database: Database) -> dict[str, int]:
    with database.read() as connection:
        return {one.series_uid: one.expected for one in read(connection, ["1.2.3", "9"]).get("1.2.3", ())}


def keep(database: Database, *expectations: Expectation) -> None:
    with database.write() as connection:
        tell(connection, expectations)


def test_told_again_replaces(database: Database) -> None:
    keep(database, told(10), told(10, "a"))
    keep(database, told(12, at=NOW + 1), told(12, "a", at=NOW + 1))
    assert counts(database) == {"": 12, "a": 12}


def test_an_older_telling_does_not_replace_a_newer(database: Database) -> None:
    keep(database, told(12, "a", at=NOW + 5, source=Source.IMAGES_LIST))
    keep(database, told(10, "a", source=Source.IMAGES_LIST))
    assert counts(database) == {"a": 12}


def test_a_pacs_tells_a_study_as_a_whole(database: Database) -> None:
    """A series the PACS no longer has is no longer expected; lists speak of a series each."""
    keep(database, told(10, "a"), told(5, "b"))
    keep(database, told(10, "a", at=NOW + 1))
    assert counts(database) == {"a": 10}
    keep(database, told(3, "c", source=Source.IMAGES_LIST))
    keep(database, told(4, "d", at=NOW + 1, source=Source.IMAGES_LIST))
    assert counts(database) == {"a": 10, "c": 3, "d": 4}


def test_taken_back(database: Database) -> None:
    keep(database, told(10), told(3, "c", source=Source.IMAGES_LIST))
    with database.write() as connection:
        assert forget(connection, "1.2.3", Source.PACS) == 1
    assert counts(database) == {"c": 3}


def test_present_counts_distinct_uids_once(database: Database) -> None:
    """A second content under one SOP Instance UID, and the same content again, are no second image."""
    index = ImageIndex(database)
    index.index_instances([landed("1"), landed("2"), landed("2", "other"), landed("1")], {})
    index.index_instances([landed("3", series_uid="1.2.3.2"), landed("1")], {})
    with database.read() as connection:
        assert read_present(connection, ["1.2.3"]) == {"1.2.3": {"1.2.3.1": 2, "1.2.3.2": 1}}


@pytest.mark.parametrize(
    ("expected", "now", "state"),
    [
        (2, LATER, ImagesState.COMPLETE),
        (3, LATER, ImagesState.SHORT),
        (1, LATER, ImagesState.OVER),
        (2, NOW + 1, ImagesState.GROWING),
    ],
)
def test_completeness_of_what_is_here(
    database: Database, expected: int, now: int, state: ImagesState
) -> None:
    ImageIndex(database).index_instances([landed("1"), landed("2")], {})
    keep(database, told(expected, "1.2.3.1"))
    with database.read() as connection:
        found = completeness(connection, ["1.2.3", "none.of.it"], now)
    assert found["1.2.3"].state is state
    assert found["none.of.it"].state is ImagesState.UNKNOWN
