"""What a signature's /Contents holds, by its shape."""

from __future__ import annotations

from yingqiao.gm import cms, der, oids
from yingqiao.gm.errors import GmError
from yingqiao.signing.seals.pdf.model import Kind

_TBS_MEMBERS = 5


def sniff(contents: bytes) -> Kind:
    """Of bytes from anywhere: never raises."""
    try:
        top = der.parse(contents, ber=True)
        first = next(top.expect(der.SEQUENCE, "签名").walk(), None)
        if first is None:
            return Kind.UNKNOWN
        if first.tag == der.SEQUENCE:
            return Kind.SES if _begins_like_a_seal_signature(first) else Kind.UNKNOWN
        return _message(contents, der.oid(first))
    except GmError:
        return Kind.UNKNOWN


def _begins_like_a_seal_signature(tbs: der.Node) -> bool:
    """TBS_Sign: version INTEGER, eseal SEQUENCE, and more (GB/T 38540-2020, 7.2)."""
    children = tbs.children()
    return len(children) >= _TBS_MEMBERS and [one.tag for one in children[:2]] == [der.INTEGER, der.SEQUENCE]


def _message(contents: bytes, content_type: str) -> Kind:
    if content_type == oids.GM_SIGNED_DATA:
        return Kind.GM0010
    if content_type != oids.PKCS7_SIGNED_DATA:
        return Kind.UNKNOWN
    try:
        message = cms.parse(contents)
    except GmError:  # ours is strict about certificates; pyHanko says what it thinks
        return Kind.CMS
    if message.content_type == oids.TST_INFO:
        return Kind.TIMESTAMP
    return Kind.GM0010 if any(one.digest_algorithm == oids.SM3 for one in message.signers) else Kind.CMS
