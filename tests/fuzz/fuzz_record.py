"""Coverage-guided fuzzing of validation: any JSON in any field of a whole record, and any JSON as a record.

`python -m tests.fuzz.fuzz_record -max_total_time=60 [corpus folder]` (needs atheris).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import orjson

from tests.fuzz import instrumented
from tests.unit.exchange.records import CODE, EDITION, exam, report
from yingqiao.exchange import bounded_json
from yingqiao.exchange.errors import Refusal
from yingqiao.exchange.judge import judge
from yingqiao.exchange.profile import Profile

_PROFILES = (Profile(), Profile(ca_required=True, grades={"if_known": None, "required": None}))
_WHOLE = {"exam": exam(), "report": report(), "merged_upload": {"patient": exam(), "report": report()}}
_NAMES = {table: [f.name for f in EDITION.tables[table].fields] for table in _WHOLE}
_TABLES = tuple(_WHOLE)


def one_input(data: bytes) -> None:
    """First byte: table and profile; second: a field; the rest: the JSON (or text) put
    there, and judged alone.
    """
    if len(data) < 2:
        return
    table = _TABLES[data[0] % len(_TABLES)]
    profile = _PROFILES[data[0] // len(_TABLES) % len(_PROFILES)]
    value = _value(data[2:])
    name = _NAMES[table][data[1] % len(_NAMES[table])]
    check(table, profile, _WHOLE[table] | {name: value})
    check(table, profile, value)


def check(table: str, profile: Profile, value: Any) -> None:
    """Judging never raises but Refusal, and what it gives can be written down."""
    try:
        judged = judge(EDITION, profile, CODE, table, value)
    except Refusal as refusal:
        refusal.message(EDITION.messages)
        return
    for finding in judged.findings:
        assert finding.problem
        assert finding.mend
        assert len(finding.problem) < 600
    orjson.dumps([finding.problem for finding in judged.findings])
    for part in judged.parts:
        orjson.dumps(dict(part.validated.values))
    again = {part.table: dict(part.validated.values) for part in judged.parts}
    assert len(again) == len(judged.parts)


def corpus() -> Iterator[bytes]:
    texts = [
        "",
        "1",
        "35岁",
        "2025-12-31 08:00",
        "20251231",
        "1,2，3|4",
        "B020ZYZZZ",
        "Z" * 15,
        "\0",
        "０１",
        "汉族",
    ]
    values: list[Any] = [
        *texts,
        None,
        0,
        1,
        -1,
        2**63,
        1e300,
        0.5,
        True,
        [],
        [[]],
        {},
        {"a": {"b": []}},
        ["1", 2],
    ]
    values += [
        [{"setId": 0}],
        [{"setId": []}, 1],
        "x" * 2000,
        "2025-W01-1 10:00:00",
        "2025-12-31T08:00:00+23:59",
    ]
    for head in range(len(_TABLES) * len(_PROFILES)):
        for index, value in enumerate(values):
            yield bytes([head, (index * 37 + head * 11) % 256]) + orjson.dumps(
                value if value != 2**63 else str(value)
            )


def _value(data: bytes) -> Any:
    try:
        return bounded_json.load(data)
    except bounded_json.JsonError:
        return data.decode("utf-8", "ignore")


if __name__ == "__main__" and instrumented.FUZZING:
    import atheris

    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
