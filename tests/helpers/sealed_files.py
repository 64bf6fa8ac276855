"""Reports as PDF, sealed, for tests of verification."""

from __future__ import annotations

from functools import cache

from fpdf import FPDF

from tests.helpers import seals
from tests.helpers.trust import crl_of, pem
from yingqiao.signing.seals.pdf.picture import SealPicture
from yingqiao.signing.seals.pdf.placing import AtPoint
from yingqiao.signing.seals.pdf.writing import seal_pdf


@cache
def report_pdf(pages: int = 2, text: str = "report") -> bytes:
    """A report without a seal."""
    document = FPDF()
    for number in range(pages):
        document.add_page()
        document.set_font("helvetica", size=14)
        document.cell(text=f"{text} {number + 1}")
    return bytes(document.output())


def sealed_pdf(
    data: bytes | None = None,
    *,
    page: int = 1,
    x_mm: float = 120.0,
    picture: bytes | None = None,
    **more: object,
) -> bytes:
    """The file with one seal more; `more` as of `seals.make_signature`."""
    own = {"stamped": seals.SIGNED_AT} | more
    return seal_pdf(
        data or report_pdf(),
        [AtPoint((page,), x_mm, 160.0)],
        SealPicture(picture or seals.png(), 42, 42),
        lambda revision: seals.make_signature(**({"digest": revision.digest} | own)),  # type: ignore[arg-type]
        reserve=len(seals.make_signature(**own)),  # type: ignore[arg-type]
        at=seals.SIGNED_AT,
    )


def trust_files(folder, at) -> list[tuple[str, ...]]:
    """Words of `yingqiao trust add` that make a gateway trust this world's signers and makers."""
    from tests.helpers import pki

    world, sealing = pki.world(), seals.seal_world()
    (folder / "signers.pem").write_bytes(pem(*world.chain))
    (folder / "signers.crl").write_bytes(crl_of(world.ca, at=at).raw)
    (folder / "makers.pem").write_bytes(pem(sealing.maker_root.certificate))
    (folder / "makers.crl").write_bytes(crl_of(sealing.maker_root, at=at).raw)
    return [
        ("trust", "add", str(folder / "signers.pem"), "--crl", str(folder / "signers.crl")),
        (
            *("trust", "add", str(folder / "makers.pem"), "--role", "seal-maker"),
            *("--crl", str(folder / "makers.crl")),
        ),
    ]
