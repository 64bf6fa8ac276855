"""Objects on local disk."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from yingqiao.store.errors import StoredBodyBroken, StoreUnavailable
from yingqiao.store.objects import LocalObjects


def test_put_and_read(tmp_path: Path) -> None:
    objects = LocalObjects(tmp_path / "objects")
    digest = objects.put("报告".encode())
    assert digest == f"sha256:{hashlib.sha256('报告'.encode()).hexdigest()}"
    assert objects.put_stream([b"\xe6\x8a\xa5", b"", b"\xe5\x91\x8a"]) == digest
    assert objects.put("报告".encode()) == digest
    with objects.open(digest) as stream:
        assert stream.read() == "报告".encode()
    assert objects.exists(digest)
    objects.verify(digest)
    assert not list((tmp_path / "objects" / "incoming").iterdir())


@pytest.mark.parametrize(
    "digest",
    [
        "",
        "sha256:",
        "../../etc/passwd",
        "sha256:" + "../" * 21 + "a",
        "sha256:" + "A" * 64,
        "sha256:" + "a" * 63,
        "sha256:" + "a" * 64 + "\n",
        "sha256:" + "０" * 64,
        "md5:" + "a" * 64,
    ],
)
def test_hostile_digests_are_refused(tmp_path: Path, digest: str) -> None:
    objects = LocalObjects(tmp_path)
    for act in (objects.open, objects.exists, objects.verify):
        with pytest.raises(ValueError, match="digest"):
            act(digest)


def test_what_is_not_there(tmp_path: Path) -> None:
    objects = LocalObjects(tmp_path)
    missing = "sha256:" + "a" * 64
    assert not objects.exists(missing)
    with pytest.raises(FileNotFoundError):
        objects.open(missing)


def test_damage_is_found(tmp_path: Path) -> None:
    objects = LocalObjects(tmp_path)
    digest = objects.put(b"content")
    path = tmp_path / digest[7:9] / digest[9:]
    path.chmod(0o600)
    path.write_bytes(b"contend")
    with pytest.raises(StoredBodyBroken):
        objects.verify(digest)


def test_the_same_from_many_threads(tmp_path: Path) -> None:
    objects = LocalObjects(tmp_path)
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(objects.put(bytes(100_000)))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    assert len(found) == 8


def test_temporary_files_of_the_dead_go_after_a_day(tmp_path: Path) -> None:
    LocalObjects(tmp_path)
    old, new = tmp_path / "incoming" / "old", tmp_path / "incoming" / "new"
    old.touch()
    new.touch()
    os.utime(old, (0, 0))
    LocalObjects(tmp_path)
    assert not old.exists()
    assert new.exists()


def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnavailable):
        LocalObjects(tmp_path / "file" / "objects")


def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    """RLIMIT_FSIZE stands for the full disk; in a process of its own."""
    code = f"""
import pathlib, signal, resource
from yingqiao.store.errors import StoreFull
from yingqiao.store.objects import LocalObjects
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
objects = LocalObjects(pathlib.Path({str(tmp_path)!r}))
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
try:
    objects.put(bytes(100_000))
except StoreFull:
    print("full")
print(objects.put(bytes(40_000)))
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    full, digest = ran.stdout.split()
    assert full == "full"
    LocalObjects(tmp_path).verify(digest)
    assert not list((tmp_path / "incoming").iterdir())
