"""The linker on both databases: order of arrival does not matter, nothing due is forgotten, deletion
hides."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from sqlalchemy import func, select

from tests.integration.store.link_world import HOSPITAL, OTHER, World
from tests.peers.postgres import PostgresServer
from yingqiao.exchange.link import ExamFacts
from yingqiao.exchange.timeline import Standing
from yingqiao.store import linkage, set_aside
from yingqiao.store.database import Database, open_database
from yingqiao.store.linkage import Linker, link_all, link_batch, relink_all
from yingqiao.store.schema import exam_keys, exams, reports, studies
from yingqiao.store.set_aside import Choice, SetAside


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


def due(database: Database) -> int:
    with database.read() as connection:
        return sum(
            connection.scalar(select(func.count()).where(t.c.link_due)) for t in (exams, reports, studies)
        )


def test_exam_report_and_images_make_a_complete_exam(world: World) -> None:
    """三(四)1: exam, report and images of one examination are one thing."""
    world.exam()
    world.report()
    world.images(3)
    assert link_all(world.database) == 3
    row = world.exam_row()
    assert (row.state, row.waiting_for, row.waiting_on, row.waiting_since) == ("complete", "", "", None)
    assert (row.image_count, row.report_count) == (3, 1)
    assert world.links() == [("1.2.3", "study-uid", "")]
    assert due(world.database) == 0


def test_report_before_exam_is_parked_and_joined_later(world: World) -> None:
    """T75."""
    world.report()
    link_all(world.database)
    with world.database.read() as connection:
        assert connection.scalar(select(reports.c.parked)) is True
    world.exam()
    link_all(world.database)
    with world.database.read() as connection:
        assert connection.scalar(select(reports.c.parked)) is False
    assert world.exam_row().report_count == 1


def test_images_before_exam_are_joined_later(world: World) -> None:
    """T93-T95: images come by themselves, without risStudyId."""
    world.images(2)
    link_all(world.database)
    world.exam(study_uids=(), accession_numbers=("A1",))
    link_all(world.database)
    assert world.links() == [("1.2.3", "accession", "")]
    assert world.exam_row().image_count == 2


def test_changed_study_uid_moves_the_link(world: World) -> None:
    """T48, T49: an update of the exam may name other studies."""
    world.exam()
    world.images(1)
    world.images(1, study_uid="9.9", accession_number="A9")
    link_all(world.database)
    world.exam(study_uids=("9.9",), accession_numbers=())
    link_all(world.database)
    assert [uid for uid, _, _ in world.links()] == ["9.9"]
    with world.database.read() as connection:
        assert connection.execute(select(exam_keys.c.kind, exam_keys.c.value)).all() == [("study_uid", "9.9")]


def test_stronger_claim_of_another_exam_takes_the_study(world: World) -> None:
    """T52: studyUid before accessionNumber, also when the exam that names the UID comes later."""
    world.exam(study_uids=())
    world.images()
    link_all(world.database)
    assert len(world.links("RIS1")) == 1
    world.exam(ris_study_id="RIS2", accession_numbers=("A2",))
    link_all(world.database)
    assert world.links("RIS1") == []
    assert world.exam_row("RIS1").state == "waiting-images"
    assert world.links("RIS2") == [("1.2.3", "study-uid", "")]


def test_deletion_hides_and_frees_the_images(world: World) -> None:
    """T60: disableFlag 1 hides the record, nothing is deleted; taking it back joins again."""
    world.exam()
    world.images()
    link_all(world.database)
    world.exam(deleted=True)
    link_all(world.database)
    assert (world.exam_row().state, world.links()) == ("deleted", [])
    world.exam(deleted=False)
    link_all(world.database)
    assert world.links() == [("1.2.3", "study-uid", "")]


def test_deleted_report_counts_for_nothing(world: World) -> None:
    """T60."""
    world.exam()
    world.report()
    world.images()
    link_all(world.database)
    world.report(deleted=True)
    link_all(world.database)
    row = world.exam_row()
    assert (row.state, row.report_count) == ("waiting-report", 0)


def test_report_that_changes_its_exams(world: World) -> None:
    """T26, T50: one report may name several exams, and name others later."""
    world.exam()
    world.exam(ris_study_id="RIS2", study_uids=(), accession_numbers=())
    world.report(ris_study_ids=("RIS1", "RIS2"))
    link_all(world.database)
    assert [world.exam_row(r).report_count for r in ("RIS1", "RIS2")] == [1, 1]
    world.report(ris_study_ids=("RIS2",))
    link_all(world.database)
    assert [world.exam_row(r).report_count for r in ("RIS1", "RIS2")] == [0, 1]


def test_unknown_sender_is_held_until_unambiguous(world: World) -> None:
    """T52, and images of a sender in no list: two hospitals share the number, the gateway's people must
    act."""
    world.exam(study_uids=())
    world.exam(study_uids=(), hospital_code=OTHER)
    world.images(hospital_code="")
    link_all(world.database)
    assert world.links() == []
    for code in (HOSPITAL, OTHER):
        row = world.exam_row(hospital_code=code)
        assert (row.state, row.waiting_on) == ("waiting-images", "gateway")
    world.exam(study_uids=(), hospital_code=OTHER, deleted=True)
    link_all(world.database)
    assert world.links() == [("1.2.3", "accession", "sender-unknown")]


def test_report_access_no_is_the_last_try(world: World) -> None:
    """T52."""
    world.exam(study_uids=(), accession_numbers=())
    world.images(accession_number="IMG7")
    link_all(world.database)
    assert world.links() == []
    world.report(access_no="IMG7")
    link_all(world.database)
    assert world.links() == [("1.2.3", "report-access-no", "")]


def test_row_changed_while_linking_stays_due(world: World) -> None:
    """Nothing that arrives during a pass is forgotten."""
    world.exam()
    world.images(1)
    before = link_batch(world.database)
    world.images(1)
    assert before == 2
    assert due(world.database) == 1
    link_all(world.database)
    assert world.exam_row().image_count == 2


def test_a_number_everybody_uses_links_nothing(world: World) -> None:
    """T15: placeholders are no numbers."""
    world.exam(study_uids=(), accession_numbers=("0", "无"))
    world.images(accession_number="0")
    link_all(world.database)
    assert world.links() == []


def test_relink_all_comes_to_the_same(world: World) -> None:
    """A pass may be repeated at any time."""
    for n in range(30):
        world.exam(ris_study_id=f"RIS{n}", study_uids=(f"1.2.{n}",), accession_numbers=(f"A{n}",))
        world.report(record_num=f"R{n}", ris_study_ids=(f"RIS{n}",))
        world.images(study_uid=f"1.2.{n}", accession_number=f"A{n}")
    link_all(world.database)
    before = [world.exam_row(f"RIS{n}") for n in range(30)]
    assert relink_all(world.database, chunk=7) == 90
    assert link_all(world.database) == 90
    assert [world.exam_row(f"RIS{n}") for n in range(30)] == before


def test_small_batches_come_to_the_same(world: World) -> None:
    for n in range(12):
        world.report(record_num=f"R{n}", ris_study_ids=(f"RIS{n}",))
        world.images(study_uid=f"1.2.{n}", accession_number=f"A{n}")
        world.exam(ris_study_id=f"RIS{n}", study_uids=(f"1.2.{n}",), accession_numbers=(f"A{n}",))
    while link_batch(world.database, 5):
        pass
    assert {world.exam_row(f"RIS{n}").state for n in range(12)} == {"complete"}


def test_linker_thread_is_prompt_when_quiet(world: World) -> None:
    """Linked within a moment; the bound is generous for a busy machine."""
    linker = Linker(world.database)
    linker.start()
    try:
        world.exam()
        world.images()
        deadline = time.monotonic() + 60
        while world.exam_row().image_count == 0 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert world.exam_row().image_count == 1
    finally:
        linker.close()
    assert linker.available


@pytest.mark.peer
def test_two_linkers_of_two_processes_do_not_disturb_each_other(postgres_url: str) -> None:
    """PostgreSQL: one links at a time, by an advisory lock. On SQLite one process owns the file."""
    one, two = open_database(postgres_url), open_database(postgres_url)
    world = World(one)
    linkers = [Linker(one, batch=3), Linker(two, batch=3)]
    for linker in linkers:
        linker.start()
    try:
        for n in range(25):
            world.images(study_uid=f"1.2.{n}", accession_number=f"A{n}")
            world.exam(ris_study_id=f"RIS{n}", study_uids=(f"1.2.{n}",), accession_numbers=(f"A{n}",))
            world.report(record_num=f"R{n}", ris_study_ids=(f"RIS{n}",))
        deadline = time.monotonic() + 60
        while due(one) and time.monotonic() < deadline:
            time.sleep(0.05)
    finally:
        for linker in linkers:
            linker.close()
    assert {world.exam_row(f"RIS{n}").state for n in range(25)} == {"complete"}
    assert all(linker.available for linker in linkers)
    one.close()
    two.close()


@pytest.mark.peer
def test_linker_survives_the_database_going_away(
    postgres: PostgresServer, postgres_url: str, database_when_back: None
) -> None:
    """It pauses, and goes on by itself when the database is back."""
    database = open_database(postgres_url)
    world = World(database)
    linker = Linker(database)
    linker.start()
    try:
        postgres.stop("immediate")
        wait_for(lambda: not linker.available)
        postgres.start()
        world.exam()
        world.images()
        wait_for(lambda: world.exam_row().image_count == 1)
    finally:
        linker.close()
        database.close()
    assert linker.available


@pytest.fixture
def database_when_back(postgres: PostgresServer) -> Iterator[None]:
    """Other tests of the session find the server running, whatever happened here."""
    yield
    try:
        postgres.execute("SELECT 1")
    except psycopg.Error:
        postgres.start()


def wait_for(true: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_busy_intake_leaves_linking_a_bounded_share(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """While much comes in the linker rests several times as long as it worked; when it is quiet it does
    not rest."""
    linker = Linker(world.database)
    world.exam()
    assert linker._turn() == 0.0
    assert linker._turn() == linkage.QUIET_POLL_S
    monkeypatch.setattr(linker, "_rate", lambda: linkage.BUSY_RATE + 1)
    world.exam(ris_study_id="RIS2")
    clock = Clock()
    monkeypatch.setattr(linkage, "time", clock)
    real = linker._pass
    monkeypatch.setattr(linker, "_pass", lambda batch: (clock.pass_by(2.0), real(batch))[1])
    rest = linker._turn()
    assert rest >= linkage.BUSY_REST_S
    assert rest == pytest.approx(2.0 * (1 / linkage.BUSY_SHARE - 1))


class Clock:
    """In place of the module `time`."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now

    def pass_by(self, seconds: float) -> None:
        self.now += seconds


def test_busy_is_seen_from_what_came(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(linkage, "time", clock)
    linker = Linker(world.database)
    assert linker._rate() <= linkage.BUSY_RATE
    world.images(500)
    clock.pass_by(1.0)
    assert linker._rate() > linkage.BUSY_RATE
    clock.pass_by(0.05)
    assert linker._rate() <= linkage.BUSY_RATE


def test_an_unexpected_error_does_not_end_the_linker(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told, and tried again."""
    real = linkage.link_batch
    failed = []

    def fails_once(database: Database, batch: int, choice: Choice) -> int:
        if not failed:
            failed.append(True)
            raise RuntimeError("unexpected")
        return real(database, batch, choice)

    monkeypatch.setattr(linkage, "link_batch", fails_once)
    world.exam()
    world.images()
    linker = Linker(world.database)
    linker.start()
    try:
        wait_for(lambda: world.exam_row().image_count == 1)
    finally:
        linker.close()
    assert failed


def test_a_row_that_always_raises_holds_up_only_itself(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is set aside, told by its id, tried again later and later; the others are linked."""
    poisonous = ["RIS2"]
    real = linkage.state_of

    def fails_for_one(exam: ExamFacts, *more: Any) -> Standing:
        if exam.ris_study_id in poisonous:
            raise ValueError(f"poison of {exam.patient_id}")
        return real(exam, *more)

    monkeypatch.setattr(linkage, "state_of", fails_for_one)
    monkeypatch.setattr(set_aside, "AGAIN_FIRST_S", 0.2)
    for number in (1, 2, 3):
        world.exam(
            ris_study_id=f"RIS{number}", accession_numbers=(f"A{number}",), study_uids=(f"1.2.{number}",)
        )
    world.images(study_uid="1.2.3", accession_number="A3")
    linker = Linker(world.database)
    linker.start()
    try:
        wait_for(lambda: world.exam_row("RIS3").image_count == 1 and world.exam_row("RIS1").state != "")
        wait_for(lambda: linker.set_aside == 1)
        assert linker.available
        assert world.exam_row("RIS2").state == ""
        world.exam(ris_study_id="RIS4", accession_numbers=("A4",), study_uids=("1.2.4",))
        wait_for(lambda: world.exam_row("RIS4").state != "")
        poisonous.clear()
        wait_for(lambda: world.exam_row("RIS2").state != "")
        assert linker.set_aside == 0
    finally:
        linker.close()
    told = capsys.readouterr().out
    assert "link.row_set_aside" in told
    assert "poison of" not in told


def test_rows_are_set_aside_longer_each_time_and_not_without_bound() -> None:
    now = [0.0]
    aside = SetAside(lambda: now[0])
    row = ("exams", 1)
    assert [aside.add(row) for _ in range(9)] == [5, 10, 20, 40, 80, 160, 320, 600, 600]
    assert aside.ready() == []
    now[0] = 601
    assert aside.ready() == [row]
    for number in range(2, set_aside.AT_MOST + 1):
        assert aside.add(("exams", number)) == 5
    assert aside.add(("reports", 1)) is None
    aside.remove(row)
    assert aside.add(("reports", 1)) == 5
