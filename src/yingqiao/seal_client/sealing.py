"""The act of sealing: PDF prepared in a bounded process, its digest signed by the unlocked key, stamped where that is
configured, journaled, handed over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from yingqiao.client.stamping import SILENT
from yingqiao.gm import certificates, sm2, sm3
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
from yingqiao.signing.errors import SigningRefused
from yingqiao.signing.seals import parallel
from yingqiao.signing.seals.pdf import placing, writing
from yingqiao.signing.seals.pdf.picture import SealPicture
from yingqiao.signing.seals.pdf.placing import Placement
from yingqiao.signing.seals.pdf.writing import Names, Sealed
from yingqiao.signing.seals.sealing import Sealer
from yingqiao.signing.seals.stamps import Stamp


@dataclass(frozen=True, slots=True)
class Done:
    """`pdf` with all seals; of parallel signing `contents` for the host as well. `without` says in Chinese why there is
    no time stamp where there should be one.
    """

    pdf: bytes = field(repr=False)
    contents: dict[str, Any] | None
    stamped: bool
    without: str


class Stamping:
    """The time stamps of one act. A service found silent is not waited for again in it."""

    def __init__(self, service: Callable[[bytes], bytes], *, may_go_without: bool) -> None:
        self._service, self._may_go_without = service, may_go_without
        self.without = ""

    def __call__(self, value: bytes) -> bytes | None:
        """Raises SigningRefused: silent and it may not go without, or refused."""
        if self.without:
            return None
        try:
            return self._service(value)
        except SigningRefused as error:
            if error.code != SILENT or not self._may_go_without:
                raise
            self.without = error.reason
            return None


class Act:
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
        self._limits = loaded.limits
        self._names = Names(reason=told.reason)
        self._service, self._stamp = loaded.stamp, loaded.config.stamp
        self._tries = PinTries(loaded.state, most=told.pin_tries, lock_seconds=told.lock_minutes * 60)
        self._journal = Journal(loaded.state)

    def find(self, data: bytes, keyword: str) -> list[dict[str, Any]]:
        """Raises GmError."""
        return [asdict(one) for one in self._sandbox.call(looking.find, data, keyword, self._limits)]

    def plan(self, data: bytes, wishes: Wishes, seal: Seal) -> list[dict[str, Any]]:
        """The pieces of all wishes. Raises GmError."""
        picture = _picture(seal)
        found = []
        for placement in _placements(wishes, picture):
            found += self._pieces(data, placement, picture)
        return found

    def seal(self, session: Session, wishes: Wishes, held: HeldSeal, pin: str) -> Done:
        """One act of a person: `pin` is tried once and not kept. Raises Refused, GmError."""
        at = self._clock()
        stamping = self._stamping()
        try:
            with self._unlocked(held, pin) as key:
                sealer = _sealer(held, key, at, stamping)
                steps = list(self._steps(session.current, wishes, sealer, held, at))
        except SigningRefused as error:
            raise Refused(503 if error.code == SILENT else 409, error.code, error.reason) from error
        made = steps[-1][1].data
        self._write_down(session, wishes, held, made, at, stamped=sealer.stamped)
        contents = self._contents(session, steps, held, at) if session.parameters.parallel else None
        return Done(made, contents, sealer.stamped, stamping.without if stamping else "")

    def _stamping(self) -> Stamping | None:
        if self._service is None:
            return None
        return Stamping(self._service, may_go_without=self._stamp.silent == "seal")

    @contextmanager
    def _unlocked(self, held: HeldSeal, pin: str) -> Iterator[Key]:
        """Only the trying of the PIN counts as a try. Raises Refused."""
        with ExitStack() as stack:
            with self._tries.one(held.id):
                key = stack.enter_context(self._device.unlocked(held.id, pin))
            yield key

    def _steps(
        self, data: bytes, wishes: Wishes, sealer: Sealer, held: HeldSeal, at: datetime
    ) -> Iterator[tuple[Placement, Sealed]]:
        """One signature after the other, each over what the one before made."""
        for placement in _placements(wishes, sealer.picture):
            done = writing.seal_once(
                data,
                placement,
                sealer.picture,
                sealer,
                reserve=sealer.reserve,
                at=at,
                names=replace(self._names, name=held.seal.info.name),
                limits=self._limits,
                preparing=writing.prepared_by(self._sandbox.call),
            )
            yield placement, done
            data = done.data

    def _contents(
        self, session: Session, steps: list[tuple[Placement, Sealed]], held: HeldSeal, at: datetime
    ) -> dict[str, Any]:
        """For the host to merge (§3.4's reading of bParallelSign)."""
        info, base, parts = held.seal.info, session.current, []
        for placement, done in steps:
            pieces = self._pieces(session.current, placement, _picture(held.seal))
            parts.append(parallel.part(base, done.data, done.prepared.byte_range, done.signature, pieces))
            base = done.data
        seal = {"esId": info.es_id, "name": info.name}
        return parallel.contents(session.current, parts, token=session.parameters.token, seal=seal, at=at)

    def _pieces(self, data: bytes, placement: Placement, picture: SealPicture) -> list[dict[str, Any]]:
        return [
            asdict(one) for one in self._sandbox.call(looking.plan, data, placement, picture, self._limits)
        ]

    def _write_down(
        self, session: Session, wishes: Wishes, held: HeldSeal, made: bytes, at: datetime, *, stamped: bool
    ) -> None:
        use = Use(
            time=at.isoformat(timespec="seconds"),
            seal=held.seal.info.es_id,
            certificate=sm3.digest(held.certificate).hex(),
            base=session.digest,
            sealed=sm3.digest(made).hex(),
            pages=tuple(sorted({point.page for point in wishes.points})),
            paging=wishes.paging is not None,
            token=session.parameters.token,
            parallel=session.parameters.parallel,
            stamped=stamped,
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
        which = placing.Which(wishes.paging.which)
        found.append(placing.Paging(side, which, wishes.paging.group, centre))
    return found


def _sealer(held: HeldSeal, key: Key, at: datetime, stamp: Stamp | None) -> Sealer:
    """Raises SigningRefused, GmError."""
    public = sm2.PublicKey.from_point(certificates.parse(held.certificate).key.point)

    def sign(message: bytes) -> bytes:
        value = key.sign(message)
        if not sm2.verify(public, message, value):
            raise Refused(500, "key-mismatch", "签名密钥与印章的证书不是一对，没有盖章")
        return value

    return Sealer(held.seal.raw, held.certificate, sign, stamp=stamp, now=lambda: at)
