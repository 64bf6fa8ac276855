"""A hospital's Q/R nodes, and the pulls that audited reports ask for (Q/R 模式, T52, T92), on both databases."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import select, update

from tests.integration.store.link_world import HOSPITAL, OTHER, World
from yingqiao.exchange.completeness import Expectation, Source
from yingqiao.exchange.pacs import NewPacsNode, PacsOptions, RetrieveBy, parse_address
from yingqiao.exchange.work import LineLimits, Priority, WorkState
from yingqiao.gm.keystore import MasterKey
from yingqiao.store.database import Database
from yingqiao.store.errors import HospitalError
from yingqiao.store.expectations import tell
from yingqiao.store.hospitals import HospitalRegistry
from yingqiao.store.linkage import link_all, relink_all
from yingqiao.store.pacs import add_node, find_node, get_node, learn, list_nodes, remove_node, set_disabled
from yingqiao.store.schema import reports, work
from yingqiao.store.sources import add_source, source_table
from yingqiao.store.work import destinations

KEY = "0123456789ABCDEFFEDCBA9876543210"


@pytest.fixture
def world(database: Database) -> World:
    registry = HospitalRegistry(database, MasterKey(bytes(range(32))))
    registry.add(HOSPITAL, "某某医院", KEY)
    registry.add(OTHER, "别的医院", KEY[::-1])
    return World(database)


def node(name: str = "main", at: str = "PACS1@10.1.2.3:104", **given: object) -> NewPacsNode:
    return NewPacsNode(HOSPITAL, name, parse_address(at), **given)  # type: ignore[arg-type]


def pulls(database: Database) -> list[tuple[str, str, int, str]]:
    with database.read() as connection:
        rows = connection.execute(select(work).order_by(work.c.key))
        return [(row.key, row.destination, row.run, row.state) for row in rows]


def finish(database: Database, state: WorkState = WorkState.DONE) -> None:
    with database.write() as connection:
        connection.execute(update(work).values(state=str(state)))


def test_a_node_is_kept_as_registered(database: Database, world: World):
    options = PacsOptions(tls=True, tls_any_name=True)
    limits = LineLimits(3, 2_000_000, "22:00-06:00")
    wanted = node(
        calling_aet="YQ2", retrieve_by=RetrieveBy.GET, charset="GBK", options=options, limits=limits
    )
    added = add_node(database, wanted)
    assert (added.options, added.limits, added.calling_aet) == (options, limits, "YQ2")
    assert added.destination == f"{HOSPITAL}/pacs/main"
    with database.read() as connection:
        assert list_nodes(connection) == [added]
        assert find_node(connection, OTHER, "main") is None
        line = destinations.read(connection, added.destination)
    assert line is not None
    assert (line.max_parallel, line.bytes_per_second, line.windows) == (3, 2_000_000, "22:00-06:00")


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (node("a/b"), "节点名称"),
        (node(charset="KLINGON"), "字符集"),
        (node(calling_aet="X" * 17), "AE 标题"),
        (node(limits=LineLimits(99)), "并行"),
        (node(limits=LineLimits(windows="25:00-99:00")), "时"),
        (NewPacsNode("nobody", "main", parse_address("P@10.1.1.1:104")), "没有医疗机构"),
    ],
)
def test_a_node_that_cannot_be_is_refused(database: Database, world: World, wanted: NewPacsNode, said: str):
    with pytest.raises(Exception, match=said) as refusal:
        add_node(database, wanted)
    assert isinstance(refusal.value, HospitalError) or "AE 标题" in str(refusal.value)
    assert pulls(database) == []


def test_a_name_is_given_once(database: Database, world: World):
    add_node(database, node())
    with pytest.raises(HospitalError, match="已有"):
        add_node(database, node(at="PACS2@10.1.2.4:104"))


def test_a_node_sends_for_its_hospital(database: Database, world: World):
    """No `hospitals dicom add` besides; and a list that is empty stays open to everybody."""
    add_node(database, node())
    with database.read() as connection:
        table = source_table(connection)
    assert table.empty
    assert table.hospital_of("PACS1", "10.1.2.3") == HOSPITAL
    assert table.hospital_of("PACS1", "10.1.2.4") == ""
    add_source(database, OTHER, "CT1", "10.9.0.0/16")
    with database.read() as connection:
        table = source_table(connection)
    assert not table.empty
    assert table.hospital_of("PACS1", "10.1.2.3:49152") == HOSPITAL
    set_disabled(database, HOSPITAL, "main", disabled=True)
    with database.read() as connection:
        assert source_table(connection).hospital_of("PACS1", "10.1.2.3") == ""


def test_a_node_of_two_hospitals_speaks_for_neither(database: Database, world: World):
    """It may send; whose its studies are, the exams and the pulls say. A narrower source decides as before."""
    add_node(database, node())
    add_node(database, NewPacsNode(OTHER, "main", parse_address("PACS1@10.1.2.3:104")))
    add_source(database, OTHER, "CT1", "10.1.0.0/16")
    with database.read() as connection:
        table = source_table(connection)
    assert table.hospitals_of("PACS1", "10.1.2.3") == (HOSPITAL, OTHER)
    assert table.hospital_of("PACS1", "10.1.2.3") == ""
    assert table.admits("PACS1", "10.1.2.3")
    assert not table.admits("PACS1", "10.1.2.4")
    assert table.hospital_of("CT1", "10.1.2.3") == OTHER


def test_a_node_by_name_sends_from_its_addresses(database: Database, world: World):
    add_node(database, node(at="PACS1@localhost:104"))
    with database.read() as connection:
        assert source_table(connection).hospital_of("PACS1", "127.0.0.1") == HOSPITAL


def test_what_was_learned_stays(database: Database, world: World):
    added = add_node(database, node())
    learn(database, added, "get")
    with database.read() as connection:
        assert get_node(connection, HOSPITAL, "main").options.learned == "get"


def test_an_audited_report_asks_for_a_pull_once(database: Database, world: World):
    add_node(database, node())
    world.exam()
    link_all(database)
    assert pulls(database) == []
    world.report()
    link_all(database)
    assert pulls(database) == [("exam:1@main", f"{HOSPITAL}/pacs/main", 1, "waiting")]
    world.images(3)
    link_all(database)
    finish(database)
    relink_all(database)
    link_all(database)
    assert pulls(database) == [("exam:1@main", f"{HOSPITAL}/pacs/main", 1, "done")]


def test_a_report_that_came_before_its_exam_asks_too(database: Database, world: World):
    add_node(database, node())
    world.report()
    link_all(database)
    world.exam()
    link_all(database)
    assert len(pulls(database)) == 1


def test_nothing_is_asked_without_a_node_or_an_audit(database: Database, world: World):
    world.exam()
    world.report()
    link_all(database)
    assert pulls(database) == []
    add_node(database, node())
    world.report(report_status=1, check_status=3, confirm_time="")
    link_all(database)
    assert pulls(database) == []
    world.exam(ris_study_id="RIS9", modality="US", img_exam_type="4")
    world.report(record_num="R9", ris_study_ids=("RIS9",))
    link_all(database)
    assert pulls(database) == []


def test_a_new_node_catches_up_with_what_waits(database: Database, world: World):
    """Reports audited before the hospital had a node get their images too."""
    world.exam()
    world.report()
    world.exam(ris_study_id="RIS2")
    link_all(database)
    assert pulls(database) == []
    add_node(database, node())
    link_all(database)
    assert [key for key, *_ in pulls(database)] == ["exam:1@main"]


def test_a_disabled_node_is_asked_for_nothing_and_its_line_is_held(database: Database, world: World):
    add_node(database, node())
    set_disabled(database, HOSPITAL, "main", disabled=True)
    world.exam()
    world.report()
    link_all(database)
    assert pulls(database) == []
    with database.read() as connection:
        line = destinations.read(connection, f"{HOSPITAL}/pacs/main")
    assert line is not None
    assert line.held
    set_disabled(database, HOSPITAL, "main", disabled=False)
    link_all(database)
    assert len(pulls(database)) == 1


def test_an_audit_again_or_a_changed_exam_opens_it_again(database: Database, world: World):
    add_node(database, node())
    world.exam()
    world.report()
    link_all(database)
    finish(database)
    world.report(confirm_time="2026-03-02 08:00:00", last_change_time="2026-03-02 08:00:01")
    link_all(database)
    assert [run for _, _, run, _ in pulls(database)] == [2]
    finish(database)
    world.exam(accession_numbers=("A1", "A2"))
    link_all(database)
    assert [(run, state) for _, _, run, state in pulls(database)] == [(3, "waiting")]
    world.report(positive="1")
    link_all(database)
    assert [run for _, _, run, _ in pulls(database)] == [3]


def test_each_node_has_its_own_work(database: Database, world: World):
    add_node(database, node("ct"))
    add_node(database, node("mr", "PACS2@10.1.2.4:104"))
    world.exam()
    world.report()
    link_all(database)
    assert [key for key, *_ in pulls(database)] == ["exam:1@ct", "exam:1@mr"]


def test_emergencies_first_and_old_reports_last(database: Database, world: World):
    add_node(database, node())
    world.exam(ris_study_id="E", is_emergency=True)
    world.exam(ris_study_id="N")
    world.exam(ris_study_id="O")
    for number, exam in enumerate("ENO"):
        world.report(record_num=f"R{number}", ris_study_ids=(exam,))
    with database.write() as connection:
        old = reports.c.record_num == "R2"
        connection.execute(update(reports).where(old).values(updated_at=1_000))
        connection.execute(update(reports).where(~old).values(updated_at=4_000_000_000_000))
    link_all(database)
    with database.read() as connection:
        found = {json.loads(row.payload)["exam"]: row.priority for row in connection.execute(select(work))}
    assert found == {1: Priority.EMERGENCY, 2: Priority.NORMAL, 3: Priority.BACKFILL}


def test_removing_a_node_cancels_its_pulls(database: Database, world: World):
    add_node(database, node())
    world.exam()
    world.report()
    link_all(database)
    assert remove_node(database, HOSPITAL, "main") == 1
    assert [state for *_, state in pulls(database)] == ["cancelled"]
    with pytest.raises(HospitalError, match="没有 PACS 节点"):
        remove_node(database, HOSPITAL, "main")
    add_node(database, node())
    with database.read() as connection:
        assert len(list_nodes(connection, HOSPITAL)) == 1


def test_an_exam_somebody_says_is_short_is_asked_for_again(database: Database, world: World):
    """After a pull that was content, a commitment request or a list names more images than are here."""
    add_node(database, node())
    world.exam()
    world.report()
    world.images(3)
    link_all(database)
    finish(database)
    told = Expectation("1.2.3", "", Source.COMMITMENT, "CT1", 5, 1_772_330_900_000, HOSPITAL)
    with database.write() as connection:
        tell(connection, [told])
    link_all(database)
    assert [(run, state) for *_, run, state in pulls(database)] == [(2, "waiting")]
    finish(database)
    relink_all(database)
    link_all(database)
    assert [run for *_, run, _ in pulls(database)] == [2]
