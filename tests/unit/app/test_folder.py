"""The data folder: secrets whole and private, one owner, its database remembered."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from yingqiao.app.folder import (
    StartError,
    database_of,
    lock_folder,
    open_folder,
    read_or_make_secret,
    remember_database,
)
from yingqiao.app.keys import master_key
from yingqiao.settings import Settings


def test_a_folder_has_one_gateway(tmp_path: Path) -> None:
    folder = open_folder(Settings(data=str(tmp_path / "d")), create=True)
    held = lock_folder(folder)
    with pytest.raises(StartError, match=str(os.getpid())):
        lock_folder(folder)
    os.close(held)
    os.close(lock_folder(folder))


def test_secrets_are_made_once_and_private(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    assert read_or_make_secret(path, "abc") == ("abc", True)
    assert read_or_make_secret(path, "xyz") == ("abc", False)
    assert path.stat().st_mode & 0o777 == 0o600
    assert [found.name for found in tmp_path.iterdir()] == ["secret"]


def test_the_database_is_remembered(tmp_path: Path) -> None:
    folder = open_folder(Settings(data=str(tmp_path)), create=True)
    assert database_of(Settings(), folder) == str(tmp_path)
    remember_database(Settings(database="postgresql://u:p@h/d"), folder)
    assert database_of(Settings(), folder) == "postgresql://u:p@h/d"
    assert folder.database_url.stat().st_mode & 0o777 == 0o600


def test_a_missing_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="YINGQIAO_DATA"):
        open_folder(Settings())
    with pytest.raises(StartError, match="没有数据目录"):
        open_folder(Settings(data=str(tmp_path / "none")))


@pytest.mark.parametrize("source", ["master_key", "master_key_file", "master_key_command"])
def test_the_master_key_comes_from_where_the_settings_say(tmp_path: Path, source: str) -> None:
    folder = open_folder(Settings(data=str(tmp_path)), create=True)
    text = "ab" * 32
    file = tmp_path / "elsewhere"
    file.write_text(text + "\n")
    values = {"master_key": text, "master_key_file": str(file), "master_key_command": f"cat {file}"}
    here = master_key(Settings(**{source: values[source]}), folder)
    assert here.unseal(master_key(Settings(master_key=text), folder).seal(b"k", "c"), "c") == b"k"
    assert not folder.master_key.exists()


@pytest.mark.parametrize(
    "bad", [{"master_key": "ab"}, {"master_key_file": "/none"}, {"master_key_command": "false"}]
)
def test_a_master_key_that_is_none_is_said(tmp_path: Path, bad: dict[str, str]) -> None:
    folder = open_folder(Settings(data=str(tmp_path)), create=True)
    with pytest.raises(StartError):
        master_key(Settings(**bad), folder)
