"""Parts of files survive restarts and are not trusted beyond what was flushed after a power cut."""

import fcntl
import os

import pytest

from yingqiao.client.fetch import spool
from yingqiao.client.fetch.spool import Part, Validators, sweep
from yingqiao.exchange.fetch import FetchError
from yingqiao.exchange.work import ErrorClass

KNOWN = Validators('"e"', "", 100_000_000)


def taken_up(folder) -> Part:
    part = Part(folder, "x")
    part.take_up()
    return part


def test_a_part_is_taken_up(tmp_path):
    part = Part(tmp_path, "x")
    part.restart(KNOWN)
    part.write(b"abc")
    part.write(b"def")
    part.close()
    again = taken_up(tmp_path)
    assert (again.size, again.validators) == (6, KNOWN)
    again.write(b"g")
    assert again.path.read_bytes() == b"abcdefg"
    again.discard()
    again.discard()
    assert list(tmp_path.iterdir()) == []


def test_after_another_boot_only_what_was_flushed_counts(tmp_path, monkeypatch):
    part = Part(tmp_path, "x")
    part.restart(KNOWN)
    monkeypatch.setattr(spool, "FLUSH_BYTES", 10)
    part.write(b"0123456789")
    part.write(b"abc")
    part.close()
    monkeypatch.setattr(spool, "boot_id", lambda: "another")
    again = taken_up(tmp_path)
    assert again.size == 10
    again.close()


@pytest.mark.parametrize(
    "note", [b"", b"{", b'{"validators":{},"boot":""}', b'{"validators":{"etag":"e","total":3},"boot":""}']
)
def test_a_note_that_makes_no_sense_means_from_the_start(tmp_path, note):
    part = Part(tmp_path, "x")
    part.restart(KNOWN)
    part.write(b"abcdef")
    part.close()
    (tmp_path / "x.json").write_bytes(note)
    assert taken_up(tmp_path).size == 0


def test_a_whole_part_asks_for_its_last_byte_again(tmp_path):
    part = Part(tmp_path, "x")
    part.restart(Validators('"e"', "", 6))
    part.write(b"abcdef")
    part.close()
    again = taken_up(tmp_path)
    assert again.size == 5
    again.discard()


def test_what_cannot_be_continued_does_not_stay(tmp_path):
    part = Part(tmp_path, "x")
    part.restart(Validators(total=10))
    part.write(b"abc")
    part.close()
    assert list(tmp_path.iterdir()) == []


def test_a_part_has_one_writer(tmp_path):
    part = Part(tmp_path, "x")
    with pytest.raises(FetchError):
        Part(tmp_path, "x")
    part.discard()
    Part(tmp_path, "x").discard()


def test_old_parts_are_swept_those_in_use_and_young_ones_stay(tmp_path):
    for name in ("old", "young", "used"):
        part = Part(tmp_path, name)
        part.restart(KNOWN)
        part.write(b"abc")
        if name == "used":
            used = part
        else:
            part.close()
    for path in tmp_path.iterdir():
        if not path.name.startswith("young"):
            os.utime(path, (1, 1))
    assert sweep(tmp_path, 3600) == 1
    assert {path.stem for path in tmp_path.iterdir()} == {"young", "used"}
    used.discard()
    assert sweep(tmp_path / "none", 0) == 0


def test_a_part_swept_between_opening_and_locking_is_not_written_to(tmp_path, monkeypatch):
    lock = fcntl.flock

    def late(fd: int, how: int) -> None:
        (tmp_path / "x.part").unlink()
        lock(fd, how)

    monkeypatch.setattr(fcntl, "flock", late)
    with pytest.raises(FetchError) as raised:
        Part(tmp_path, "x")
    assert raised.value.error_class is ErrorClass.PASSING
    assert list(tmp_path.iterdir()) == []
