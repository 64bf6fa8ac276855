import json

import pytest
from click.testing import CliRunner, Result

from tests.unit.spec.folder import Folder
from yingqiao.cli import main


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["spec", *map(str, arguments)])


def test_check_says_yes() -> None:
    result = run("check")
    assert result.exit_code == 0
    assert "全部通过" in result.output
    assert json.loads(run("check", "--json").output)["problems"] == []


def test_check_of_a_broken_folder_exits_1(folder: Folder) -> None:
    folder.set("fields/exam.csv", ("name", "sex"), code_list="gender")
    result = run("check", folder.path)
    assert result.exit_code == 1
    assert "gender" in result.output
    problems = json.loads(run("check", folder.path, "--json").output)["problems"]
    assert {"check": "field-references", "where": "exam.sex", "text": "没有代码表 gender"} in problems


@pytest.mark.parametrize("name", ["shanxi/v9", "/nowhere", "hunan"])
def test_no_such_edition_is_wrong_use(name: str) -> None:
    result = run("check", name)
    assert result.exit_code == 2
    assert "shanxi/v2_1" in result.stderr


def test_a_folder_that_cannot_be_read_is_wrong_use(folder: Folder) -> None:
    (folder.path / "messages.csv").unlink()
    assert run("check", folder.path).exit_code == 2


def test_show() -> None:
    assert "患者来源" in run("show", "exam", "PATIENTFROM").output
    assert "字段数：113" in run("show", "exam").output
    assert "1 男性" in run("show", "code-list", "SEX").output


def test_show_json() -> None:
    field = json.loads(run("show", "exam", "outpatientid", "--json").output)[0]
    assert (field["name"], field["required"], field["conditions"][0]["basis"]) == (
        "outPatientId",
        "conditional",
        "printed",
    )
    assert field["notes"][0]["id"] == "T27"
    assert len(json.loads(run("show", "report", "--json").output)["fields"]) == 70
    assert json.loads(run("show", "code-list", "sex", "--json").output)["codes"][1]["name"] == "男性"


def test_show_suggests_and_exits_1() -> None:
    result = run("show", "exam", "patNmae")
    assert result.exit_code == 1
    assert "patName" in result.stderr
    assert run("show", "exma").exit_code == 1
    assert run("show", "code-list", "sexx").exit_code == 1


def test_show_code_list_without_name_is_wrong_use() -> None:
    result = run("show", "code-list")
    assert result.exit_code == 2
    assert "technique_code" in result.stderr


def test_list() -> None:
    assert "shanxi/v2_1" in run("list").output
    assert json.loads(run("list", "--json").output)[0]["id"] == "shanxi/v2_1"


def test_diff(folder: Folder) -> None:
    assert run("diff", "shanxi/v2_1", folder.path).exit_code == 0
    folder.set("fields/exam.csv", ("name", "patAge"), required="yes")
    result = run("diff", "shanxi/v2_1", folder.path)
    assert result.exit_code == 1
    assert "exam.patAge" in result.output
    assert json.loads(run("diff", "shanxi/v2_1", folder.path, "--json").output)[0]["attribute"] == "required"


def test_schema_and_openapi() -> None:
    assert json.loads(run("schema", "Exam").output)["$defs"]["settlement"]
    assert run("schema", "exma").exit_code == 1
    assert json.loads(run("openapi").output)["openapi"] == "3.1.0"


def test_docs(tmp_path) -> None:
    assert run("docs", tmp_path / "standard").exit_code == 0
    assert (tmp_path / "standard" / "exam.md").read_text("utf-8").count("\n") > 113
