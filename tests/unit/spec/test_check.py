"""Each check of `spec check` finds what it is there for: a copy of the folder is broken in one place."""

from collections.abc import Callable

import pytest

from tests.unit.spec.folder import Folder, Row
from yingqiao.spec import SpecError, load_edition
from yingqiao.spec.check import CHECKS, check

Break = Callable[[Folder], None]
EXAM, REPORT = "fields/exam.csv", "fields/report.csv"


def field(table: str, name: str, /, **cells: str) -> Break:
    return lambda folder: folder.set(f"fields/{table}.csv", ("name", name), **cells)


def code(codes: str, value: str, /, **cells: str) -> Break:
    return lambda folder: folder.set(f"dictionaries/{codes}.csv", ("code", value), **cells)


def replace(name: str, old: str, new: str) -> Break:
    return lambda folder: folder.replace(name, old, new)


def condition(name: str, /, **cells: str) -> Break:
    return lambda folder: folder.set("conditions.csv", ("field", name), **cells)


def swap(name: str, first: int, second: int) -> Break:
    def exchange(rows: list[Row]) -> None:
        rows[first], rows[second] = rows[second], rows[first]

    return lambda folder: folder.edit(name, exchange)


def drop(name: str, at: int) -> Break:
    return lambda folder: folder.edit(name, lambda rows: rows.pop(at) and None)


def double(name: str) -> Break:
    return lambda folder: folder.edit(name, lambda rows: rows.append(rows[0]))


def write(name: str, data: bytes) -> Break:
    return lambda folder: (folder.path / name).write_bytes(data) and None


def _bom(folder: Folder) -> None:
    file = folder.path / "conditions.csv"
    file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n", 1))


BROKEN: dict[str, tuple[Break, str]] = {
    "a name twice, case and underscore aside (T63)": (
        field("report", "patId", name="access_no"),
        "field-names: ",
    ),
    "a hole in the sequence (A-01)": (field("exam", "sex", seq="62"), "field-names: fields/exam.csv"),
    "an unknown type": (field("exam", "sex", type="char"), "field-words: exam.sex"),
    "an unknown format": (field("exam", "patBirthday", format="day"), "field-words: exam.patBirthday"),
    "a list without separator": (field("exam", "bodyCode", separator=""), "field-words: exam.bodyCode"),
    "a separator without list": (field("exam", "sex", separator=","), "field-words: exam.sex"),
    "an unknown separator": (field("exam", "bodyCode", separator="#"), "field-words: 未知的分隔符"),
    "a pattern format without pattern": (
        field("exam", "examItemCode", pattern=""),
        "field-words: 需要 pattern",
    ),
    "an unknown code list": (field("exam", "sex", code_list="gender"), "field-references: exam.sex"),
    "items of no table": (
        field("exam", "setInfoList", items="settlements"),
        "field-references: exam.setInfoList",
    ),
    "items of no group": (
        field("reconciliation", "examInfo", items="#request.x"),
        "field-references: reconciliation.examInfo",
    ),
    "items missing": (field("exam", "setInfoList", items=""), "field-references: exam.setInfoList"),
    "an array format on a string": (
        field("exam", "setInfoList", type="string"),
        "field-references: 与类型 string 不符",
    ),
    "a length of nothing": (field("exam", "patName", max_length="0"), "field-lengths: exam.patName"),
    "a length on a date": (
        field("images_list", "STUDYDATE", max_length="8"),
        "field-lengths: images_list.STUDYDATE",
    ),
    "a length too short for the codes": (
        field("exam", "maritalStatus", max_length="1"),
        "field-lengths: exam.mar",
    ),
    "a loose length on no field": (
        replace("manifest.toml", '"mtuRecMark"', '"mtuMark"'),
        "field-lengths: exam.mtuMark",
    ),
    "a broken pattern": (field("exam", "examItemCode", pattern="(DR"), "field-patterns: exam.examItemCode"),
    "a broken code pattern": (
        replace("dictionaries.csv", "[0129]", "[0129"),
        "field-patterns: dictionaries.csv sex",
    ),
    "an alias to no field (T25)": (
        replace("manifest.toml", '"reportPdfBase64"', '"pdf"'),
        "aliases: report.pdfB",
    ),
    "an alias that is a field": (
        replace("manifest.toml", "pdfBase64 =", "pdf_path ="),
        "aliases: report.pdf_path",
    ),
    "112 exam fields (五(一))": (drop(EXAM, 112), "counts: 标准为 113，实有 112"),
    "a field in another group": (field("report", "xno", group="医院信息"), "counts: fields/report.csv"),
    "a required flag flipped": (field("exam", "sex", required="if_known"), "counts: fields/exam.csv"),
    "a table the manifest does not know": (write("fields/x.csv", b"seq\n"), "counts: fields/x.csv"),
    "a condition on no field": (
        condition("checkDate", field="checkDay"),
        "conditions: conditions.csv report.checkDay",
    ),
    "a condition of no rule": (condition("ageUnit", when="given:patAge"), "conditions: 未知的规则 'given'"),
    "a condition reading no field": (
        condition("ageUnit", when="present:age"),
        "conditions: 参数 age 不是表中的字段",
    ),
    "a condition without its parameter": (condition("ageUnit", when="present"), "conditions: 的参数"),
    "a condition on no code (T27)": (condition("outPatientId", when="source:1,7"), "conditions: 参数 7 不是"),
    "a rule in a table without its fields": (
        condition("ageUnit", when="last-audit"),
        "conditions: isLastAudit 不在表中",
    ),
    "a condition without words": (condition("ageUnit", text=""), "conditions: 缺少中文说明"),
    "an unknown basis": (condition("ageUnit", basis="guessed"), "conditions: 未知的 basis"),
    "a conditional field without condition": (
        field("report", "remark", required="conditional"),
        "conditions: report.remark",
    ),
    "an inferred condition lost": (drop("conditions.csv", -1), "condition-counts: conditions.csv"),
    "a condition whose printed flag is lost": (
        condition("ageUnit", printed_required=""),
        "conditions: printed_required 应为是或否",
    ),
    "a message without words": (
        replace("messages.csv", "上传成功,success", ",success"),
        "messages: 没有文字",
    ),
    "a message lost": (drop("messages.csv", 0), "messages: 缺少这条消息"),
    "a message nobody uses": (
        replace("messages.csv", "not-object,", "no-object,"),
        "messages: 程序不用这条消息",
    ),
    "a message twice": (replace("messages.csv", "not-object,", "not-json,"), "messages: 出现 2 次"),
    "a place nobody fills": (
        replace("messages.csv", "{seconds} 秒后重试", "{minutes} 分后重试"),
        "messages: ",
    ),
    "a place left open": (
        replace("messages.csv", "{value}，请使用", "{value，请使用"),
        "messages: 占位符写法不对",
    ),
    "a category unknown": (
        replace("messages.csv", "上传成功,success", "上传成功,good"),
        "messages: 未知的类别",
    ),
    "an interface of no table": (
        replace("interfaces.toml", 'request = "exam"', 'request = "exams"'),
        "interfaces: 没有表 exams",
    ),
    "an interface served by nobody": (
        replace("interfaces.toml", '"gateway"', '"front"'),
        "interfaces: 未知的 served_by",
    ),
    "an unknown method": (replace("interfaces.toml", '"DICOM"', '"DIMSE"'), "interfaces: 未知的方法"),
    "an unknown envelope": (replace("interfaces.toml", '"main"', '"outer"'), "interfaces: 未知的 envelope"),
    "a path twice (T14)": (
        replace("interfaces.toml", '"/report-sync"', '"/exam-sync"'),
        "interfaces: 路径出现 2 次",
    ),
    "a path without slash": (
        replace("interfaces.toml", '"/images/list"', '"images/list"'),
        "interfaces: 应以 / 开头",
    ),
    "a clause missing": (replace("interfaces.toml", '"四(二)5"', '""'), "interfaces: 缺少条款"),
    "a key of no field (T26)": (
        replace("interfaces.toml", '"patient.risStudyId"', '"patient.id"'),
        "interfaces: 键 patient.id",
    ),
    "a name twice": (code("sex", "2", name="男性"), "code-lists: 代码表 sex"),
    "an unknown status": (code("sex", "2", status="fine"), "code-lists: 未知的状态"),
    "an unknown match": (replace("dictionaries.csv", "prefix", "head"), "code-lists: 未知的 match"),
    "a printed code lost": (code("sex", "2", printed_code=""), "code-lists: 代码、印刷代码或印刷名称为空"),
    "14 dictionaries (六)": (drop("dictionaries.csv", 0), "code-lists: 标准有 15 张字典，实有 14"),
    "an unlisted dictionary": (write("dictionaries/x.csv", b"code\n"), "code-lists: dictionaries/x.csv"),
    "an inline list without title": (drop("enum_lists.csv", 0), "code-lists: enum_lists.csv 中没有 age_unit"),
    "an index row twice": (double("enum_lists.csv"), "code-lists: age_unit 出现 2 次"),
    "a list without title": (replace("enum_lists.csv", "年龄单位", ""), "code-lists: 没有名称"),
    "a pattern nobody reads": (field("exam", "patName", pattern=".+"), "field-words: pattern 只用于"),
    "a composed list that is not there": (
        replace("manifest.toml", "mutual_recognition = [", "mutual = ["),
        "code-composition: 没有这张表",
    ),
    "codes of a list that is not there": (
        field("exam", "patientFrom", code_list="sources"),
        "conditions: 参数 1 不是 patientFrom 的代码",
    ),
    "an item number that is none": (
        code("mutual_recognition", "DR010022506", item_no="x"),
        "code-composition: 组内序号应为 002",
    ),
    "a code of another shape (B-30)": (
        code("technique_code", "BP0PZZZZ7", code="BP0PZZZ7"),
        "code-patterns: 代码不符合",
    ),
    "an unverified code that fits": (
        code("technique_code", "BD0", code="BD0ZZZZZZ"),
        "code-patterns: 未核实的代码却符合写法",
    ),
    "a correction not marked (B-02)": (
        code("ethnic", "25", status="ok"),
        "code-repairs: 状态 corrected 与印刷代码不一致",
    ),
    "a correction without reason": (code("ethnic", "25", note=""), "code-repairs: 没有说明"),
    "a proposal that is taken": (
        code("technique_code", "BT05ZZZZ", proposed_code="B020ZYZZZ"),
        "code-repairs: 已被占用",
    ),
    "another count of doubts (D)": (
        code("technique_code", "BR0HZZZZ2", status="ok"),
        "code-counts: suspect：应为 6，实有 5",
    ),
    "a status for no list": (
        replace("manifest.toml", "status.technique_code", "status.techniques"),
        "code-counts: 没有这张表",
    ),
    "a code not made of its columns (六(十五))": (
        code("mutual_recognition", "DR010022506", modality="CT"),
        "code-composition: 代码表 mutual_recognition DR010022506",
    ),
    "items out of order": (
        swap("dictionaries/mutual_recognition.csv", 1, 2),
        "code-composition: 组内序号应为 002",
    ),
    "two regions in a group (B-12)": (
        code("mutual_recognition", "DR040242506", region="肩部"),
        "code-composition: 两个部位名称",
    ),
    "an inline list nobody uses": (field("exam", "ageUnit", code_list=""), "code-use: 代码表 age_unit"),
    "a trap without README row": (field("exam", "patName", traps="T999"), "traps: README.md 没有 T999"),
    "a trap whose row is silent": (field("exam", "patName", traps="T20"), "traps: 没有列出这个字段"),
    "a row whose field is silent": (field("exam", "ethnic", traps=""), "traps: README.md T36"),
    "a condition's trap without row": (condition("ageUnit", traps="T998"), "traps: README.md 没有 T998"),
    "an example that is no JSON (C-08)": (write("examples/exam_sync_data.json", b"{"), "examples: 不可读"),
    "an example with unknown members": (
        write("examples/exam_sync_data.json", b'{"nobody": 1}'),
        "examples: nobody 不是表 exam 的字段",
    ),
    "a nested example with unknown members": (
        write("examples/exam_merge_report_sync_data.json", b'{"report": {"nobody": 1}}'),
        "examples: nobody 不是表 report 的字段",
    ),
    "an example that is no object": (write("examples/exam_sync_data.json", b"[1]"), "examples: 内容应为对象"),
    "an example not listed": (write("examples/x.json", b"{}"), "examples: examples/x.json"),
    "an example of no interface": (
        replace("examples/INDEX.csv", ",exam-get,", ",exams-get,"),
        "examples: 没有接口 exams-get",
    ),
    "an example of no table": (
        replace("examples/INDEX.csv", ",exam_get,", ",exams_get,"),
        "examples: 没有表 exams_get",
    ),
    "CR at a line's end": (_bom, "text: conditions.csv"),
    "a padded cell": (field("exam", "patName", label=" 姓名"), "text: 单元格有首尾空白"),
    "a file that is not UTF-8": (write("examples/NOTES.txt", b"\xff"), "text: 不是 UTF-8"),
    "a short row": (
        replace("examples/INDEX.csv", "response,要求不返回", "response,x,要求不返回"),
        "text: 格，表头有",
    ),
}


def test_the_shipped_edition_is_whole() -> None:
    assert check(load_edition()) == []


@pytest.mark.parametrize("name", BROKEN)
def test_finds(folder: Folder, name: str) -> None:
    breaking, expected = BROKEN[name]
    breaking(folder)
    problems = folder.problems()
    check_name, _, text = expected.partition(": ")
    assert any(p.startswith(f"{check_name}: ") and text in p for p in problems), problems


def test_every_check_is_proved() -> None:
    assert {expected.partition(": ")[0] for _, expected in BROKEN.values()} == {one.name for one in CHECKS}


@pytest.mark.parametrize(
    "breaking",
    [
        field("exam", "sex", required="是"),
        code("sex", "2", code="1"),
        drop("dictionaries/sex.csv", 0),
        double("dictionaries/sex.csv"),
        replace("enum_lists.csv", "false", "no"),
        replace("manifest.toml", 'id = "shanxi/v2_1"', ""),
        lambda folder: (folder.path / "interfaces.toml").unlink(),
    ],
    ids=[
        "required in Chinese",
        "a code twice",
        "a code lost",
        "a row twice",
        "neither open nor closed",
        "no id",
        "no interfaces",
    ],
)
def test_a_folder_that_is_no_edition_is_refused(folder: Folder, breaking: Break) -> None:
    breaking(folder)
    with pytest.raises(SpecError):
        folder.problems()
