"""A report as a real PDF (三(六)6: PDF). Chinese where a CJK font is at hand, else pinyin and codes in Latin
letters."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from yingqiao.hospital.simulate.records import Visit, stamp

_FONTS = (
    "truetype/wqy/wqy-microhei.ttc",
    "truetype/wqy/wqy-zenhei.ttc",
    "truetype/arphic/uming.ttc",
    "truetype/droid/DroidSansFallbackFull.ttf",
    "opentype/noto/NotoSansCJK-Regular.ttc",
)
_FOLDERS = (Path("/usr/share/fonts"), Path.home() / ".fonts")


@cache
def chinese_font() -> Path | None:
    """A font with Chinese characters, where distributions put the usual ones; None when there is none."""
    return next((folder / name for folder in _FOLDERS for name in _FONTS if (folder / name).is_file()), None)


def report_pdf(visit: Visit, *, chinese: bool) -> bytes:
    """One page. `chinese` asks for Chinese text (needs `chinese_font()`; subsetting it takes most of a
    second)."""
    from fpdf import FPDF  # comes with the extra `simulate`: the connector's commands do without

    font = chinese_font() if chinese else None
    pdf = FPDF()
    pdf.set_creation_date(visit.audited)
    pdf.add_page()
    if font:
        pdf.add_font("cjk", fname=font)
    for size, line in _lines(visit, font is not None):
        pdf.set_font("cjk" if font else "helvetica", size=size)
        pdf.multi_cell(0, size / 1.8, line, new_x="LMARGIN", new_y="NEXT")
    return bytes(pdf.output())


def _lines(visit: Visit, chinese: bool) -> list[tuple[int, str]]:
    patient, item = visit.patient, visit.item
    findings, conclusion = item.abnormal if visit.positive else item.normal
    if chinese:
        texts = [
            f"姓名：{patient.name}    影像号：{visit.image_number}    检查项目：{item.name}",
            f"检查时间：{stamp(visit.finished)}",
            f"影像所见：{findings}",
            f"诊断结论：{conclusion}",
            f"报告医师：{visit.reporter}    审核医师：{visit.auditor}    审核时间：{stamp(visit.audited)}",
        ]
        return [(16, f"{visit.hospital_name}影像诊断报告"), *((11, text) for text in texts)]
    texts = [
        f"Name: {patient.spelling.replace('^', ' ')}    Image no.: {visit.image_number}",
        f"Examination: {item.modality} {item.body_part} ({item.body_code})    {stamp(visit.finished)}",
        f"Result: {'positive' if visit.positive else 'negative'}",
        f"Audited: {stamp(visit.audited)}",
    ]
    return [(16, "Imaging Report (simulated hospital)"), *((11, text) for text in texts)]
