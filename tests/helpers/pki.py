"""A small public key infrastructure for tests: root, CA, doctors, a time stamping authority. Keys are new each run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from yingqiao.gm import certificates, der, issuing, names, oids, signatures, sm2
from yingqiao.gm.certificates import Certificate
from yingqiao.gm.issuing import Authority, Order, Profile
from yingqiao.gm.names import Name
from yingqiao.gm.signatures import Signer, SubjectKey

NOW = datetime(2026, 3, 1, 4, 5, 6, tzinfo=UTC)
START = datetime(2026, 1, 1, tzinfo=UTC)
END = datetime(2028, 1, 1, tzinfo=UTC)
POLICY = "1.2.156.10197.99.1"
CRL_URL = "http://ca.example/crl/1.crl"


@dataclass(frozen=True)
class Entity:
    """A certificate with its private key."""

    certificate: Certificate
    private: sm2.PrivateKey

    @property
    def signer(self) -> Signer:
        return signatures.sm2_signer(self.private)

    @property
    def authority(self) -> Authority:
        return Authority.of(self.certificate, self.signer)


def name(common_name: str) -> Name:
    parts = ((oids.COUNTRY, "CN"), (oids.STATE, "山西省"), (oids.ORGANIZATION, "影桥测试"))
    return names.build([*parts, (oids.COMMON_NAME, common_name)])


def key_of(private: sm2.PrivateKey) -> SubjectKey:
    return signatures.sm2_key(private.public().point)


def order(profile: Profile, subject: Name, key: SubjectKey, **more: object) -> Order:
    times = {"serial": issuing.new_serial(), "not_before": START, "not_after": END}
    return Order(profile, subject, key, **(times | more))  # type: ignore[arg-type]


def make(profile: Profile, common_name: str, issuer: Entity | None = None, **more: object) -> Entity:
    """A certificate of this profile by `issuer`, or self-signed."""
    private, subject = sm2.generate(), name(common_name)
    key = key_of(private)
    authority = issuer.authority if issuer else Authority(subject, key, signatures.sm2_signer(private))
    raw = issuing.issue(order(profile, subject, key, **more), authority)
    return Entity(certificates.parse(raw), private)


@dataclass(frozen=True)
class World:
    root: Entity
    ca: Entity
    doctor: Entity
    nurse: Entity
    tsa: Entity

    @property
    def chain(self) -> list[Certificate]:
        return [self.ca.certificate, self.root.certificate]


@cache
def world() -> World:
    root = make(Profile.CA, "影桥测试根")
    ca = make(Profile.CA, "影桥测试 CA", root, path_length=0, crl_urls=(CRL_URL,))
    doctor = make(
        Profile.SIGNING,
        "张三",
        ca,
        crl_urls=(CRL_URL, "ldap://ca.example/cn=crl"),
        policies=(POLICY,),
        identities=((oids.IDENTIFY_CODE, "140101199001011234"), (oids.HEALTH_ENTITY, "张三的标识")),
    )
    return World(root, ca, doctor, make(Profile.SIGNING, "李四", ca), make(Profile.TSA, "影桥测试时间戳", ca))


@cache
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@cache
def rsa_entity() -> tuple[Certificate, Signer]:
    """An RSA doctor of the SM2 CA, signing with SHA-256."""
    private = rsa_key()
    spki = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    key = signatures.read_key(der.parse(spki))
    raw = issuing.issue(order(Profile.SIGNING, name("王五"), key), world().ca.authority)
    algorithm = der.write_algorithm(oids.SHA256_RSA, [der.write_null()])

    def sign(message: bytes) -> bytes:
        return private.sign(message, padding.PKCS1v15(), hashes.SHA256())

    return certificates.parse(raw), Signer(algorithm, sign, oids.SHA256)


def later(**delta: float) -> datetime:
    return NOW + timedelta(**delta)
