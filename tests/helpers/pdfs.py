"""PDF files for tests: pages turned, cropped, of mixed sizes; every kind of cross-reference; words; earlier RSA signatures."""

from __future__ import annotations

import io
import random
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache, lru_cache
from pathlib import Path

import pypdfium2
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from pyhanko.pdf_utils.generic import (
    ArrayObject,
    DictionaryObject,
    FloatObject,
    NumberObject,
    StreamObject,
    pdf_name,
)
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.writer import PageObject, PdfFileWriter
from pyhanko.sign import fields, signers
from pyhanko.sign.validation import EmbeddedPdfSignature, validate_pdf_signature
from pyhanko_certvalidator import ValidationContext
from pyhanko_certvalidator.registry import SimpleCertificateStore

from tests.helpers import pki, seals
from yingqiao.signing.seals.pdf.placing import AtPoint, Placement
from yingqiao.signing.seals.pdf.writing import Names, Prepared, seal_pdf
from yingqiao.signing.seals.sealing import Sealer

A4 = (0.0, 0.0, 595.0, 842.0)
CJK = Path("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc")


@dataclass(frozen=True)
class Sheet:
    """One page to be made."""

    media: tuple[float, float, float, float] = A4
    crop: tuple[float, float, float, float] | None = None
    rotate: int = 0
    unit: float = 1.0
    words: tuple[tuple[float, float, str], ...] = ((72, 700, "Report"),)


def make(
    sheets: Sequence[Sheet] = (Sheet(),), *, streams: bool = False, packed: bool = False, bulk: int = 0
) -> bytes:
    """A file of these pages, with a cross-reference stream, with the pages in object streams; `bulk` bytes of image."""
    writer = PdfFileWriter(stream_xrefs=streams or packed)
    font = DictionaryObject(
        {
            pdf_name("/Type"): pdf_name("/Font"),
            pdf_name("/Subtype"): pdf_name("/Type1"),
            pdf_name("/BaseFont"): pdf_name("/Helvetica"),
        }
    )
    fonts = DictionaryObject({pdf_name("/F1"): writer.add_object(font)})
    resources = DictionaryObject({pdf_name("/Font"): fonts})
    for sheet in sheets:
        text = "\n".join(f"BT /F1 12 Tf {x} {y} Td ({word}) Tj ET" for x, y, word in sheet.words)
        content = writer.add_object(StreamObject(stream_data=text.encode()))
        page = PageObject(content, sheet.media, resources)
        if sheet.crop:
            page[pdf_name("/CropBox")] = ArrayObject(FloatObject(edge) for edge in sheet.crop)
        if sheet.rotate:
            page[pdf_name("/Rotate")] = NumberObject(sheet.rotate)
        if sheet.unit != 1.0:
            page[pdf_name("/UserUnit")] = FloatObject(sheet.unit)
        writer.insert_page(page)
    if bulk:
        picture = StreamObject(stream_data=random.Random(7).randbytes(bulk))
        fonts[pdf_name("/X1")] = writer.add_object(picture)
    out = io.BytesIO()
    writer.write(out)
    return with_object_streams(out.getvalue()) if packed else out.getvalue()


def with_object_streams(data: bytes) -> bytes:
    return through_files(data, "--object-streams=generate")


def through_files(data: bytes, *options: str) -> bytes:
    """qpdf reads files only."""
    with tempfile.TemporaryDirectory() as name:
        source, target = Path(name) / "in.pdf", Path(name) / "out.pdf"
        source.write_bytes(data)
        done = subprocess.run(["qpdf", *options, str(source), str(target)], capture_output=True, check=False)
        assert done.returncode in (0, 3), done.stderr
        return target.read_bytes()


def well_formed(data: bytes) -> None:
    """qpdf finds nothing wrong, pdfium opens and draws it."""
    with tempfile.NamedTemporaryFile(suffix=".pdf") as file:
        file.write(data)
        file.flush()
        done = subprocess.run(["qpdf", "--check", file.name], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    with pypdfium2.PdfDocument(data) as document:
        document.init_forms()
        document[0].render(scale=0.2)


def hybrid() -> bytes:
    """A file with a cross-reference table and, beside it, a stream (7.5.8.4): the page's content is only in that."""
    objects = {
        1: b"<</Type/Catalog/Pages 2 0 R>>",
        2: b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        3: b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<<>>>>",
        4: b"<</Length 12>>\nstream\n0 0 5 5 re f\nendstream",
    }
    out, places = bytearray(b"%PDF-1.5\n%\xe2\xe3\xcf\xd3\n"), {}
    for number, body in objects.items():
        places[number] = len(out)
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    hidden = b"6 0 <</Hidden true>>"
    places[5] = len(out)
    out += b"5 0 obj\n<</Type/ObjStm/N 1/First 4/Length %d>>\nstream\n%s\nendstream\nendobj\n" % (
        len(hidden),
        hidden,
    )
    beside = len(out)
    rows = b"\x02" + (5).to_bytes(2, "big") + b"\x00"
    out += (
        b"7 0 obj\n<</Type/XRef/Size 8/W[1 2 1]/Index[6 1]/Length %d>>\nstream\n%s\nendstream\nendobj\n"
        % (
            len(rows),
            rows,
        )
    )
    places[7] = beside
    table = len(out)
    out += b"xref\n0 8\n0000000000 65535 f \n"
    for number in range(1, 8):
        place = places.get(number)
        out += b"%010d 00000 n \n" % place if place else b"0000000000 00000 f \n"
    out += b"trailer\n<</Size 8/Root 1 0 R/XRefStm %d>>\nstartxref\n%d\n%%%%EOF\n" % (beside, table)
    return bytes(out)


def raw_file(objects: dict[int, bytes], extra: bytes = b"") -> bytes:
    """A file of these objects (their bodies) and, before the table, `extra`; 1 is the catalog."""
    out, places = bytearray(b"%PDF-1.5\n"), {}
    for number, body in objects.items():
        places[number] = len(out)
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    out += extra
    at = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (max(objects) + 1)
    for number in range(1, max(objects) + 1):
        out += b"%010d 00000 %s \n" % (places.get(number, 0), b"n" if number in places else b"f")
    out += b"trailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (max(objects) + 1, at)
    return bytes(out)


@lru_cache(maxsize=4)
def chinese_report(pages: int = 2) -> bytes:
    """By fpdf2 with Noto CJK: 审核医师 near the end of each page."""
    from fpdf import FPDF

    document = FPDF()
    document.add_font("noto", fname=str(CJK))
    document.set_font("noto", size=14)
    for number in range(pages):
        document.add_page()
        document.text(30, 40, f"影像诊断报告 第 {number + 1} 页")
        document.text(30, 250, "报告医师：张三")
        document.text(120, 250, "审 核 医 师：李四")
    return bytes(document.output())


def sealer(esl: bytes | None = None, **more: object) -> Sealer:
    """With the seal and the signer of the world."""
    signer = seals.seal_world().signer
    return Sealer(
        esl or seals.make_seal(),
        signer.certificate.raw,
        lambda message: seals.signed(signer, message),
        **({"now": lambda: seals.SIGNED_AT} | more),  # type: ignore[arg-type]
    )


def sealed(
    data: bytes, *placements: Placement, by: Sealer | None = None, names: Names | None = None
) -> bytes:
    """With a seal at each placement; the first page's upper half when none is given."""
    by = by or sealer()
    places = placements or (AtPoint((1,), 100, 100),)
    return seal_pdf(
        data,
        places,
        by.picture,
        by,
        reserve=by.reserve,
        at=seals.SIGNED_AT,
        names=names or Names(name="影桥测试医院"),
    )


def signature_of(prepared: Prepared) -> bytes:
    """Of the world's signer, for what was prepared by hand."""
    return sealer()(prepared)


# RSA signatures by pyHanko, before ours


@cache
def rsa_identity() -> tuple[bytes, bytes]:
    """A self-signed certificate that may sign, with its key; both PEM."""
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "RSA Doctor")])
    usage = x509.KeyUsage(*([True, True] + [False] * 5 + [False, False]))
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(pki.START - timedelta(days=3650))
        .not_valid_after(pki.END + timedelta(days=3650))
        .add_extension(usage, critical=True)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return made.public_bytes(serialization.Encoding.PEM), private


def rsa_signed(
    data: bytes,
    *,
    field: str = "Doctor",
    visible: bool = True,
    lock: fields.FieldMDPSpec | None = None,
    **meta: object,
) -> bytes:
    """With an approval signature (or as `meta` says) by pyHanko."""
    from asn1crypto import keys, pem
    from asn1crypto import x509 as asn1

    certificate, private = rsa_identity()
    signer = signers.SimpleSigner(
        signing_cert=asn1.Certificate.load(pem.unarmor(certificate)[2]),
        signing_key=keys.PrivateKeyInfo.load(pem.unarmor(private)[2]),
        cert_registry=SimpleCertificateStore(),
    )
    writer = IncrementalPdfFileWriter(io.BytesIO(data))
    box = (20, 20, 120, 60) if visible else None
    spec = fields.SigFieldSpec(field, box=box, field_mdp_spec=lock)
    settings = signers.PdfSignatureMetadata(field_name=field, md_algorithm="sha256", **meta)  # type: ignore[arg-type]
    out = signers.PdfSigner(settings, signer=signer, new_field_spec=spec).sign_pdf(writer)
    return bytes(out.getvalue())


def rsa_root() -> bytes:
    """DER."""
    return x509.load_pem_x509_certificate(rsa_identity()[0]).public_bytes(serialization.Encoding.DER)


def pyhanko_says(data: bytes, index: int = 0) -> bool:
    """pyHanko's own verdict on the RSA signature, all changes since included."""
    from asn1crypto import x509 as asn1
    from pyhanko.pdf_utils.reader import PdfFileReader

    reader = PdfFileReader(io.BytesIO(data))
    found: EmbeddedPdfSignature = reader.embedded_signatures[index]
    context = ValidationContext(trust_roots=[asn1.Certificate.load(rsa_root())], moment=pki.NOW)
    return bool(validate_pdf_signature(found, context).bottom_line)
