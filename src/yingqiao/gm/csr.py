"""Certificate requests (PKCS#10, RFC 2986; GM/T 0092 for SM2): read with the proof of possession, and made."""

from __future__ import annotations

from dataclasses import dataclass

from yingqiao.gm import der, extensions, issuing, names, oids, signatures
from yingqiao.gm.errors import GmError
from yingqiao.gm.extensions import Extension
from yingqiao.gm.names import Name
from yingqiao.gm.signatures import ONLY_RULE, Examined, PreImage, Signer, SubjectKey

MAX_REQUEST = 64 * 1024


class RequestError(GmError):
    """Not a certificate request."""

    code = "csr"


@dataclass(frozen=True, slots=True)
class CertificateRequest:
    """A request as received; `extensions` are those it asks for."""

    raw: bytes
    info: bytes
    subject: Name
    key: SubjectKey
    extensions: tuple[Extension, ...]
    algorithm: str
    signature: bytes

    def proof(self, *, accepted: frozenset[PreImage] = ONLY_RULE) -> Examined:
        """Whether the requested key signed the request."""
        return signatures.examine(self.key, self.algorithm, self.info, self.signature, accepted=accepted)


def parse(raw: bytes) -> CertificateRequest:
    """A CertificationRequest in DER. Raises RequestError, DerError."""
    root = der.parse(raw, max_size=MAX_REQUEST)
    outer = der.Fields(root, "证书申请")
    info = outer.take(der.SEQUENCE)
    algorithm, _ = signatures.algorithm(outer.take(), "证书申请签名算法")
    signature, _ = der.bits(outer.take(der.BIT_STRING), "证书申请签名值")
    outer.end()
    inner = der.Fields(info, "证书申请内容")
    if der.integer(inner.take(der.INTEGER), "证书申请版本") != 0:
        raise RequestError("未知的证书申请版本")
    subject, key = names.read(inner.take()), signatures.read_key(inner.take())
    attributes = inner.optional(der.context(0))
    inner.end()
    wanted = () if attributes is None else _wanted(attributes)
    return CertificateRequest(root.raw, info.raw, subject, key, wanted, algorithm, signature)


def _wanted(attributes: der.Node) -> tuple[Extension, ...]:
    for attribute in attributes.walk(50):
        fields = der.Fields(attribute, "证书申请属性")
        if der.oid(fields.take()) == oids.EXTENSION_REQUEST:
            return extensions.read_list(fields.take(der.SET).only("所请求的扩展"))
    return ()


def build(subject: Name, key: SubjectKey, signer: Signer) -> bytes:
    """A request for `key`, signed with it, in DER."""
    return issuing.signed(unsigned(subject, key), signer)


def unsigned(subject: Name, key: SubjectKey) -> bytes:
    """The CertificationRequestInfo that is to be signed, in DER: where no one side has the whole key."""
    return der.sequence(der.write_integer(0), subject.raw, key.raw, der.element(der.context(0), b""))


def assembled(info: bytes, signature: bytes) -> bytes:
    """A request of `unsigned` info and its SM2 signature with SM3, both in DER. Nothing is verified: see `proof`."""
    algorithm = der.write_algorithm(oids.SM2_SM3)
    return issuing.signed(info, Signer(algorithm, lambda _: signature))
