"""seal-client.toml: what is wrong is said with its key."""

from __future__ import annotations

from pathlib import Path

import pytest

from yingqiao.seal_client.config import keys, read_config
from yingqiao.seal_client.errors import ConfigError

LEAST = '[client]\norigins = ["https://pacs.hospital.cn"]\n'


def config(folder: Path, text: str) -> Path:
    path = folder / "seal-client.toml"
    path.write_text(text, "utf-8")
    return path


def test_the_least(tmp_path: Path):
    """Port 21051 (四(二)4(6)); nothing may be opened until it is allowed."""
    loaded = read_config(config(tmp_path, LEAST))
    assert loaded.config.client.port == 21051
    assert loaded.origins == ("https://pacs.hospital.cn",)
    assert loaded.wallets == tmp_path / "wallets"
    assert loaded.open_hosts == loaded.save_hosts == ()
    assert loaded.open_folders == loaded.save_folders == ()


def test_saving_goes_where_opening_may_unless_said_otherwise(tmp_path: Path):
    opened = '[open]\nhosts = ["http://10.1.1.5:8080/reports"]\nfolders = ["/reports/"]\n'
    loaded = read_config(config(tmp_path, LEAST + opened))
    assert [host.display for host in loaded.save_hosts] == ["http://10.1.1.5:8080/reports"]
    assert loaded.save_folders == (Path("/reports"),)
    more = opened + '[save]\nhosts = ["https://pacs.hospital.cn/upload"]\n'
    loaded = read_config(config(tmp_path, LEAST + more))
    assert [host.display for host in loaded.save_hosts] == ["https://pacs.hospital.cn/upload"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "client"),
        ("[client]\n", "client.origins"),
        ('[client]\norigins = ["*"]\n', "origins"),
        (LEAST + "prot = 1\n", "client.port"),
        (LEAST + '[open]\nhosts = ["ftp://a/b"]\n', "open.hosts"),
        (LEAST + '[open]\nhosts = ["http://u:p@a/b"]\n', "open.hosts"),
        (LEAST + '[open]\nfolders = ["reports"]\n', "open.folders"),
        (LEAST + '[open]\nfolders = ["/"]\n', "open.folders"),
        (LEAST + '[open]\nca = "none.pem"\n', "open.ca"),
        (LEAST + '[save]\nmethod = "post"\n', "save.method"),
        (LEAST + "[seal]\npin_tries = 0\n", "seal.pin_tries"),
        (LEAST + '[stamp]\nurl = "https://gw"\n', "stamp.app"),
        (LEAST + '[stamp]\nurl = "https://gw"\napp = "A"\n', "stamp.secret_file"),
        (LEAST + '[stamp]\nsilent = "perhaps"\n', "stamp.silent"),
        (LEAST + '[verify]\nurl = "ftp://gw"\n', "verify.url"),
        ("[client\n", "TOML"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, words: str):
    with pytest.raises(ConfigError, match=words):
        read_config(config(tmp_path, text))


def test_the_gateway_is_asked_for_time_stamps_and_for_trust(tmp_path: Path):
    (tmp_path / "stamp.secret").write_text("geheim\n")
    told = '[stamp]\nurl = "https://gw:8443"\napp = "A1"\n[verify]\nurl = "https://gw:8443"\n'
    loaded = read_config(config(tmp_path, LEAST + told))
    assert loaded.stamp is not None
    assert (loaded.stamp.url, loaded.stamp.app_id, loaded.stamp.secret) == (
        "https://gw:8443",
        "A1",
        b"geheim",
    )
    assert "geheim" not in repr(loaded)
    assert loaded.verifier is not None


def test_every_key_has_words():
    assert all(key.help for key in keys())
    assert len({key.name for key in keys()}) == len(list(keys()))
