"""Where master keys come from, and how a running program hears of new ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from yingqiao.app.folder import DataFolder, StartError, write_secret
from yingqiao.app.keyring import KeyRing, KeyRingError
from yingqiao.app.keys import key_place, master_key
from yingqiao.gm.keystore import KeystoreError, MasterKey, key_id
from yingqiao.settings import Settings

A, B, C = (bytes([value]) * 32 for value in (1, 2, 3))


def test_a_ring_is_read_and_written():
    ring = KeyRing.parse(f"# 主密钥\n{A.hex()}\n\n{B.hex()} old\n{C.hex()} next\n")
    assert ring.raw == (A, B, C)
    assert ring.next is not None
    assert ring.next.raw == C
    assert KeyRing.parse(ring.text()) == ring
    assert KeyRing.parse(f"{A.hex()},{B.hex()}").keys[1].word == "old"
    turned = ring.turned(C)
    assert turned.raw == (C, A, B)
    assert [key.word for key in turned.keys] == ["", "old", "old"]
    assert turned.without({key_id(A).hex(), key_id(C).hex()}).raw == (C, B)
    assert A.hex() not in repr(ring)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing",
        "zz",
        A.hex()[:-1],
        A.hex() * 2,
        f"{A.hex()} old",
        f"{A.hex()}\n{A.hex()}",
        f"{A.hex()} new",
        "\n".join(bytes([n] * 32).hex() for n in range(20)),
    ],
)
def test_what_is_no_ring_is_refused(text: str):
    with pytest.raises(KeyRingError) as refused:
        KeyRing.parse(text)
    assert A.hex()[:16] not in str(refused.value)


def test_the_first_key_is_made_and_a_changed_file_is_followed(tmp_path: Path):
    folder, settings = DataFolder(tmp_path), Settings(data=str(tmp_path))
    master = master_key(settings, folder)
    sealed = master.seal(b"secret", "c")
    (first,) = key_place(settings, folder).ring().raw
    write_secret(folder.master_key, f"{B.hex()}\n{first.hex()} old")
    assert master.unseal(MasterKey(B).seal(b"new", "c"), "c") == b"new", (
        "an unknown key is looked for at once"
    )
    assert master.unseal(sealed, "c") == b"secret"
    assert master.key_id == key_id(B)
    write_secret(folder.master_key, f"{C.hex()}\n{B.hex()} old\n{first.hex()} old")
    assert master.is_current(MasterKey(C).seal(b"", "c")) is False
    assert MasterKey(C).unseal(master.seal(b"x", "c"), "c") == b"x", "before something is sealed, too"


def test_a_file_gone_or_spoilt_while_running_changes_nothing(tmp_path: Path):
    folder, settings = DataFolder(tmp_path), Settings(data=str(tmp_path))
    master = master_key(settings, folder)
    sealed = master.seal(b"secret", "c")
    folder.master_key.write_text("spoilt")
    assert master.unseal(master.seal(b"again", "c"), "c") == b"again"
    with pytest.raises(KeystoreError, match="没有它"):
        master.unseal(MasterKey(A).seal(b"", "c"), "c")
    assert master.unseal(sealed, "c") == b"secret"
    with pytest.raises(StartError):
        master_key(settings, folder)


def test_a_command_gives_several_keys_and_is_asked_again(tmp_path: Path):
    held = tmp_path / "kms"
    held.write_text(f"{A.hex()}\n")
    settings = Settings(data=str(tmp_path), master_key_command=f"cat {held}")
    master = master_key(settings, DataFolder(tmp_path))
    held.write_text(f"{B.hex()}\n{A.hex()}\n")
    assert master.unseal(MasterKey(B).seal(b"new", "c"), "c") == b"new"
    assert master.key_id == key_id(B)
    assert not (tmp_path / "master.key").exists()
    with pytest.raises(StartError, match="master_key_command"):
        master_key(Settings(master_key_command="false"), DataFolder(tmp_path))


def test_keys_of_the_environment_are_separated_by_commas(tmp_path: Path):
    settings = Settings(master_key=f"{A.hex()},{B.hex()}", data=str(tmp_path))
    master = master_key(settings, DataFolder(tmp_path))
    assert master.key_ids == (key_id(A), key_id(B))
    with pytest.raises(KeystoreError):
        master.unseal(MasterKey(C).seal(b"", "c"), "c")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path):
    settings = Settings(master_key_file=str(tmp_path / "nowhere"))
    with pytest.raises(StartError, match="nowhere"):
        master_key(settings, DataFolder(tmp_path))
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(StartError, match="不是文本"):
        master_key(Settings(master_key_file=str(tmp_path / "binary")), DataFolder(tmp_path))
