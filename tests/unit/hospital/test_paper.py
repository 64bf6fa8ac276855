"""Report PDFs are PDFs (T24)."""

from datetime import date

from yingqiao.exchange.documents import decode_pdf
from yingqiao.hospital.simulate.day import make_day
from yingqiao.hospital.simulate.paper import chinese_font, report_pdf
from yingqiao.hospital.simulate.people import credit_code
from yingqiao.hospital.simulate.plan import Kind

CODE = credit_code("12149900000000001")


def test_audited_reports_carry_a_pdf():
    day = make_day(CODE, exams=1, day=date(2026, 1, 5))
    audited = [s.record for s in day.steps if s.kind is Kind.REPORT and s.record["reportStatus"] == 3]
    assert [decode_pdf(record["reportPdfBase64"])[:5] for record in audited] == [b"%PDF-"]


def test_chinese_text_falls_back_to_latin_without_a_font():
    day = make_day(CODE, exams=1, day=date(2026, 1, 5))
    visit = next(step.images[0].visit for step in day.steps if step.images)
    latin = report_pdf(visit, chinese=False)
    assert latin == report_pdf(visit, chinese=False)
    if chinese_font():
        assert report_pdf(visit, chinese=True) != latin
    else:
        assert report_pdf(visit, chinese=True) == latin
