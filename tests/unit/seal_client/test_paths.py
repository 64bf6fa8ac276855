"""saveType=local: only PDFs of the allowed folders, never through a link; saved whole or not at all (四(二)4(6))."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from yingqiao.seal_client import paths
from yingqiao.seal_client.errors import Refused

PDF = b"%PDF-1.7 text"


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    folder = tmp_path / "reports"
    (folder / "三月").mkdir(parents=True)
    (folder / "三月" / "报告.pdf").write_bytes(PDF)
    return folder


def read(reports: Path, text: str | Path) -> bytes:
    return paths.read(paths.place(str(text), [reports]), 1000)


def code(reports: Path, text: str | Path) -> str:
    with pytest.raises(Refused) as refused:
        read(reports, text)
    return refused.value.code


def test_a_report_of_an_allowed_folder(reports: Path):
    assert read(reports, reports / "三月" / "报告.pdf") == PDF
    assert read(reports, f"{reports}/./三月//报告.pdf") == PDF


def test_by_its_text_alone(reports: Path, tmp_path: Path):
    (tmp_path / "secret.pdf").write_bytes(PDF)
    (reports / "a.txt").write_bytes(PDF)
    for text in (
        "",
        "a.pdf",
        "../secret.pdf",
        f"{reports}/../secret.pdf",
        f"{reports}/三月/../../secret.pdf",
        f"{tmp_path}/secret.pdf",
        f"{reports}2/a.pdf",
        f"{reports}/a.txt",
        f"{reports}/.hidden.pdf",
        f"{reports}/a.pdf\0",
        f"{reports}/a\n.pdf",
        "//server/share/a.pdf",
        "\\\\server\\share\\a.pdf",
        "file:///etc/a.pdf",
        f"{reports}/{'a' * 1100}.pdf",
        str(reports),
    ):
        assert code(reports, text) == "path-refused", text


def test_no_way_out_over_a_link(reports: Path, tmp_path: Path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.pdf").write_bytes(PDF)
    (reports / "link.pdf").symlink_to(outside / "secret.pdf")
    (reports / "folder").symlink_to(outside)
    (reports / "inside.pdf").symlink_to(reports / "三月" / "报告.pdf")
    for name in ("link.pdf", "folder/secret.pdf", "inside.pdf"):
        assert code(reports, reports / name) == "path-refused", name
    for name in ("link.pdf", "folder/new.pdf"):
        with pytest.raises(Refused) as refused:
            paths.write(paths.place(str(reports / name), [reports]), b"%PDF-new")
        assert refused.value.code == "path-refused", name
    assert (outside / "secret.pdf").read_bytes() == PDF
    assert not (outside / "new.pdf").exists()


def test_neither_folders_nor_pipes(reports: Path):
    (reports / "folder.pdf").mkdir()
    os.mkfifo(reports / "pipe.pdf")
    assert code(reports, reports / "folder.pdf") == "path-refused"
    assert code(reports, reports / "pipe.pdf") == "path-refused"
    for name in ("folder.pdf", "pipe.pdf"):
        with pytest.raises(Refused):
            paths.write(paths.place(str(reports / name), [reports]), PDF)


def test_what_is_not_there_and_what_is_too_large(reports: Path):
    assert code(reports, reports / "none.pdf") == "no-file"
    (reports / "large.pdf").write_bytes(bytes(1001))
    assert code(reports, reports / "large.pdf") == "too-large"


def test_written_whole_in_place_of_the_old_one(reports: Path):
    old = reports / "三月" / "报告.pdf"
    old.chmod(0o644)
    paths.write(paths.place(str(old), [reports]), b"%PDF-sealed")
    assert old.read_bytes() == b"%PDF-sealed"
    assert old.stat().st_mode & 0o777 == 0o644
    new = reports / "三月" / "新.pdf"
    paths.write(paths.place(str(new), [reports]), PDF)
    assert new.read_bytes() == PDF
    assert sorted(one.name for one in old.parent.iterdir()) == ["报告.pdf", "新.pdf"]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(reports: Path, monkeypatch: pytest.MonkeyPatch):
    old = reports / "三月" / "报告.pdf"

    def full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Refused) as refused:
        paths.write(paths.place(str(old), [reports]), b"%PDF-sealed")
    assert refused.value.code == "disk-full"
    assert old.read_bytes() == PDF
    assert [one.name for one in old.parent.iterdir()] == ["报告.pdf"]


def test_the_folder_of_a_new_file_must_be_there(reports: Path):
    with pytest.raises(Refused) as refused:
        paths.write(paths.place(str(reports / "none" / "a.pdf"), [reports]), PDF)
    assert refused.value.code == "no-file"
