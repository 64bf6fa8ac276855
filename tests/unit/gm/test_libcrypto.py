"""The face on libcrypto: which library, what is said without one, threads, errors and memory left behind."""

import gc
import resource
import ssl
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.helpers import sm2_reference as reference
from yingqiao.gm import cooperative, libcrypto, sm2
from yingqiao.gm.cooperative import KeyState, SignOffer
from yingqiao.gm.curve import Point, Scalar
from yingqiao.gm.key_share import ServerShare
from yingqiao.gm.libcrypto import LibcryptoError

MESSAGE = b"message"


def test_it_is_the_library_of_pythons_own_ssl():
    found = libcrypto.libcrypto()
    assert found.number == ssl.OPENSSL_VERSION_NUMBER
    assert found.version == ssl.OPENSSL_VERSION


def test_without_a_library_it_says_what_was_tried():
    with pytest.raises(LibcryptoError) as caught:
        libcrypto.load(iter(["/nowhere/libcrypto.so.3", "libc.so.6"]))
    assert caught.value.code == "libcrypto-missing"
    assert "/nowhere/libcrypto.so.3" in caught.value.reason
    assert "OPENSSL" in caught.value.reason.upper()


@pytest.mark.parametrize(
    ("version", "number", "words"),
    [
        ("OpenSSL 1.1.1w  11 Sep 2023", 0x1010117F, "3.0"),
        ("LibreSSL 3.9.0", 0x20000000, "LibreSSL"),
        (None, None, "SM2"),
    ],
)
def test_an_unsuitable_library_is_not_taken(monkeypatch, version, number, words):
    """Versions before 3.0 and LibreSSL lack the functions; some distributions build OpenSSL without SM2."""
    name = next(libcrypto.candidates())
    made = libcrypto.Libcrypto

    def other(asked: str | None) -> libcrypto.Libcrypto:
        library = made(asked)
        if version is None:
            library.EVP_PKEY_CTX_new_from_name = lambda *_: None
        else:
            library.version, library.number = version, number
        return library

    monkeypatch.setattr(libcrypto, "Libcrypto", other)
    with pytest.raises(LibcryptoError, match=words):
        libcrypto.load(iter([name]))


def test_candidates_are_found_by_name_too():
    names = list(libcrypto.candidates())
    assert names[0] is not None
    assert "_hashlib" in names[0]
    assert any(name and "crypto" in name for name in names)


def test_a_wrong_key_leaves_no_error_for_ssl():
    """libcrypto's errors queue per thread: what a wrong signature leaves must not surface in somebody's TLS."""
    peek = libcrypto.ctypes.CDLL(libcrypto.libcrypto().name).ERR_peek_error
    peek.restype = libcrypto.c_ulong
    private = sm2.generate()
    signature = sm2.sign(private, MESSAGE)
    assert not sm2.verify(sm2.generate().public(), MESSAGE, signature)
    for bad in (bytes(64), b"\x04" + bytes(64)):
        with pytest.raises(sm2.Sm2Error):
            sm2.PublicKey.from_point(bad)
    with pytest.raises(sm2.Sm2Error):
        sm2.decrypt(private, sm2.encrypt(sm2.generate().public(), b"x"))
    assert peek() == 0


def test_a_failing_function_is_an_error():
    with pytest.raises(LibcryptoError) as caught:
        libcrypto.Owned(None, print, "EVP_PKEY_CTX_new")
    assert caught.value.code == "libcrypto-failed"


def test_one_key_serves_many_threads():
    private = sm2.generate()
    public = private.public()

    def work(number: int) -> bool:
        message = b"%d" % number
        signature = sm2.sign(private, message)
        return sm2.verify(public, message, signature) and not sm2.verify(public, message + b"x", signature)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(400)))


def test_the_long_calls_release_the_gil_and_the_short_keep_it():
    """What multiplies points runs without the GIL; giving it away for a short call costs more than the call."""
    python_api, library = 4, libcrypto.libcrypto()  # ctypes' FUNCFLAG_PYTHONAPI: called with the GIL held
    assert not any(getattr(library, name)._flags_ & python_api for name in libcrypto._HEAVY)
    assert all(getattr(library, name)._flags_ & python_api for name in libcrypto._LIGHT)


def resident() -> int:
    """Bytes this process has in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def everything(private: sm2.PrivateKey, share: ServerShare, offer: SignOffer, e: bytes) -> None:
    """Every kind of pointer once: keys, signatures good and bad, ciphers, points, a cooperative answer."""
    fresh = sm2.PublicKey.from_spki(private.public().spki)
    signature = sm2.sign(private, MESSAGE)
    assert sm2.verify(fresh, MESSAGE, signature)
    assert not sm2.verify(fresh, b"other", signature)
    assert private.scalar()
    with pytest.raises(sm2.Sm2Error):
        sm2.PublicKey.from_point(bytes(64))
    cooperative.answer(share, KeyState(), offer, job="job", used=0, e=e, now=0, lifetime=60)


def light(scalar: Scalar, other: Scalar, point: Point) -> None:
    """Eight operations that make and free pointers, without a long multiplication among them."""
    total = scalar + other * scalar
    copied = Scalar.from_bytes(total.to_bytes())
    again = Point.from_bytes((point + -point + point).to_bytes())
    assert not copied.is_zero
    assert not again.is_infinity


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads /proc")
def test_a_hundred_thousand_operations_leave_nothing_behind():
    phone = reference.Phone(7)
    share = ServerShare(Scalar.from_bytes(reference.b32(5)), phone.tag_key, sm2.generate().public())
    phone.public = reference.decode(share.public.point)
    e, private = sm2.digest_for(share.public, MESSAGE), sm2.generate()
    offer = SignOffer.from_bytes(phone.offer_signature("job", 1, e))
    one, two = Scalar.random(), Scalar.random()
    point = Point.base(one)

    def turns(count: int) -> None:
        for _ in range(count):
            everything(private, share, offer, e)
        for _ in range(20 * count):
            light(one, two, point)

    def grown_by() -> int:
        gc.collect()
        before = resident()
        turns(600)  # 600 · 10 with multiplications, 12,000 · 8 without
        gc.collect()
        return resident() - before

    turns(100)
    # what the operations leave behind they leave each time; other threads of the process may grow once
    assert any(grown_by() < 2 << 20 for _ in range(3))
