"""An exam with fewer images than somebody told waits for images; telling relinks (三(五), T49)."""

from __future__ import annotations

import threading

import pytest

from tests.integration.store.link_world import HOSPITAL, OTHER, World
from yingqiao.exchange.completeness import Expectation, Source
from yingqiao.store import linkage
from yingqiao.store.database import Database
from yingqiao.store.expectations import forget, tell
from yingqiao.store.linkage import link_all
from yingqiao.store.queries import ExamFilter, list_exams, show_exam


@pytest.fixture
def world(database: Database) -> World:
    world = World(database)
    world.exam()
    world.report()
    return world


def told(
    world: World, expected: int, study: str = "1.2.3", hospital: str = HOSPITAL, series: str = ""
) -> None:
    one = Expectation(study, series, Source.PACS, "主PACS", expected, world.clock, hospital)
    with world.database.write() as connection:
        tell(connection, [one])


def standing(world: World) -> tuple[str, str, int, int | None, int | None]:
    link_all(world.database)
    row = world.exam_row()
    return row.state, row.waiting_for, row.image_count, row.image_expected, row.image_missing


def test_nobody_told(world: World) -> None:
    """Images present satisfy the exam as before; that nobody told is said, not hidden."""
    world.images(3)
    assert standing(world) == ("complete", "", 3, None, None)
    with world.database.read() as connection:
        found = show_exam(connection, HOSPITAL, "RIS1")
    assert found is not None
    assert any("无人告知应有数量" in event.text for event in found.timeline)


def test_short_by_what_was_told_waits_for_images_until_they_came(world: World) -> None:
    world.images(118)
    link_all(world.database)
    told(world, 120)
    assert standing(world) == ("waiting-images", "images", 118, 120, 2)
    world.images(2)
    assert standing(world) == ("complete", "", 120, 120, 0)


def test_told_more_later_and_taken_back(world: World) -> None:
    world.images(2)
    told(world, 2)
    assert standing(world)[0] == "complete"
    world.tick()
    told(world, 5)
    assert standing(world) == ("waiting-images", "images", 2, 5, 3)
    with world.database.write() as connection:
        forget(connection, "1.2.3")
    assert standing(world) == ("complete", "", 2, None, None)


def test_a_listed_study_of_which_nothing_came(world: World) -> None:
    """T49: told about before the first image is here."""
    told(world, 7)
    assert standing(world) == ("waiting-images", "images", 0, 7, 7)


def test_another_hospital_cannot_hold_back_this_one(world: World) -> None:
    world.images(2)
    told(world, 100, hospital=OTHER)
    assert standing(world) == ("complete", "", 2, None, None)


def test_an_exam_whose_images_are_nobody_s_business(world: World) -> None:
    """T72: ultrasound waits for no images, however many somebody told."""
    world.exam(modality="US", img_exam_type="4")
    world.images(1)
    told(world, 5)
    assert standing(world)[:2] == ("complete", "")


def test_told_while_the_linker_looks_is_not_forgotten(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The telling falls between what the pass read and what it writes."""
    world.images(2)
    plan = linkage.plan

    def plan_then_told(*given: object) -> linkage.Changes:
        monkeypatch.setattr(linkage, "plan", plan)
        changes = plan(*given)  # type: ignore[arg-type]
        telling = threading.Thread(target=told, args=(world, 9))
        telling.start()
        telling.join()
        return changes

    monkeypatch.setattr(linkage, "plan", plan_then_told)
    assert standing(world) == ("waiting-images", "images", 2, 9, 7)


def test_exams_are_found_by_the_state_of_their_images(world: World) -> None:
    world.images(118)
    told(world, 120)
    for number, (have, expected) in enumerate([(3, 3), (3, 2), (3, None)]):
        uid = f"7.{number}"
        world.exam(ris_study_id=f"E{number}", study_uids=(uid,), accession_numbers=())
        world.images(have, study_uid=uid, accession_number="")
        if expected:
            told(world, expected, uid)
    link_all(world.database)
    later = world.clock + 10_000_000

    def ids(state: str, now: int = later) -> list[str]:
        with world.database.read() as connection:
            page = list_exams(connection, ExamFilter(images_state=state), now=now)
        assert all(item.images_state == state for item in page.items)
        return [item.ris_study_id for item in page.items]

    assert ids("short") == ["RIS1"]
    assert ids("complete") == ["E0"]
    assert ids("over") == ["E1"]
    assert ids("unknown") == ["E2"]
    assert ids("growing") == []
    assert ids("growing", world.clock) == ["E2", "E1", "E0", "RIS1"]


def test_the_exam_tells_expected_present_source_and_gaps(world: World) -> None:
    world.images(118)
    told(world, 120, series="1.2.3.1")
    link_all(world.database)
    with world.database.read() as connection:
        found = show_exam(connection, HOSPITAL, "RIS1", now=world.clock + 10_000_000)
    assert found is not None
    (images,) = found.images
    assert (images.state, images.expected, images.present, images.missing) == ("short", 120, 118, 2)
    assert [(gap.series_uid, gap.expected, gap.present) for gap in images.gaps] == [("1.2.3.1", 120, 118)]
    assert [(t.source, t.origin, t.expected, t.told_at) for t in images.told] == [
        ("pacs", "主PACS", 120, world.clock)
    ]
    assert (found.exam.image_expected, found.exam.image_missing) == (120, 2)
    waiting = found.timeline[-1].text
    assert "影像不全：应 120 幅，现 118 幅（PACS 查询 主PACS，" in waiting
    assert "images-expected" in [event.kind for event in found.timeline]
