"""The act of sealing: PDF prepared in a bounded process, its digest signed by the unlocked key, journaled, handed over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from yingqiao.gm import certificates, ses, sm2, sm3
from yingqiao.gm.errors import GmError
from yingqiao.gm.ses import Seal
from yingqiao.sandbox import Sandbox
from yingqiao.seal_client import looking
from yingqiao.seal_client.config import Loaded
from yingqiao.seal_client.device import Device, HeldSeal, Key
from yingqiao.seal_client.errors import Refused
from yingqiao.seal_client.journal import Journal, Use
from yingqiao.seal_client.sessions import Session
from yingqiao.seal_client.tries import PinTries
from yingqiao.seal_client.wishes import Wishes
from yingqiao.signing.seals import parallel
from yingqiao.signing.seals.pdf import placing, writing
from yingqiao.signing.seals.pdf.limits import Limits
from yingqiao.signing.seals.pdf.picture import SealPicture
from yingqiao.signing.seals.pdf.placing import Placement
from yingqiao.signing.seals.pdf.writing import Names, Prepared

_LONGEST_VALUE = 80
"""Bytes of a DER SM2 signature, and a little."""
_ANY_RANGE = f"ByteRange[0 {10**10} {10**10} {10**10}]"


@dataclass(frozen=True, slots=True)
class Done:
    """`pdf` with all seals, or of parallel signing `contents` for the host."""

    pdf: bytes = field(default=b"", repr=False)
    contents: Any = None


class Sealer:
    """`clock` is asked for timeInfo, once an act."""

    def __init__(
        self,
        loaded: Loaded,
        device: Device,
        sandbox: Sandbox,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Raises OSError when the state folder cannot be used."""
        told = loaded.config.seal
        self._device, self._sandbox, self._clock = device, sandbox, clock
        self._limits = Limits(bytes=loaded.config.open.max_bytes)
        self._names = Names(reason=told.reason)
        self._tries = PinTries(loaded.state, most=told.pin_tries, lock_seconds=told.lock_minutes * 60)
        self._journal = Journal(loaded.state)

    def facts(self, data: bytes) -> dict[str, Any]:
        """Pages and the signatures there are. Raises GmError."""
        found: looking.Facts = self._sandbox.call(looking.facts, data, self._limits)
        return {
            "pages": found.pages,
            "troubles": found.troubles,
            "signatures": [_signature(one) for one in found.signatures],
        }

    def find(self, data: bytes, keyword: str) -> list[dict[str, Any]]:
        """Raises GmError."""
        return [asdict(one) for one in self._sandbox.call(looking.find, data, keyword, self._limits)]

    def plan(self, data: bytes, wishes: Wishes, seal: Seal) -> list[dict[str, Any]]:
        """The pieces of all wishes. Raises GmError."""
        picture = _picture(seal)
        found = []
        for placement in _placements(wishes, picture):
            found += self._sandbox.call(looking.plan, data, placement, picture, self._limits)
        return [asdict(one) for one in found]

    def seal(self, session: Session, wishes: Wishes, held: HeldSeal, pin: str) -> Done:
        """One act of a person: `pin` is tried once and not kept. Raises Refused, GmError."""
        at = self._clock()
        with self._unlocked(held, pin) as key:
            sign = _signer(held, key, at)
            if session.parameters.parallel:
                done = self._parallel(session, wishes, held, sign, at)
                sealed = ",".join(one["sealedSm3"] for one in done.contents["signatures"])
            else:
                done = Done(self._serial(session.current, wishes, held, sign, at))
                sealed = sm3.digest(done.pdf).hex()
        self._write_down(session, wishes, held, sealed, at)
        return done

    @contextmanager
    def _unlocked(self, held: HeldSeal, pin: str) -> Iterator[Key]:
        """Only the trying of the PIN counts as a try. Raises Refused."""
        with ExitStack() as stack:
            with self._tries.one(held.id):
                key = stack.enter_context(self._device.unlocked(held.id, pin))
            yield key

    def _serial(
        self, data: bytes, wishes: Wishes, held: HeldSeal, sign: Callable[[Prepared], bytes], at: datetime
    ) -> bytes:
        picture = _picture(held.seal)
        return writing.seal_pdf(
            data,
            _placements(wishes, picture),
            picture,
            sign,
            reserve=_reserve(held, at),
            at=at,
            names=self._names_of(held),
            limits=self._limits,
            preparing=self._prepare,
        )

    def _parallel(
        self,
        session: Session,
        wishes: Wishes,
        held: HeldSeal,
        sign: Callable[[Prepared], bytes],
        at: datetime,
    ) -> Done:
        """Each seal over the same base, to be merged by the host (§3.4's reading of bParallelSign)."""
        picture, base = _picture(held.seal), session.current
        parts = []
        for placement in _placements(wishes, picture):
            prepared = self._prepare(
                base,
                placement,
                picture,
                reserve=_reserve(held, at),
                at=at,
                names=self._names_of(held),
                limits=self._limits,
            )
            pieces = self._sandbox.call(looking.plan, base, placement, picture, self._limits)
            parts.append(parallel.part(base, prepared, sign(prepared), [asdict(one) for one in pieces]))
        info = held.seal.info
        return Done(
            contents=parallel.contents(
                base,
                parts,
                token=session.parameters.token,
                seal={"esId": info.es_id, "name": info.name},
                at=at,
            )
        )

    def _names_of(self, held: HeldSeal) -> Names:
        return Names(
            self._names.filter,
            self._names.sub_filter,
            held.seal.info.name,
            self._names.reason,
            self._names.field,
        )

    def _prepare(self, *args: Any, **named: Any) -> Prepared:
        prepared: Prepared = self._sandbox.call(writing.prepare, *args, **named)
        return prepared

    def _write_down(
        self, session: Session, wishes: Wishes, held: HeldSeal, sealed: str, at: datetime
    ) -> None:
        use = Use(
            time=at.isoformat(timespec="seconds"),
            seal=held.seal.info.es_id,
            certificate=sm3.digest(held.certificate).hex(),
            base=session.digest,
            sealed=sealed,
            pages=tuple(sorted({point.page for point in wishes.points})),
            paging=wishes.paging is not None,
            token=session.parameters.token,
            parallel=session.parameters.parallel,
        )
        try:
            self._journal.write(use)
        except OSError as error:
            raise Refused(500, "journal", f"用章流水不能写入，没有盖章：{error.strerror or error}") from error


def _picture(seal: Seal) -> SealPicture:
    picture = seal.info.picture
    return SealPicture(picture.data, picture.width, picture.height)


def _placements(wishes: Wishes, picture: SealPicture) -> list[Placement]:
    """One signature a place; the same place on several pages is one."""
    places: dict[tuple[float, float], list[int]] = {}
    for point in wishes.points:
        places.setdefault((point.x, point.y), []).append(point.page)
    found: list[Placement] = [
        placing.AtPoint(tuple(sorted(set(pages))), x + picture.width_mm / 2, y + picture.height_mm / 2)
        for (x, y), pages in places.items()
    ]
    if wishes.paging is not None:
        side = placing.Side(wishes.paging.side)
        along = picture.height_mm if side in (placing.Side.LEFT, placing.Side.RIGHT) else picture.width_mm
        offset = wishes.paging.offset
        centre = None if offset is None else offset + along / 2
        found.append(placing.Paging(side, centre_mm=centre))
    return found


def _signer(held: HeldSeal, key: Key, at: datetime) -> Callable[[Prepared], bytes]:
    public = sm2.PublicKey.from_point(certificates.parse(held.certificate).key.point)

    def sign(prepared: Prepared) -> bytes:
        """SES_Signature over the prepared file. Raises Refused when the key is not the certificate's."""
        tbs = ses.to_sign(held.seal.raw, at, prepared.digest, prepared.property_info)
        value = key.sign(tbs)
        if not sm2.verify(public, tbs, value):
            raise Refused(500, "key-mismatch", "签名密钥与印章的证书不是一对，没有盖章")
        return ses.signature(tbs, held.certificate, value)

    return sign


def _reserve(held: HeldSeal, at: datetime) -> int:
    """Bytes that a signature takes, at most."""
    tbs = ses.to_sign(held.seal.raw, at, bytes(32), _ANY_RANGE)
    return len(ses.signature(tbs, held.certificate, bytes(_LONGEST_VALUE)))


def _signature(found: looking.Found) -> dict[str, Any]:
    """For the list of what is in the file already; who signed is as the file says, judged elsewhere."""
    name, signer, time = found.name, "", None
    if found.contents:
        try:
            read = ses.parse_signature(found.contents)
            name = read.seal.info.name
            time = int(read.time.timestamp() * 1000) if read.time else None
            signer = certificates.parse(read.certificate).subject.common_name
        except GmError as error:
            return {
                **_shown(found),
                "name": name,
                "signer": "",
                "time": time,
                "problem": found.problem or error.reason,
            }
    return {**_shown(found), "name": name, "signer": signer, "time": time, "problem": found.problem}


def _shown(found: looking.Found) -> dict[str, Any]:
    return {"page": found.page, "rect": asdict(found.rect) if found.rect else None}
