"""The local check says what the real receiver says, finding by finding (三(六)6, 五)."""

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.exchange.records import CODE, EDITION, KEY, NOW_MS, NOW_S, OTHER_CODE, Register, exam, report
from yingqiao.client import Checker, Level, Profile
from yingqiao.client.protocol import findings_of
from yingqiao.exchange.envelope import seal
from yingqiao.exchange.receive import HospitalEntry, Receiver

SERIES = {
    "PATIENT_ID": "P1",
    "MODALITY": "CT",
    "PATIENTSEX": "M",
    "ACCESS_NO": "A",
    "PATIENTNAME": "张三",
    "PATIENTAGE": "35",
    "STUDYIUID": "1.2",
    "STUDYDATE": "2026-01-05",
    "SERIESIUID": "1.2.3",
    "SERIESNO": "1",
    "FILEPATH": ["http://10.0.0.1/a.dcm", "ftp://10.0.0.1/b.dcm"],
}
WHOLE: dict[str, Any] = {
    "exam-sync": exam(),
    "report-sync": report(),
    "examMergeReport-sync": {"patient": exam(), "report": report()},
    "images-list": SERIES,
}
PROFILES = (
    Profile(),
    Profile(ca_required=True, grades={"if_known": Level.WARN, "length": Level.REFUSE}),
    Profile(grades={"required": None, "unknown": Level.REFUSE}, group=frozenset({OTHER_CODE})),
)


def said_by_both(interface: str, payload: Any, profile: Profile) -> None:
    entry = HospitalEntry(CODE, "医院", False, (KEY,), profile, reach=lambda _: "")
    raw = orjson.dumps(seal(orjson.dumps(payload), CODE, KEY, NOW_S))
    theirs = Receiver(EDITION, Register(entry)).take(interface, raw, peer="t", received_at=NOW_MS).answer
    ours = Checker(CODE, profile=profile, edition=EDITION).check(interface, payload)
    assert (ours.code, ours.message) == (theirs.code, theirs.message)
    wire = orjson.loads(theirs.to_json())["content"]
    assert [_key(f) for f in ours.findings] == [_key(f) for f in findings_of(wire)]


def _key(finding):
    return finding.field, finding.label, finding.rule, finding.level, finding.problem, finding.mend


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("interface", WHOLE)
def test_whole_records(interface, profile):
    said_by_both(interface, WHOLE[interface], profile)


VALUES = st.one_of(
    st.sampled_from(
        ["", " ", "0", "1", "35岁", "2026-13-01", "2026/01/05 8:00", "男", "汉族", "Z" * 300, "\0"]
    ),
    st.sampled_from(
        [CODE, OTHER_CODE, "JVBERi0xLjQ=", "http://x/y.pdf", "a,b，c", "B020ZYZZZ", None, [], {}]
    ),
    st.integers(-(2**31), 2**31) | st.floats(allow_nan=False, allow_infinity=False) | st.booleans(),
    st.text(max_size=20),
    st.lists(st.dictionaries(st.sampled_from(["setId", "examPart", "x"]), st.text(max_size=9)), max_size=3),
)


@st.composite
def mutated(draw):
    interface = draw(st.sampled_from(list(WHOLE)))
    payload = orjson.loads(orjson.dumps(WHOLE[interface]))
    for _ in range(draw(st.integers(1, 6))):
        parts = [payload, *(part for part in payload.values() if isinstance(part, dict))]
        target = draw(st.sampled_from(parts))
        name = draw(st.sampled_from([*sorted(target), "unknown", "PATNAME"]))
        if draw(st.booleans()):
            target[name] = draw(VALUES)
        else:
            target.pop(name, None)
    return interface, payload


@settings(max_examples=400)
@given(mutated(), st.sampled_from(PROFILES))
def test_mutated_records(case, profile):
    said_by_both(*case, profile)


@pytest.mark.parametrize("payload", [[], [exam()], [exam(), exam()], "x", 5, None, {"a": [[[]]] * 40_000}])
def test_what_is_no_record(payload):
    """T18; a document too large to be one."""
    said_by_both("exam-sync", payload, Profile())


def test_the_names_of_the_four():
    checker = Checker(f" {CODE} ")
    assert checker.exam(exam()).accepted
    assert checker.report(report()).accepted
    assert checker.merged(exam(), report()).accepted
    assert checker.merged(exam(), None).warnings
    assert checker.images_list(SERIES).accepted
    assert not checker.exam(exam(patName="")).accepted
    assert checker.exam(exam(hospitalCode=OTHER_CODE)).findings[0].rule == "hospital"
