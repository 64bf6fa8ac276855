"""Coverage-guided fuzzing of SM2's structures: `fuzz_sm2.py [corpus] [-max_total_time=600]`.

Signatures, cipher texts, keys, points, and the messages of two-party signing.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[2]))

if TYPE_CHECKING:
    from yingqiao.gm.errors import GmError
    from yingqiao.gm.sm2 import PrivateKey


@lru_cache
def _key() -> PrivateKey:
    from yingqiao.gm import sm2

    return sm2.PrivateKey.from_scalar((7).to_bytes(32, "big"))


def one_input(data: bytes) -> None:
    """The first byte picks the structure; whatever is refused is refused with a code and a reason."""
    from yingqiao.gm.errors import GmError

    checks = _checks()
    mode, rest = (data[0] % len(checks), data[1:]) if data else (0, b"")
    try:
        checks[mode](rest)
    except GmError as error:
        _said(error, bool)


def _said(error: GmError, may_be: Callable[[str], bool]) -> None:
    assert may_be(error.code)
    assert error.reason


def _checks() -> tuple[Callable[[bytes], None], ...]:
    return (_signature, _cipher, _spki, _pkcs8, _point, _messages, _proof)


def _signature(data: bytes) -> None:
    """A signature that is read is written again as it was, and verifies nothing by chance."""
    from yingqiao.gm import sm2

    forms, pre_images = tuple(sm2.Form), tuple(sm2.PreImage)
    public = _key().public()
    assert sm2.recognise(public, b"fuzz", data, forms=forms, pre_images=pre_images) is None
    assert sm2.raw_to_der(sm2.der_to_raw(data)) == data


def _cipher(data: bytes) -> None:
    from yingqiao.gm import sm2
    from yingqiao.gm.sm2_cipher import Layout
    from yingqiao.gm.sm2_der import decode_cipher, encode_cipher

    for layout in Layout:
        try:
            sm2.decrypt(_key(), data, layout=layout)
        except sm2.Sm2Error as error:
            _said(error, {"cipher-form", "cipher-wrong"}.__contains__)
    assert encode_cipher(decode_cipher(data)) == data


def _spki(data: bytes) -> None:
    from yingqiao.gm import sm2

    public = sm2.PublicKey.from_spki(data)
    assert public.spki == data or len(data) == len(public.spki) + 1  # the curve twice


def _pkcs8(data: bytes) -> None:
    from yingqiao.gm import sm2

    private = sm2.PrivateKey.from_pkcs8(data)
    assert sm2.PrivateKey.from_pkcs8(private.to_pkcs8()).public() == private.public()


def _point(data: bytes) -> None:
    from yingqiao.gm import sm2

    public = sm2.PublicKey.from_point(data)
    assert public.point[-64:] == data[-64:]
    sm2.verify(public, b"m", b"0\6\2\1\1\2\1\1")


def _messages(data: bytes) -> None:
    from yingqiao.gm import cooperative, key_share
    from yingqiao.gm.curve import Scalar
    from yingqiao.gm.errors import GmError

    kinds = (cooperative.SignAnswer, cooperative.SignFinish, key_share.KeyAnswer)
    for kind in kinds:
        try:
            assert kind.from_bytes(data).to_bytes() == data
        except GmError:
            continue
    share = key_share.ServerShare(Scalar.from_bytes((5).to_bytes(32, "big")), bytes(32), _key().public())
    offer = cooperative.SignOffer.from_bytes(data.ljust(133, b"\0")[:133])
    tag = cooperative.sm3.mac(bytes(32), cooperative.tag_text(share.public, "job", offer))
    offer = cooperative.SignOffer(offer.number, offer.point, offer.e, tag)
    state = cooperative.KeyState()
    cooperative.answer(share, state, offer, job="job", used=0, e=offer.e, now=0, lifetime=1)


def _proof(data: bytes) -> None:
    from yingqiao.gm import key_share

    key_share.accept_key(key_share.KeyOffer.from_bytes(data), session="s", user="u")


def corpus() -> Iterator[bytes]:
    """Every structure, well made."""
    from tests.helpers.sm2_reference import Phone
    from yingqiao.gm import sm2
    from yingqiao.gm.sm2_cipher import Layout

    private = _key()
    public = private.public()
    signature = sm2.sign(private, b"another")
    for good in (signature, sm2.der_to_raw(signature)):
        yield b"\0" + good
    for layout in Layout:
        yield b"\1" + sm2.encrypt(public, b"plain", layout=layout)
    yield b"\2" + public.spki
    yield b"\3" + private.to_pkcs8()
    yield b"\4" + public.point
    yield b"\5" + (1).to_bytes(4, "big") + public.point + bytes(64)
    yield b"\6" + Phone(11, user="u").offer_key("s")


if __name__ == "__main__":
    import atheris

    with atheris.instrument_imports(include=["yingqiao"]):
        import yingqiao.gm.cooperative
        import yingqiao.gm.sm2  # noqa: F401
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
