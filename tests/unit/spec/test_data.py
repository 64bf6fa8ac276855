"""The transcription itself, where a slip would hurt: numbers and values the standard prints."""

import base64
import csv
import hashlib
import hmac
import io
import json
import subprocess
import sys

from yingqiao.spec import Edition, Required

TABLES = {"exam": 113, "report": 70, "settlement": 4, "images_list": 11}
LISTS = {
    "sex": 4, "patient_type": 4, "marital_status": 8, "occupation": 13, "card_type": 10, "id_type": 13,
    "administrative_division": 34, "ethnic": 56, "payment_source": 10, "exam_status": 5, "report_status": 7,
    "imaging_type": 6, "technique_code": 481, "hospital_level": 14, "mutual_recognition": 320,
}  # fmt: skip


def test_tables_have_the_rows_of_chapter_5(edition: Edition) -> None:
    """五(一), 五(二), SetInfoDTO, 四(二)2(3)."""
    assert {name: len(edition.tables[name].fields) for name in TABLES} == TABLES


def test_code_lists_of_chapter_6(edition: Edition) -> None:
    assert {c.id: len(c.codes) for c in edition.code_lists.values() if not c.inline} == LISTS


def test_ethnic_codes_are_gb_t_3304(edition: Edition) -> None:
    """B-02, B-03, T36: 01 to 56 without a hole; what was printed is kept."""
    codes = edition.code_lists["ethnic"].codes
    assert sorted(codes) == [f"{n:02}" for n in range(1, 57)]
    assert (codes["25"].name, codes["25"].printed_code) == ("水族", "5")


def test_names_are_sent_exactly_as_printed(edition: Edition) -> None:
    """T62, T63."""
    names = {f.name for table in ("exam", "report") for f in edition.tables[table].fields}
    odd = {
        "registeredDetailAdr",
        "iptptCode",
        "algs",
        "xno",
        "instra",
        "ACCESS_NO",
        "pdf_path",
        "Timestampvalue",
    }
    assert odd <= names


def test_remarks_of_96_to_102_are_put_back(edition: Edition) -> None:
    """A-02."""
    exam = edition.tables["exam"]
    assert exam.field("examDoctorName").note == "操作人姓名 检查医生姓名，需符合国家医保局贯标规范"
    assert exam.field("examStatus").code_list == "exam_status"


def test_printed_conditions(edition: Edition) -> None:
    """T24, T27, T29."""
    report, exam = edition.tables["report"], edition.tables["exam"]
    conditional = {f.name for t in (exam, report) for f in t.fields if f.required is Required.CONDITIONAL}
    assert conditional == {
        "outPatientId", "inPatientId", "examPatientId", "checkDate", "radioDoctorName", "pdf_path",
        "reportPdfBase64",
    }  # fmt: skip


def test_mutual_recognition_numbers(edition: Edition) -> None:
    """六(十五): 120 DR, 120 CT, 80 MR in 26 groups."""
    rows = [c.extra for c in edition.code_lists["mutual_recognition"].codes.values()]
    assert [sum(r["modality"] == m for r in rows) for m in ("DR", "CT", "MR")] == [120, 120, 80]
    assert len({(r["modality"], r["region_code"]) for r in rows}) == 26


def test_known_answers_of_the_envelope_and_the_common_parameters(edition: Edition) -> None:
    """三(一), 四(二)4(4): the rule recomputed over the shipped vectors (T04, T114)."""
    assert edition.folder is not None
    examples = edition.folder.joinpath("examples")
    vectors = json.loads(examples.joinpath("crypto_vectors.json").read_text("utf-8"))
    for v in vectors["envelope_signature"]:
        joined = v["data"] + v["hospitalCode"] + v["timestamp"]
        assert hashlib.sha1(joined.encode()).hexdigest().upper() == v["signature"]
    for v in vectors["coss_signature"]:
        sent = json.loads(examples.joinpath(v["parameters_file"]).read_text("utf-8"))
        text = "&".join(
            f"{k}={sent[k]}" for k in sorted(sent) if k != "signature" and sent[k] not in ("", None)
        )
        digest = hmac.new(v["secret"].encode(), text.encode(), hashlib.sha256).digest()
        assert base64.b64encode(digest).decode() == v["signature"]


def test_nothing_shipped_names_the_scan(edition: Edition) -> None:
    """Line numbers and paths of the working copy mean nothing to a reader."""
    assert edition.folder is not None
    rows = csv.reader(
        io.StringIO(edition.folder.joinpath("dictionaries/technique_code.csv").read_text("utf-8"))
    )
    assert "source_line" not in next(rows)
    assert ", lines " not in edition.folder.joinpath("examples/crypto_vectors.json").read_text("utf-8")


def test_loading_does_not_slow_every_command() -> None:
    """Every command loads the edition. The limit is generous: a busy machine must not fail it."""
    program = (
        "import time; from yingqiao.spec import load_edition; t = time.process_time(); load_edition();"
        "print(time.process_time() - t)"
    )
    times = [float(subprocess.check_output([sys.executable, "-c", program])) for _ in range(3)]
    assert min(times) < 0.12
