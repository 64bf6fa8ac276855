"""The C-MOVE doctor's judgement: each way a link can be wrong, by its facts (Q/R 模式, T92)."""

from __future__ import annotations

import pytest

from yingqiao.exchange.doctor import (
    Diagnosis,
    Finding,
    Mark,
    Moved,
    Ours,
    Parties,
    Side,
    Step,
    Trouble,
    found,
    move_trouble,
    rejection,
    skipped,
    status_trouble,
    status_words,
)
from yingqiao.exchange.pacs import PacsAddress

PARTIES = Parties(PacsAddress("PACS1", "10.1.2.3", 104), Ours("YINGQIAO", ("10.9.8.7",), 11112))


@pytest.mark.parametrize(
    ("source", "reason", "trouble"),
    [
        (1, 3, Trouble.CALLING_AET),
        (1, 7, Trouble.CALLED_AET),
        (1, 1, Trouble.REJECTED),
        (2, 1, Trouble.REJECTED),
        (3, 1, Trouble.LIMIT),
        (3, 2, Trouble.LIMIT),
    ],
)
def test_rejections(source: int, reason: int, trouble: Trouble):
    """PS3.8 table 9-21."""
    assert rejection(source, reason) is trouble


@pytest.mark.parametrize(
    ("moved", "trouble"),
    [
        (Moved(0, 1, 0, 0, arrived=True), None),
        (Moved(0xB000, 0, 1, 0, arrived=True), None),
        (Moved(0xA801, 0, 0, 0, arrived=False), Trouble.DESTINATION_UNKNOWN),
        (Moved(0, 1, 0, 0, arrived=False), Trouble.WENT_ELSEWHERE),
        (Moved(0, 0, 0, 1, arrived=False), Trouble.WENT_ELSEWHERE),
        (Moved(0xA702, 0, 1, 0, arrived=False), Trouble.DESTINATION_UNREACHABLE),
        (Moved(0xB000, 0, 1, 0, arrived=False), Trouble.DESTINATION_UNREACHABLE),
        (Moved(0xC001, 0, 1, 0, arrived=False), Trouble.DESTINATION_UNREACHABLE),
        (Moved(0xC000, 0, 0, 0, arrived=False), Trouble.MOVE_FAILED),
        (Moved(0x0124, 0, 0, 0, arrived=False), Trouble.NOT_ALLOWED),
        (Moved(0x0122, 0, 0, 0, arrived=False), Trouble.NOT_OFFERED),
        (Moved(0, 0, 0, 0, arrived=False), Trouble.NOTHING_SENT),
    ],
)
def test_probe_moves(moved: Moved, trouble: Trouble | None):
    """What arrived decides before what the PACS says of it (PS3.4 C.4.2.1.5)."""
    assert move_trouble(moved) is trouble


def test_statuses():
    assert status_trouble(0) is None
    assert status_trouble(0x0124) is Trouble.NOT_ALLOWED
    assert status_trouble(0x0122) is Trouble.NOT_OFFERED
    assert status_trouble(0xA900) is Trouble.STATUS
    assert status_words(0xA801, "no such AE") == "A801 移动目的地未知（no such AE）"
    assert status_words(0xC123) == "C123 无法处理"


def test_an_unknown_destination_says_what_to_register():
    finding = found(Step.MOVE, Trouble.DESTINATION_UNKNOWN, PARTIES, 0.1)
    assert finding.mark is Mark.FAILED
    assert finding.side is Side.PACS
    assert finding.mend == "请 PACS 厂商登记目的地 AET=YINGQIAO IP=10.9.8.7 端口=11112"


@pytest.mark.parametrize("trouble", list(Trouble))
@pytest.mark.parametrize("step", list(Step))
def test_every_trouble_has_words_and_advice_at_every_step(step: Step, trouble: Trouble):
    facts = {"count": 3, "sent": 1}
    finding = found(step, trouble, PARTIES, 5.0, **facts)
    assert finding.words
    assert finding.mend
    assert "{" not in finding.words + finding.mend


def passed(*steps: Step) -> list[Finding]:
    return [found(step, None, PARTIES, 0.0, "好") for step in steps]


def test_the_summary_names_the_first_that_must_act():
    findings = (
        *passed(Step.CONNECT, Step.ASSOCIATION, Step.ECHO, Step.FIND),
        found(Step.BACK, Trouble.OWN_DOWN, PARTIES, 0.0),
        found(Step.MOVE, Trouble.WENT_ELSEWHERE, PARTIES, 1.0, sent=1),
        skipped(Step.GET, "PACS 不提供"),
    )
    diagnosis = Diagnosis(PARTIES, findings)
    assert not diagnosis.usable
    assert diagnosis.summary().startswith("不能调取。需PACS 厂商处理：PACS 报告已发送 1 幅，本机收到 0 幅")


def test_get_alone_will_do():
    findings = (
        *passed(Step.FIND, Step.GET),
        found(Step.MOVE, Trouble.DESTINATION_UNKNOWN, PARTIES, 0.0),
    )
    diagnosis = Diagnosis(PARTIES, findings)
    assert diagnosis.usable
    assert diagnosis.summary() == "可以调取：用 C-GET；C-MOVE 不通：PACS 不认识移动目的地 YINGQIAO（A801）"


def test_nothing_to_probe_is_no_failure():
    findings = (*passed(Step.FIND), found(Step.MOVE, Trouble.NOTHING_TO_PROBE, PARTIES, 0.0))
    assert findings[-1].mark is Mark.SKIPPED
    assert "没有影像可试" in Diagnosis(PARTIES, findings).summary()


def test_a_charset_that_lies_is_noted_and_passes():
    finding = found(Step.FIND, Trouble.CHARSET, PARTIES, 0.0, detail="charset-lied")
    assert finding.mark is Mark.PASSED
    assert "charset-lied" in finding.words
