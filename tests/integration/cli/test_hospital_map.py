"""`yingqiao hospital map`: what would be sent, shown on real rows before going live."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from yingqiao.cli import main

SOURCE = """
[[source]]
name = "ris"
type = "database"
url = "sqlite:///ris.db"
[source.exam]
view = "v_exam"
key = "jcid"
cursor = "gxsj"
[source.exam.fields]
risStudyId = "jcid"
patName = "xm"
lastChangeTime = "gxsj"
sex = { column = "xb", codes = { "男" = "1" } }
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with closing(sqlite3.connect(tmp_path / "ris.db")) as connection:
        connection.execute("CREATE TABLE v_exam (jcid TEXT, xm TEXT, xb TEXT, gxsj TEXT, bz TEXT)")
        rows = [
            (f"E{n}", f"患者{n}", "男" if n % 2 else "F", f"2026-03-05 08:00:{n:02}", "") for n in range(10)
        ]
        connection.executemany("INSERT INTO v_exam VALUES (?, ?, ?, ?, ?)", rows)
        connection.commit()
    (tmp_path / "hospital.toml").write_text(SOURCE, "utf-8")
    return tmp_path


def run(*words: str) -> Result:
    return CliRunner().invoke(main, ["hospital", "map", *words])


def test_check_shows_what_would_be_sent_and_every_finding(folder: Path):
    result = run("check", "--config", str(folder / "hospital.toml"), "--json")
    assert result.exit_code == 1
    (report,) = json.loads(result.output)
    assert (report["rows"], report["refused"]) == (10, 10)
    assert report["sample"]["patName"] == "患者9"
    assert report["unused_columns"] == ["bz"]
    assert "idCard" in report["unmapped_required"]
    (uncoded,) = [one for one in report["findings"] if one["rule"] == "mapping-code"]
    assert (uncoded["field"], uncoded["count"]) == ("sex", 5)
    assert "“F”" in uncoded["problem"]


def test_check_as_table_and_csv(folder: Path):
    shown = run("check", "--config", str(folder / "hospital.toml"), "--rows", "3", "--table", "exam")
    assert "试了 3 行，其中 3 行会被拒收" in shown.output
    assert "没有用到的列：bz" in shown.output
    listed = run("check", "--config", str(folder / "hospital.toml"), "--csv")
    assert listed.output.startswith("数据源,表,级别,字段")


def test_check_says_what_is_wrong_with_the_configuration(folder: Path):
    config = folder / "hospital.toml"
    config.write_text(SOURCE.replace("patName", "patNane"), "utf-8")
    result = run("check", "--config", str(config))
    assert result.exit_code == 2
    assert (
        "hospital.toml：[[source]] ris exam：标准的 exam 表没有字段 patNane，最接近的是 patName"
        in result.output
    )
    config.write_text(SOURCE.replace("ris.db", "gone.db"), "utf-8")
    assert run("check", "--config", str(config)).exit_code == 3


def test_a_complete_mapping_passes(folder: Path):
    """HL7 by sample files; the record is one the gateway takes: a deletion needs its keys only (T60)."""
    hl7 = '[[source]]\nname = "h"\ntype = "hl7"\n[source.exam.fields]\nrisStudyId = "OBR-2"\n'
    hl7 += 'lastChangeTime = { column = "MSH-7", transform = ["datetime"] }\ndisableFlag = { value = "1" }\n'
    (folder / "hl7.toml").write_text(hl7, "utf-8")
    (folder / "m.hl7").write_bytes(b"MSH|^~\\&|A|B|C|D|20260305080000||ORM^O01|1|P|2.4\rOBR|1|E1\r")
    result = run("check", "--config", str(folder / "hl7.toml"), "--sample", str(folder / "m.hl7"))
    assert result.exit_code == 0, result.output
    assert "通过" in result.output


def test_init_writes_a_first_mapping_that_opens(folder: Path):
    url = f"sqlite:///{folder / 'ris.db'}"
    result = run("init", "--url", url, "--view", "v_exam")
    assert result.exit_code == 0, result.output
    assert 'patName = "xm"' in result.output
    assert 'cursor = "gxsj"' in result.output
    (folder / "first.toml").write_text(result.output, "utf-8")
    assert "试了 10 行" in run("check", "--config", str(folder / "first.toml")).output
    assert run("init", "--url", url, "--view", "nothing").exit_code in (2, 3)
