"""Settings: defaults < file < environment < flags; mistakes are refused with a hint."""

from __future__ import annotations

from pathlib import Path

import pytest

from yingqiao.settings import MASK, SettingsError, describe, read_settings, show


def test_order_of_precedence(tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text('data = "/file"\n[http]\nlisten = "1.1.1.1:1"\nthreads = 2\nbacklog = 7\n')
    environ = {"YINGQIAO_HTTP_LISTEN": "2.2.2.2:2", "YINGQIAO_HTTP_THREADS": "3"}
    settings = read_settings(config=file, environ=environ, flags={"http.listen": "3.3.3.3:3", "data": None})
    assert (settings.data, settings.http.listen) == ("/file", "3.3.3.3:3")
    assert (settings.http.threads, settings.http.backlog) == (3, 7)
    assert settings.http.max_body_bytes == 64 * 1024**2


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("[http]\nlisen = 'x'", "http.listen"),
        ("dta = 'x'", "data"),
        ("[htp]\nlisten = 'x'", "http.listen"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest(tmp_path: Path, text: str, hint: str) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text(text)
    with pytest.raises(SettingsError, match=hint):
        read_settings(config=file)


@pytest.mark.parametrize("name", ["YINGQIAO_HTTP_LISEN", "YINGQIAO_DATABSE", "YINGQIAO_LOG_COLOUR"])
def test_a_misspelt_variable_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match=name):
        read_settings(environ={name: "x"})


def test_variables_of_others_are_left_alone() -> None:
    assert read_settings(environ={"YINGQIAO_KILLS": "3", "YINGQIAO_CONFIG": "x", "PATH": "/bin"}).data == ""


@pytest.mark.parametrize(
    ("key", "value"),
    [("http.workers", 0), ("http.workers", "many"), ("log.level", "loud"), ("reserve_bytes", -1)],
)
def test_values_out_of_range_are_refused(key: str, value: object) -> None:
    with pytest.raises(SettingsError, match=key):
        read_settings(flags={key: value})


@pytest.mark.parametrize("content", [b"\xff\xfe", b"= 1", b"a = "])
def test_a_broken_file_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "gateway.toml"
    file.write_bytes(content)
    with pytest.raises(SettingsError, match=r"gateway\.toml"):
        read_settings(config=file)
    with pytest.raises(SettingsError, match="读不了"):
        read_settings(config=tmp_path / "none.toml")


def test_secrets_are_masked_and_everything_is_described() -> None:
    settings = read_settings(flags={"database": "postgresql://u:p@h/d", "master_key": "ab" * 32})
    shown = show(settings)
    assert shown["database"] == shown["master_key"] == MASK
    assert set(shown) == {setting.key for setting in describe()}
    assert all(setting.help for setting in describe())


def test_lists_in_the_environment_are_comma_separated() -> None:
    settings = read_settings(environ={"YINGQIAO_HTTP_TRUSTED_PROXIES": "10.0.0.1, 10.0.0.2"})
    assert settings.http.trusted_proxies == ("10.0.0.1", "10.0.0.2")


@pytest.mark.parametrize("key", ["coss.public_url", "signing.public_url"])
def test_an_address_for_phones_is_scheme_and_host(key: str) -> None:
    """Any host, also one with an s in its name; no path, no blank."""
    for url in ("", "https://sign.hospital.example", "http://10.0.0.5:8080/", "https://[2001:db8::1]:8443"):
        read_settings(environ={}, flags={"data": "x", key: url})
    for url in ("sign.example", "https://sign.example/phone", "https://sign example", "ftp://sign.example"):
        with pytest.raises(SettingsError):
            read_settings(environ={}, flags={"data": "x", key: url})
