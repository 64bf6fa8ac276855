"""Seals on reports' PDFs on both databases: due once when audited with a PDF, judged, shown, due again (四(二)4)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import select, update

from tests.integration.store.link_world import HOSPITAL, OTHER, World
from yingqiao.exchange.profile import Profile
from yingqiao.exchange.receive import HospitalEntry
from yingqiao.exchange.report_seals import SealsJudged, summarise
from yingqiao.gm.ses import Seal
from yingqiao.sandbox import Busy
from yingqiao.signing.seals.context import RegistrySilentError, SealContext
from yingqiao.signing.seals.documents import judge_bare
from yingqiao.signing.seals.states import Stop
from yingqiao.signing.trust import Role
from yingqiao.signing.verification.policy import Policy
from yingqiao.store.database import Database
from yingqiao.store.linkage import link_all
from yingqiao.store.objects import LocalObjects
from yingqiao.store.report_seals import due_seals, mark_due, seal_facts, seals_of
from yingqiao.store.schema import reports
from yingqiao.store.trust import TrustStore
from yingqiao.tasks.seals import SealWatch

PASSED = SealsJudged(1, "passed", 0, "电子签章验证通过\0", [{"index": 0, "code": 0}])
UNKNOWN = SealsJudged(1, "unknown", 1006, "制章者不在信任的证书中", [])


class Hospitals:
    """Every hospital, by this profile."""

    def __init__(self, profile: str = "{}") -> None:
        self._profile = Profile.from_json(profile)

    def get(self, code: str) -> HospitalEntry | None:
        return HospitalEntry(code, "某某医院", False, (), self._profile)


class Reports:
    """Reports with PDFs, linked; and verdicts given one after the other."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database, self.world = database, World(database)
        self.objects = LocalObjects(folder)
        self.verdicts: Iterator[SealsJudged] = iter(())
        self.seen: list[bytes] = []

    def add(self, record: str, pdf: bytes = b"%PDF-1.7", **changes: object) -> int:
        digest = self.objects.put(pdf) if pdf else ""
        return self.world.report(record_num=record, pdf_object=digest, **changes)

    def watch(self, profile: str = "{}", clock: Callable[[], float] = time.monotonic) -> SealWatch:
        def judge(data: bytes, _: Policy, __: datetime) -> SealsJudged:
            self.seen.append(data)
            return next(self.verdicts)

        return SealWatch(self.database, Hospitals(profile), self.objects, judge, clock=clock)

    def due(self) -> list[str]:
        with self.database.read() as connection:
            return [one.record_num for one in due_seals(connection, 10)]

    def verdict(self, record: str = "R1") -> tuple[str, str, int]:
        with self.database.read() as connection:
            row = seals_of(connection, HOSPITAL, record)[0]
            return row.state, row.indication, row.code


@pytest.fixture
def kept(database: Database, tmp_path: Path) -> Reports:
    return Reports(database, tmp_path / "objects")


def test_the_linker_asks_for_those_that_are_audited_and_have_a_pdf(kept: Reports):
    number = kept.add("R1")
    kept.add("R2", b"")
    kept.add("R3", report_status=1)
    kept.add("R4", deleted=True)
    kept.add("R5", b"%PDF-1.4", hospital_code=OTHER)
    link_all(kept.database)
    assert kept.due() == ["R1", "R5"]
    with kept.database.write() as connection:
        mark_due(connection, [number])  # once more: nothing new
        mark_due(connection, [])
    assert kept.due() == ["R1", "R5"]


def test_judged_once_and_told_in_the_timeline(kept: Reports):
    kept.add("R1", b"%PDF-a")
    link_all(kept.database)
    kept.verdicts = iter([PASSED])
    assert (kept.watch().turn(), kept.watch().turn(), kept.seen) == (1, 0, [b"%PDF-a"])
    assert kept.verdict() == ("done", "passed", 0)
    with kept.database.read() as connection:
        (line,) = seal_facts(connection, HOSPITAL, "R1")
        (row,) = seals_of(connection, HOSPITAL, "R1")
        assert seal_facts(connection, OTHER, "R1") == []
    assert (line.record_num, line.indication, line.words) == ("R1", "passed", "电子签章验证通过�")
    assert row.details == '[{"index":0,"code":0}]'


def test_each_version_is_judged_and_the_newest_comes_first(kept: Reports):
    kept.add("R1", b"%PDF-a")
    link_all(kept.database)
    kept.verdicts = iter([UNKNOWN, PASSED])
    kept.watch().turn()
    kept.add("R1", b"%PDF-b", last_change_time="2026-03-01 12:00:00")
    link_all(kept.database)
    assert kept.watch().turn() == 1
    with kept.database.read() as connection:
        assert [row.indication for row in seals_of(connection, HOSPITAL, "R1")] == ["passed", "unknown"]
    assert kept.seen == [b"%PDF-a", b"%PDF-b"]


def test_unknown_is_judged_again_when_what_is_trusted_changes(kept: Reports):
    from tests.helpers import seals

    kept.add("R1", b"%PDF-a")
    kept.add("R2", b"%PDF-b")
    link_all(kept.database)
    kept.verdicts = iter([UNKNOWN, PASSED, PASSED])
    kept.watch().turn()
    assert kept.due() == []
    TrustStore(kept.database).add(seals.seal_world().makers, Role.SEAL_MAKER)
    assert kept.due() == ["R1"]
    assert kept.watch().turn() == 1
    assert kept.verdict("R1") == kept.verdict("R2") == ("done", "passed", 0)


def test_a_silent_registry_is_asked_again_by_itself(kept: Reports):
    """2.7 row 6: unknown is shown, and judged again without any change of trust; one report a try, the pauses longer and
    longer, so nothing is read over and over while the registry is away.
    """
    kept.add("R1", b"%PDF-a")
    kept.add("R2", b"%PDF-b")
    link_all(kept.database)
    silent = SealsJudged(1, "unknown", 1007, "印章登记暂时查不到", [], silent=True)
    kept.verdicts = iter([silent] * 10 + [PASSED, PASSED])
    seconds = 0
    watch = kept.watch(clock=lambda: float(seconds))
    tries = []
    for seconds in range(2000):
        if watch.turn():
            tries.append(seconds)
        if seconds == 0:
            assert (kept.verdict("R1"), kept.due()) == (("due", "unknown", 1007), ["R1", "R2"])
            with kept.database.read() as connection:
                assert [one.words for one in seal_facts(connection, HOSPITAL, "R1")] == ["印章登记暂时查不到"]
    assert tries == [0, 2, 6, 14, 30, 62, 126, 254, 510, 810, 1110]
    assert kept.verdict("R1") == kept.verdict("R2") == ("done", "passed", 0)
    assert kept.due() == []


def test_the_verdict_says_that_the_registry_was_silent():
    """2.7 row 6, from the judge on: only what the registry left open is asked again."""
    from tests.helpers import pki, seals

    def away(_: object) -> tuple[Stop, ...]:
        raise RegistrySilentError

    def judged(stops: Callable[[Seal], Sequence[Stop]]) -> SealsJudged:
        context = SealContext(seals.seal_trust(), pki.NOW, stops=stops)
        return summarise([judge_bare(seals.make_signature(), context, seals.DOCUMENT)])

    assert (judged(away).silent, judged(away).code) == (True, 1007)
    assert (judged(lambda _: ()).silent, judged(lambda _: ()).code) == (False, 0)


def test_a_profile_may_ask_for_none(kept: Reports):
    kept.add("R1")
    link_all(kept.database)
    off = '{"grades": {"seal": "off", "unsealed": "off"}}'
    assert kept.watch(off).turn() == 1
    assert (kept.verdict(), kept.seen) == (("off", "", 0), [])
    with kept.database.read() as connection:
        assert seal_facts(connection, HOSPITAL, "R1") == []


def test_a_pdf_that_is_gone_is_a_verdict(kept: Reports):
    kept.add("R1")
    with kept.database.write() as connection:
        connection.execute(update(reports).values(pdf_object=f"sha256:{'0' * 64}"))
        assert connection.scalar(select(reports.c.id))
    link_all(kept.database)
    assert kept.watch().turn() == 1
    assert kept.verdict() == ("done", "unknown", 1099)


def test_nobody_free_to_read_it_leaves_it_due(kept: Reports):
    """The pool is shared: another turn finds a place."""
    kept.add("R1")
    link_all(kept.database)

    def busy(*_: object) -> SealsJudged:
        raise Busy

    watch = SealWatch(kept.database, Hospitals(), kept.objects, busy)
    assert (watch.turn(), kept.due()) == (0, ["R1"])
