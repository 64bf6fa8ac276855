"""What a person at the desk does: open, look, choose a seal and its places, seal with a PIN, save. Blocking; in threads."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import structlog

from yingqiao.gm import sm3
from yingqiao.gm.errors import GmError
from yingqiao.sandbox import SandboxError
from yingqiao.seal_client.config import Loaded
from yingqiao.seal_client.device import Device, HeldSeal
from yingqiao.seal_client.documents import Documents
from yingqiao.seal_client.earlier import Earlier
from yingqiao.seal_client.errors import Refused
from yingqiao.seal_client.parameters import Parameters
from yingqiao.seal_client.sealing import Act, Done
from yingqiao.seal_client.sessions import Session, Sessions
from yingqiao.seal_client.wishes import MAX_KEYWORD, Wishes, read_wishes
from yingqiao.signing.errors import SigningRefused
from yingqiao.signing.seals import sealing
from yingqiao.signing.seals.pdf.picture import media_type

_MAX_PIN = 64
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Asked:
    """A call that came through the guards."""

    session: Session
    body: Mapping[str, Any]

    def text(self, name: str, most: int) -> str:
        """Raises Refused."""
        value = self.body.get(name)
        if not isinstance(value, str) or not 0 < len(value) <= most:
            raise Refused(400, "bad-request", f"缺少 {name}，或不是文字")
        return value

    @property
    def wishes(self) -> Wishes:
        """Raises Refused."""
        return read_wishes(self.body.get("wishes"))


class Desk:
    def __init__(
        self, loaded: Loaded, documents: Documents, device: Device, act: Act, earlier: Earlier
    ) -> None:
        self._loaded, self._documents, self._device = loaded, documents, device
        self._act, self._earlier = act, earlier
        told = loaded.config.client
        self._sessions = Sessions(told.sessions, told.idle_minutes * 60)

    def begin(self, asked: Parameters | Refused, opener: str) -> Session:
        return self._sessions.begin(asked, opener)

    def session(self, secret: str) -> Session:
        """Raises Refused."""
        return self._sessions.get(secret)

    def open(self, asked: Asked) -> dict[str, Any]:
        """Fetches or reads the file; asked again it answers the same. What stands in the way is said in `refusal`."""
        session = asked.session
        told = {**_asked_for(session), "origins": self._loaded.origins, "opener": session.opener}
        if session.refusal is not None:
            return {**told, "refusal": _said(session.refusal)}
        try:
            with session.alone():
                self._load(session)
                return {**told, "refusal": None, "name": session.name, **self._facts(session)}
        except (Refused, GmError, SandboxError) as error:
            detail = getattr(error, "detail", "")
            _log.info("sealclient.refused", call="open", code=error.code, detail=detail)
            return {**told, "refusal": _said(error)}

    def progress(self, asked: Asked) -> dict[str, Any]:
        """Bytes fetched so far."""
        return {"received": asked.session.received}

    def pdf(self, asked: Asked) -> bytes:
        """The file with the seals of this visit."""
        return _opened(asked.session).current

    def seals(self, _: Asked) -> list[dict[str, Any]]:
        """What can be chosen, with why it cannot."""
        now = datetime.now(UTC)
        return [_seal(held, now) for held in self._device.seals()]

    def trust(self, asked: Asked) -> dict[str, Any]:
        """Of each signature of the file: what the gateway says of it."""
        session = _opened(asked.session)
        return self._earlier.trust(session.current, session.signatures)

    def find(self, asked: Asked) -> list[dict[str, Any]]:
        """Every place of a keyword."""
        return self._act.find(_opened(asked.session).current, asked.text("keyword", MAX_KEYWORD))

    def plan(self, asked: Asked) -> list[dict[str, Any]]:
        """Where the pieces of a paging seal will be."""
        held = self._held(asked.text("seal", 128))
        return self._act.plan(_opened(asked.session).current, asked.wishes, held.seal)

    def seal(self, asked: Asked) -> dict[str, Any]:
        """The act: the PIN comes with it and is gone after it. Raises Refused, GmError."""
        session, pin = _opened(asked.session), asked.text("pin", _MAX_PIN)
        with session.alone():
            self._refuse_stale(session, asked.text("base", 64))
            held = self._held(asked.text("seal", 128))
            if why := why_not(held, datetime.now(UTC)):
                raise Refused(409, "seal-unusable", why)
            done = self._act.seal(session, asked.wishes, held, pin)
            session.stamped = done.stamped and session.stamped
            if done.contents is None:
                session.current, session.saved = done.pdf, False
                session.sealed += 1
            return {**_done(done), **self._facts(session)}

    def save(self, asked: Asked) -> dict[str, Any]:
        """Uploads or writes; asked again it saves again. Raises Refused."""
        session = _opened(asked.session)
        with session.alone():
            if not session.sealed:
                raise Refused(409, "not-sealed", "还没有盖章")
            saved = self._documents.save(session)
            session.saved = True
            _log.info("sealclient.saved", way=session.parameters.save_type, bytes=len(session.current))
            facts = {"sm3": session.digest, "size": len(session.current), "stamped": session.stamped}
            return {"answer": saved.answer, **facts}

    def close(self, asked: Asked) -> dict[str, Any]:
        """The page is left: the file is forgotten."""
        self._sessions.end(asked.session)
        return {}

    def _load(self, session: Session) -> None:
        if session.current:
            return
        self._documents.check_target(session)
        data, name = self._documents.load(session)
        self._sessions.room()
        session.base = session.current = data
        session.name = name
        _log.info("sealclient.opened", way=session.parameters.save_type, bytes=len(data))

    def _facts(self, session: Session) -> dict[str, Any]:
        facts = self._earlier.facts(session.current)
        session.signatures = facts["signatures"]
        return {**facts, "size": len(session.current), "sm3": session.digest, "sealed": session.sealed}

    def _refuse_stale(self, session: Session, base: str) -> None:
        """What is sealed is what the page shows, and in parallel signing what the host still has."""
        if base != session.digest:
            raise Refused(409, "stale", "页面显示的不是当前文件，请重新打开")
        if session.parameters.parallel:
            now, _ = self._documents.load(session)
            if sm3.digest(now).hex() != base:
                raise Refused(409, "stale", "源文件已更新，请重新打开后再盖章")

    def _held(self, seal_id: str) -> HeldSeal:
        for held in self._device.seals():
            if held.id == seal_id:
                return held
        raise Refused(404, "no-seal", "没有这个印章，请刷新后重新选择")


def why_not(held: HeldSeal, now: datetime) -> str:
    """Why a seal cannot be used at `now`, in Chinese; '' when it can."""
    try:
        sealing.check(held.seal, held.certificate, now)
    except SigningRefused as error:
        return error.reason
    return ""


def _done(done: Done) -> dict[str, Any]:
    return {"parallel": done.contents, "stamped": done.stamped, "withoutStamp": done.without}


def _seal(held: HeldSeal, now: datetime) -> dict[str, Any]:
    info = held.seal.info
    kind = media_type(info.picture.data)
    picture = f"data:{kind};base64,{base64.b64encode(info.picture.data).decode()}" if kind else ""
    return {
        "id": held.id,
        "esId": info.es_id,
        "name": info.name,
        "picture": picture,
        "width": info.picture.width,
        "height": info.picture.height,
        "validTo": int(info.valid_to.timestamp() * 1000),
        "unusable": why_not(held, now),
    }


def _asked_for(session: Session) -> dict[str, Any]:
    asked = session.parameters
    return {
        "token": asked.token,
        "saveType": asked.save_type,
        "savePath": asked.save_path,
        "pagingButton": asked.paging_button,
        "parallel": asked.parallel,
    }


def _opened(session: Session) -> Session:
    if not session.current:
        raise Refused(409, "not-open", "文件还没有打开")
    return session


def _said(error: Refused | GmError | SandboxError) -> dict[str, str]:
    return {"code": error.code, "message": error.reason}
