"""Files with seals judged by a command: PDFs are read in a sandbox of its own, as by the gateway."""

from __future__ import annotations

from yingqiao.app.signing_office import open_office
from yingqiao.cli.options import stores
from yingqiao.gm.errors import GmError
from yingqiao.sandbox import Sandbox, SandboxError, SandboxLimits
from yingqiao.sandbox.pdf_reader import PRELOAD, SandboxedPdfReader
from yingqiao.settings import Settings
from yingqiao.signing.seals.context import SealContext
from yingqiao.signing.seals.documents import judge_file, unread
from yingqiao.signing.seals.found import Found
from yingqiao.signing.verification.asked import Asked


def judge_here(raw: bytes, asked: Asked, content: bytes | None, settings: Settings) -> list[Found]:
    """Every seal of a file; what cannot be read is a verdict too. A data folder's registry says which seals stand."""
    if not settings.data:
        return _judged(raw, SealContext.of(asked), content)
    with stores(settings) as opened:
        return _judged(raw, SealContext.of(asked, open_office(settings, opened).seals.stops), content)


def _judged(raw: bytes, context: SealContext, content: bytes | None) -> list[Found]:
    with Sandbox(SandboxLimits(workers=1), preload=PRELOAD) as sandbox:
        try:
            return judge_file(raw, context, SandboxedPdfReader(sandbox), content)
        except GmError as error:
            return [unread(error, context, raw)]
        except SandboxError as error:
            return [unread(GmError(error.reason, code=error.code), context, raw)]
