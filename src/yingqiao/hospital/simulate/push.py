"""Sends a day to a gateway over the real protocols and keeps what it answered to every step."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import orjson

from yingqiao.client import Gateway, Refused
from yingqiao.client.answer import Answer
from yingqiao.client.protocol import EXAM, MERGED, REPORT, request_body
from yingqiao.hospital.simulate.dicom_sender import SUCCESS, DicomNode, send_study
from yingqiao.hospital.simulate.images import draw
from yingqiao.hospital.simulate.plan import Day, Kind, Seal, Step
from yingqiao.hospital.simulate.web import EVERY, ImageServer

CALLING_AET = "SIMPACS"
_SKEW = 7200
"""Seconds by which the clock of `Seal.CLOCK_SKEW` is slow: beyond the window, and not the 8 hours of T03."""
_PATHS = {Kind.EXAM: EXAM, Kind.REPORT: REPORT, Kind.MERGED: MERGED}


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of one step."""

    step: Step
    accepted: bool
    message: str
    """The gateway's answer; of images the statuses that are no success."""
    rules: tuple[str, ...] = ()
    instances: int = 0
    """Instances acknowledged with 0000."""

    @property
    def as_planned(self) -> bool:
        """Whether the gateway decided as the plan says, for the reason it says."""
        wanted = self.step.rules
        return self.accepted == self.step.accepted and (not wanted or bool(set(wanted) & set(self.rules)))


class Pusher:
    """A hospital's RIS and PACS in one. `key` is the SM4 key, 32 hex digits or 16 bytes."""

    def __init__(
        self,
        gateway_url: str,
        dicom: DicomNode,
        hospital_code: str,
        key: str | bytes,
        web: ImageServer | None = None,
    ) -> None:
        """With `web` some studies are listed for the gateway to fetch from there, instead of pushed."""
        self._key = bytes.fromhex(key) if isinstance(key, str) else key
        self._code = hospital_code
        self._dicom = dicom
        self._web = web
        self._studies = 0
        self._gateway = Gateway(gateway_url, hospital_code, self._key)

    def push(self, step: Step) -> Sent:
        """Sends one step. Raises client.Unavailable, client.Misunderstood, DicomUnreachableError."""
        return self._images(step) if step.kind is Kind.IMAGES else self._record(step)

    def close(self) -> None:
        self._gateway.close()

    def _record(self, step: Step) -> Sent:
        try:
            answer = self._gateway.send(_PATHS[step.kind].path, self._body(step))
        except Refused as refused:
            answer = refused.answer
        return Sent(step, answer.accepted, answer.message, _rules(answer))

    def _body(self, step: Step) -> bytes:
        record = {"patient": step.record, "report": step.report} if step.kind is Kind.MERGED else step.record
        key = self._key[::-1] if step.seal is Seal.WRONG_KEY else self._key
        now = int(time.time()) - (_SKEW if step.seal is Seal.CLOCK_SKEW else 0)
        body = request_body(record, self._code, key, now)
        if step.seal is not Seal.BAD_SIGNATURE:
            return body
        envelope = orjson.loads(body)
        return orjson.dumps(envelope | {"signature": envelope["signature"][::-1]})

    def _images(self, step: Step) -> Sent:
        self._studies += 1
        if self._web is not None and self._studies % EVERY == 0:
            return self._listed(step, self._web)
        statuses = send_study(self._dicom, CALLING_AET, [draw(image) for image in step.images])
        bad = Counter(f"{status:04X}" for status in statuses if status != SUCCESS)
        message = "、".join(f"{status} {count} 个" for status, count in bad.items())
        return Sent(step, not bad, message, instances=statuses.count(SUCCESS))

    def _listed(self, step: Step, web: ImageServer) -> Sent:
        """By /images/list: the gateway fetches them (四(二)2(3))."""
        count = 0
        for series in web.offer([draw(image) for image in step.images]):
            try:
                count += self._gateway.push_images_list(series).added
            except Refused as refused:
                return Sent(step, False, refused.answer.message, _rules(refused.answer))
        return Sent(step, True, "", instances=count)


def _rules(answer: Answer) -> tuple[str, ...]:
    return tuple(dict.fromkeys(finding.rule for finding in answer.findings))


def push_day(day: Day, pusher: Pusher, seen: Callable[[Sent], None] = lambda _: None) -> list[Sent]:
    """All steps of the day in order; `seen` is called after each. Raises as `Pusher.push`."""
    done = []
    for step in day.steps:
        done.append(pusher.push(step))
        seen(done[-1])
    return done


def unplanned(sent: Iterable[Sent]) -> list[Sent]:
    """The steps the gateway decided otherwise than planned."""
    return [one for one in sent if not one.as_planned]
