"""What a PDF file, or a wish about one, is refused for."""

from __future__ import annotations

from yingqiao.gm.errors import GmError


class PdfError(GmError):
    """`code` is stable: pdf-encrypted, pdf-damaged, pdf-too-big, pdf-locked, pdf-page, pdf-place, pdf-keyword,
    pdf-single-page, pdf-picture, pdf-reserve."""

    code = "pdf-damaged"


def damaged(why: str) -> PdfError:
    """What cannot be read at all. `why` is Chinese."""
    return PdfError(f"PDF 文件损坏或不合规范：{why}", code="pdf-damaged")


def too_big(why: str) -> PdfError:
    return PdfError(f"PDF 文件超过处理上限：{why}", code="pdf-too-big")
