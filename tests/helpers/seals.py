"""Seals for tests: a maker (制章者), a signer, a time stamping authority, lists; and every part to be made wrong by itself.

`make_seal` and `make_signature` write any version; what is not said is right. A defect is one argument.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache

from PIL import Image, ImageDraw

from tests.helpers import pki
from tests.helpers.trust import crl_of
from yingqiao.gm import der, oids, ses, sm2, sm3
from yingqiao.gm.certificates import Certificate
from yingqiao.gm.crl import RevocationList
from yingqiao.gm.issuing import Profile
from yingqiao.gm.ses import CertificateDigest, Picture, SealInfo
from yingqiao.gm.timestamp_writing import Stamp, Stamper, imprint_of
from yingqiao.signing.trust import Entry, Role, Trust

CREATED = pki.START + timedelta(days=20)
VALID_FROM = CREATED - timedelta(hours=16)
VALID_TO = pki.END - timedelta(days=30)
SIGNED_AT = pki.NOW - timedelta(hours=2)
DOCUMENT = "影像诊断报告（测试文档）".encode() * 20
PROPERTY = "ByteRange[0 840 960 240]"


@dataclass(frozen=True)
class SealWorld:
    """Beside the world of `pki`: the seal makers' root, a maker, the hospital that seals."""

    maker_root: pki.Entity
    maker: pki.Entity
    signer: pki.Entity

    @property
    def makers(self) -> list[Certificate]:
        return [self.maker_root.certificate]


@cache
def seal_world() -> SealWorld:
    root = pki.make(Profile.CA, "影桥测试制章根")
    maker = pki.make(Profile.SEAL_MAKER, "影桥测试制章者", root)
    return SealWorld(root, maker, pki.make(Profile.SIGNING, "影桥测试医院", pki.world().ca))


def seal_trust(
    *lists: RevocationList, makers: Sequence[Certificate] | None = None, at: datetime = pki.NOW
) -> Trust:
    """The chain of signers, the root of makers, and a list of each; `lists` of the same issuers stand in for them."""
    world, sealing = pki.world(), seal_world()
    given = sealing.makers if makers is None else makers
    entries = [Entry(one, Role.CA) for one in world.chain] + [Entry(one, Role.SEAL_MAKER) for one in given]
    own = {one.issuer.raw: one for one in (crl_of(world.ca, at=at), crl_of(sealing.maker_root, at=at))}
    return Trust(entries, (own | {one.issuer.raw: one for one in lists}).values())


@cache
def png(width: int = 84, height: int = 84, color: tuple[int, int, int] = (200, 0, 0)) -> bytes:
    """A round stamp on a transparent ground."""
    image = Image.new("RGBA", (width, height), (0, 0, 0, 0))
    drawing = ImageDraw.Draw(image)
    drawing.ellipse((2, 2, width - 3, height - 3), outline=(*color, 255), width=max(2, width // 20))
    drawing.line((width // 4, height // 2, width * 3 // 4, height // 2), fill=(*color, 255), width=3)
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def info(**changes: object) -> SealInfo:
    """What a right seal says: bound to the signer, 42 mm, valid through the year after next."""
    said = SealInfo(
        es_id="YQ202601210001",
        vid="YingQiao",
        type=1,
        name="影桥测试医院影像诊断专用章",
        created=CREATED,
        valid_from=VALID_FROM,
        valid_to=VALID_TO,
        picture=Picture("PNG", png(), 42, 42),
        certificates=(seal_world().signer.certificate.raw,),
    )
    return replace(said, **changes)  # type: ignore[arg-type]


def by_digest(certificate: Certificate) -> dict[str, object]:
    """Changes of `info` that bind the seal by SM3."""
    return {"certificates": (), "digests": (CertificateDigest("SM3", sm3.digest(certificate.raw)),)}


def make_seal(
    said: SealInfo | None = None,
    *,
    maker: pki.Entity | None = None,
    version: int = 4,
    over: Callable[[bytes], bytes] = lambda message: message,
    raw_form: bool = False,
    token: bytes | None = None,
) -> bytes:
    """A seal; `over` gives what the maker signs in place of what he should."""
    maker = maker or seal_world().maker
    said = said or info()
    if version == 1:
        return _seal_1(replace(said, header_version=1), maker, over)
    written = ses.seal_info(replace(said, header_version=version) if version != 4 else said)
    value = signed(maker, over(written), raw_form=raw_form)
    made = ses.seal(written, maker.certificate.raw, value)
    return made if token is None else wrapped(made, der.explicit(0, der.write_bits(token)))


def signed(by: pki.Entity, message: bytes, *, raw_form: bool = False) -> bytes:
    value = sm2.sign(by.private, message)
    return sm2.der_to_raw(value) if raw_form else value


def wrapped(structure: bytes, *more: bytes) -> bytes:
    """The SEQUENCE with members added."""
    return der.sequence(der.parse(structure).content, *more)


def _seal_1(said: SealInfo, maker: pki.Entity, over: Callable[[bytes], bytes]) -> bytes:
    """GM/T 0031-2014: UTCTime, no certListType, the maker's certificate and algorithm signed as well."""
    written = der.parse(ses.seal_info(said))
    header, es_id, _, picture, *more = (node.raw for node in written.children())
    properties = der.sequence(
        der.write_integer(said.type),
        der.write_utf8(said.name),
        der.sequence(*map(der.write_octets, said.certificates)),
        *map(der.write_time, (said.created, said.valid_from, said.valid_to)),
    )
    inside = der.sequence(header, es_id, properties, picture, *more)
    certificate, algorithm = der.write_octets(maker.certificate.raw), der.write_oid(oids.SM2_SM3)
    value = signed(maker, over(der.sequence(inside, certificate, algorithm)))
    return der.sequence(inside, der.sequence(certificate, algorithm, der.write_bits(value)))


def stamp(
    value: bytes, at: datetime, *, by: pki.Entity | None = None, more: Sequence[Certificate] = ()
) -> bytes:
    """A token over `value` at `at`; `more` certificates make it long."""
    world = pki.world()
    tsa = by or world.tsa
    return Stamper(tsa.certificate, tsa.signer, pki.POLICY, [world.ca.certificate, *more]).stamp(
        Stamp(imprint_of(value), 7, at)
    )


def make_signature(
    seal: bytes | None = None,
    *,
    signer: pki.Entity | None = None,
    digest: bytes | None = None,
    at: datetime = SIGNED_AT,
    stamped: datetime | bytes | None = None,
    over: Callable[[bytes], bytes] = lambda message: message,
    algorithm: str = oids.SM2_SM3,
    raw_form: bool = False,
    tbs: Callable[[bytes], bytes] = lambda written: written,
) -> bytes:
    """A seal signature of a v4 or v5 seal. `stamped`: when, or the token itself; `over` gives what the signer signs in
    place of TBS_Sign, `tbs` changes TBS_Sign before it is signed.
    """
    signer = signer or seal_world().signer
    digest = sm3.digest(DOCUMENT) if digest is None else digest
    written = tbs(ses.to_sign(seal or make_seal(), at, digest, PROPERTY))
    value = signed(signer, over(written), raw_form=raw_form)
    token = stamp(value, stamped) if isinstance(stamped, datetime) else stamped
    return ses.signature(written, signer.certificate.raw, value, token, algorithm)


def make_signature_1(
    seal: bytes | None = None, *, signer: pki.Entity | None = None, time_info: bytes | None = None
) -> bytes:
    """GM/T 0031-2014: certificate and algorithm inside TBS_Sign, the time as text in a BIT STRING."""
    signer = signer or seal_world().signer
    stated = f"{SIGNED_AT:%Y-%m-%dT%H:%M:%S}.377Z".encode() if time_info is None else time_info
    written = der.sequence(
        der.write_integer(1),
        seal or make_seal(version=1),
        der.write_bits(stated),
        der.write_bits(sm3.digest(DOCUMENT)),
        der.element(der.IA5, PROPERTY.encode()),
        der.write_octets(signer.certificate.raw),
        der.write_oid(oids.SM2_SM3),
    )
    return der.sequence(written, der.write_bits(signed(signer, written)))
