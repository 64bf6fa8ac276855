"""SM3 against GB/T 32905's own examples, and both implementations against each other."""

import hmac
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yingqiao.gm import sm3

VECTORS = [
    (b"abc", "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"),
    (b"abcd" * 16, "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732"),
    (b"", "1ab21d8355cfa17f8e61194831e81a8f22bec8c728fefb747ed035eb5082aa2b"),
]


@pytest.mark.parametrize(("message", "digest"), VECTORS)
@pytest.mark.parametrize("new", [sm3.new, sm3.FallbackHash])
def test_the_standards_examples(new, message, digest):
    assert new(message).hexdigest() == digest
    assert new(message).digest() == bytes.fromhex(digest) == sm3.digest(message)


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=4))
def test_pieces_hash_as_the_whole(message, cuts):
    bounds = sorted({0, len(message), *(min(cut, len(message)) for cut in cuts)})
    running, fallback = sm3.new(), sm3.FallbackHash()
    for start, end in pairwise(bounds):
        running.update(memoryview(message)[start:end])
        fallback.update(message[start:end])
    assert running.digest() == fallback.digest() == sm3.digest(message)
    assert running.copy().digest() == fallback.copy().digest() == running.digest()


@given(st.binary(max_size=150), st.binary(max_size=100), st.binary(max_size=20))
def test_mac_is_hmac(key, one, two):
    assert sm3.mac(key, one, two) == hmac.digest(key, one + two, "sm3")
