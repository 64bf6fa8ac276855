"""OpenSSL's command line judges us and we judge it: signatures with the id, keys, encryption (`pkeyutl`)."""

import subprocess
from pathlib import Path

import pytest

from yingqiao.gm import sm2, sm3

MESSAGE = "影像检查报告".encode() * 50
ID = sm2.DEFAULT_ID.decode()
pytestmark = pytest.mark.peer


def openssl(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["openssl", *arguments], cwd=cwd, capture_output=True, text=True, check=False)


def pkeyutl(folder: Path, *arguments: str, user_id: str = ID) -> subprocess.CompletedProcess[str]:
    with_id = ["-rawin", "-digest", "sm3", "-pkeyopt", f"distid:{user_id}"]
    return openssl("pkeyutl", *arguments, *with_id, "-in", "message", cwd=folder)


@pytest.fixture
def ours(tmp_path: Path) -> sm2.PrivateKey:
    private = sm2.generate()
    (tmp_path / "message").write_bytes(MESSAGE)
    (tmp_path / "key.der").write_bytes(private.to_pkcs8())
    (tmp_path / "public.der").write_bytes(private.public().spki)
    return private


@pytest.fixture
def theirs(tmp_path: Path) -> sm2.PrivateKey:
    (tmp_path / "message").write_bytes(MESSAGE)
    genpkey = ("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:sm2")
    done = openssl(*genpkey, "-outform", "DER", "-out", "key.der", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    openssl(
        "pkey",
        "-inform",
        "DER",
        "-in",
        "key.der",
        "-pubout",
        "-outform",
        "DER",
        "-out",
        "public.der",
        cwd=tmp_path,
    )
    return sm2.PrivateKey.from_pkcs8((tmp_path / "key.der").read_bytes())


def test_openssl_verifies_what_we_sign(ours, tmp_path):
    (tmp_path / "signature").write_bytes(sm2.sign(ours, MESSAGE))
    verify = ("-verify", "-pubin", "-inkey", "public.der", "-keyform", "DER", "-sigfile", "signature")
    assert pkeyutl(tmp_path, *verify).returncode == 0
    assert pkeyutl(tmp_path, *verify, user_id="another").returncode != 0
    (tmp_path / "message").write_bytes(MESSAGE + b"x")
    assert pkeyutl(tmp_path, *verify).returncode != 0


def test_we_verify_what_openssl_signs(theirs, tmp_path):
    sign = ("-sign", "-inkey", "key.der", "-keyform", "DER", "-out", "signature")
    public = sm2.PublicKey.from_spki((tmp_path / "public.der").read_bytes())
    assert public == theirs.public()
    done = pkeyutl(tmp_path, *sign)
    assert done.returncode == 0, done.stderr
    signature = (tmp_path / "signature").read_bytes()
    assert sm2.verify(public, MESSAGE, signature)
    assert not sm2.verify(public, MESSAGE, signature, user_id=b"")


def test_openssl_without_an_id_is_recognised_only_when_named(theirs, tmp_path):
    """GM/T 0009 wants 1234567812345678; OpenSSL's default is the empty id."""
    arguments = (
        "-sign",
        "-inkey",
        "key.der",
        "-keyform",
        "DER",
        "-rawin",
        "-digest",
        "sm3",
        "-in",
        "message",
    )
    done = openssl("pkeyutl", *arguments, "-out", "signature", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    public, signature = theirs.public(), (tmp_path / "signature").read_bytes()
    assert not sm2.verify(public, MESSAGE, signature)
    found = sm2.recognise(public, MESSAGE, signature, pre_images=tuple(sm2.PreImage))
    assert found == sm2.Convention(sm2.PreImage.EMPTY_ID, sm2.Form.DER)


def test_openssl_reads_our_keys(ours, tmp_path):
    done = openssl("pkey", "-inform", "DER", "-in", "key.der", "-check", "-noout", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "valid" in done.stdout.lower() + done.stderr.lower()
    done = openssl(
        "pkey", "-pubin", "-inform", "DER", "-in", "public.der", "-pubcheck", "-noout", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr


def test_openssl_decrypts_what_we_encrypt_and_back(ours, tmp_path):
    (tmp_path / "plain").write_bytes(b"0123456789abcdef")
    (tmp_path / "cipher").write_bytes(sm2.encrypt(ours.public(), b"0123456789abcdef"))
    key = ("-inkey", "key.der", "-keyform", "DER")
    done = openssl("pkeyutl", "-decrypt", *key, "-in", "cipher", "-out", "opened", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "opened").read_bytes() == b"0123456789abcdef"
    public = ("-pubin", "-inkey", "public.der", "-keyform", "DER")
    done = openssl("pkeyutl", "-encrypt", *public, "-in", "plain", "-out", "theirs", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert sm2.decrypt(ours, (tmp_path / "theirs").read_bytes()) == b"0123456789abcdef"


def test_openssl_hashes_as_we_do(ours, tmp_path):
    done = openssl("dgst", "-sm3", "-r", "message", cwd=tmp_path)
    assert done.stdout.split()[0] == sm3.digest(MESSAGE).hex()
