"""The other half of a gateway, in the main process only: images in by DICOM, indexed, everything linked, and
the work engine."""

from __future__ import annotations

import contextlib
import ssl
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field

import structlog

from yingqiao.app.folder import StartError
from yingqiao.app.pulse import free_bytes
from yingqiao.app.sealed import SealedFiles
from yingqiao.app.signing_office import open_office
from yingqiao.app.stores import Stores
from yingqiao.app.work import BackgroundWork, Surroundings, commitment_ledger
from yingqiao.dicom.index import read_facts, read_head
from yingqiao.dicom.part10 import part10_head
from yingqiao.dicom.storage_scp import ScpConfig, StorageScp
from yingqiao.dicom.storage_service import SilentObserver
from yingqiao.settings import DicomSettings, Settings
from yingqiao.store.arrivals import Arrivals
from yingqiao.store.commitments import counts
from yingqiao.store.errors import StoreUnavailable
from yingqiao.store.images import ImageIndex
from yingqiao.store.indexer import Indexer
from yingqiao.store.landing import LandingArea, LandingError, segment_number
from yingqiao.store.linkage import Linker
from yingqiao.store.sources import SourceTable, source_table
from yingqiao.tasks.fetching import Fetching, settings_of
from yingqiao.tasks.relay import Relay
from yingqiao.web.health import Check, Part
from yingqiao.web.server import AddressError, parse_address, why_not

PARTS = ("landing", "dicom", "index", "link", "work")
_SOURCES_S = 2.0
_log = structlog.get_logger(__name__)


class Background:
    """Landing area, indexer (recovery first), linker, DICOM receiver, work; started so, stopped in reverse."""

    def __init__(self, settings: Settings, stores: Stores) -> None:
        self._settings = settings
        self._stores = stores
        self._running = ExitStack()
        """Undoes what was started, in reverse."""
        try:
            self._landing = LandingArea(stores.folder.landing, reserve_bytes=settings.reserve_bytes)
        except LandingError as error:
            raise StartError(f"落地区 {stores.folder.landing} 不可用：{error}") from error
        self._running.callback(self._landing.close)
        images = ImageIndex(stores.database)
        self._refuse_known_numbers(images)
        self._indexer = Indexer(
            self._landing, images.index_instances, read_facts, images.progress, read_head=read_head
        )
        self._linker = Linker(stores.database)
        self._fetching = self._make_fetching()
        sealed = SealedFiles(stores, stores.bounded.behind, open_office(settings, stores).seals.stops)
        around = Surroundings(settings, stores, self._landing, self._indexer, self._fetching, sealed)
        self._work = BackgroundWork(around)
        self._relay = Relay(stores.database, stores.fetch_hosts, stores.bell, self._work.wake)
        self._counts = DicomCounts()
        self._commitments = commitment_ledger(around, self._work.wake)
        self._scp = self._make_scp() if settings.dicom.listen else None
        self._port = 0

    def _refuse_known_numbers(self, images: ImageIndex) -> None:
        """A landing area restored from before the database's backup must not use a name again: the index
        would take a new image for one it has."""
        try:
            known = images.progress()
        except StoreUnavailable as error:
            raise StartError("数据库不可用，无法核对落地区", unavailable=True) from error
        self._landing.begin_after(max(map(segment_number, known), default=0))
        missing = known.keys() - self._landing.segments().keys()
        if missing:
            _log.error("landing.files_missing", count=len(missing), first=min(missing))

    def start(self) -> None:
        """Everything runs when this returns. Raises StartError when the DICOM address cannot be had."""
        self._linker.start()
        self._running.callback(self._linker.close)
        self._indexer.start()
        self._running.callback(self._stop_indexing)
        if self._scp is not None:
            self._port = self._listen(self._scp)
        self._running.callback(self._fetching.close)
        self._fetching.sweep()
        with contextlib.suppress(StoreUnavailable):  # then they are told when their time comes
            self._commitments.begin()
        self._work.start()
        self._running.callback(self._work.stop)
        self._start_relay()

    def stop(self) -> None:
        """No new work, no new images; those at work finish; what is landed is indexed as far as the database
        allows. What was never started is left alone."""
        self._running.close()

    def _listen(self, scp: StorageScp) -> int:
        self._running.callback(scp.stop)
        try:
            return scp.start()
        except OSError as error:
            raise StartError(f"DICOM：{why_not(self._settings.dicom.listen, error)}") from error

    def _stop_indexing(self) -> None:
        if not self._indexer.stop():
            _log.warning("index.left", instances=self._indexer.backlog, hint="重启后从落地区继续")

    def _start_relay(self) -> None:
        try:
            self._relay.start()
        except OSError as error:
            raise StartError(f"不能建立 {self._stores.folder.bell}：{error.strerror}") from error
        self._running.callback(self._relay.close)

    @property
    def dicom_port(self) -> int:
        return self._port

    def checks(self) -> dict[str, Check]:
        return dict(
            zip(
                PARTS,
                (self._landing_part, self._dicom_part, self._index_part, self._link_part, self._work.part),
                strict=True,
            )
        )

    def gauges(self) -> dict[str, float]:
        counted = self._counts
        return {
            "disk_free_bytes": float(free_bytes(self._stores.folder.root)),
            "index_queue": float(self._indexer.backlog),
            "linked_rows_total": float(self._linker.taken),
            "link_rows_set_aside": float(self._linker.set_aside),
            "dicom_associations": float(self._scp.associations) if self._scp else 0.0,
            "dicom_instances_received_total": float(counted.instances),
            "dicom_bytes_received_total": float(counted.bytes),
            "dicom_instances_refused_total": float(counted.refused),
            "dicom_associations_rejected_total": float(counted.rejected),
            "fetched_files_total": float(self._fetching.counts.files),
            "fetched_bytes_total": float(self._fetching.counts.bytes),
            "fetch_failures_total": float(self._fetching.counts.failed),
            **self._commitment_counts(),
        } | self._work.gauges()

    def _make_fetching(self) -> Fetching:
        stores = self._stores
        indexer = self._indexer
        arrivals = Arrivals(
            self._landing, indexer.submit, part10_head, lambda: indexer.is_behind, indexer.hurry
        )
        aet = self._settings.dicom.listen.partition("@")[0] or "YINGQIAO"
        parts = settings_of(stores.folder.parts)
        return Fetching(stores.database, stores.fetch_hosts, arrivals, stores.objects, parts, aet)

    def _commitment_counts(self) -> dict[str, float]:
        try:
            with self._stores.database.read() as connection:
                total, waiting = counts(connection)
        except StoreUnavailable:
            return {}
        return {"commitment_requests_total": float(total), "commitments_not_told": float(waiting)}

    def _make_scp(self) -> StorageScp:
        dicom = self._settings.dicom
        return StorageScp(
            _scp_config(dicom),
            self._landing,
            self._indexer.submit,
            admits=_Admission(self._stores),
            is_behind=lambda: self._indexer.is_behind,
            observer=self._counts,
            commitments=self._commitments if dicom.commitment else None,
        )

    def _landing_part(self) -> Part:
        free = self._landing.free_bytes()
        return Part(free > 0, f"保留空间之上还有 {free // 1024**2} MiB")

    def _dicom_part(self) -> Part:
        if self._scp is None:
            return Part(ok=True, detail="未启用")
        return Part(self._port > 0, self._settings.dicom.listen)

    def _index_part(self) -> Part:
        return Part(not self._indexer.is_behind, f"待建索引 {self._indexer.backlog}")

    def _link_part(self) -> Part:
        return Part(self._linker.available, "" if self._linker.available else "数据库不可用，稍后继续")


@dataclass(slots=True)
class DicomCounts(SilentObserver):
    """What the receiver told since the start. Written by many threads: each number under the lock."""

    instances: int = 0
    bytes: int = 0
    refused: int = 0
    rejected: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def instance_stored(self, size: int, seconds: float) -> None:  # noqa: ARG002 the receiver's seam
        with self._lock:
            self.instances += 1
            self.bytes += size

    def instance_refused(self, status: int) -> None:  # noqa: ARG002 the receiver's seam
        with self._lock:
            self.refused += 1

    def association_rejected(self, cause: str) -> None:  # noqa: ARG002 the receiver's seam
        with self._lock:
            self.rejected += 1


class _Admission:
    """Who may send images, by the table of sources; looked at again every two seconds."""

    def __init__(self, stores: Stores) -> None:
        self._database = stores.database
        self._lock = threading.Lock()
        self._table = SourceTable(())
        self._read_at = float("-inf")
        self._refresh()
        if self._table.empty:
            _log.warning("dicom.open", hint="没有登记影像来源，任何 AE 都可发送；用 hospitals dicom add 限定")

    def __call__(self, calling_aet: str, address: str) -> bool:
        self._refresh()
        return self._table.admits(calling_aet, address)

    def _refresh(self) -> None:
        with self._lock:
            if time.monotonic() - self._read_at < _SOURCES_S:
                return
            self._read_at = time.monotonic()
        try:
            with self._database.read() as connection:
                self._table = source_table(connection)
        except StoreUnavailable:
            _log.warning("dicom.sources_not_refreshed")


def _scp_config(dicom: DicomSettings) -> ScpConfig:
    aet, at, address = dicom.listen.partition("@")
    if not at or not 1 <= len(aet) <= 16:
        raise StartError(f"DICOM 地址 {dicom.listen!r} 应写作 AET@HOST:PORT，AE 标题 1–16 个字符")
    try:
        host, port = parse_address(address)
    except AddressError as error:
        raise StartError(f"DICOM：{error}") from error
    return ScpConfig(
        aet=aet,
        host=host,
        port=port,
        check_called_aet=dicom.check_called_aet,
        max_associations=dicom.max_associations,
        max_pdu=dicom.max_pdu,
        async_window=dicom.async_window,
        max_instance_bytes=dicom.max_instance_bytes,
        idle_timeout=dicom.idle_seconds,
        pdu_timeout=dicom.pdu_seconds,
        request_timeout=dicom.request_seconds,
        association_timeout=dicom.association_seconds,
        write_timeout=dicom.write_seconds,
        min_bytes_per_second=dicom.min_rate,
        tls=_tls(dicom),
    )


def _tls(dicom: DicomSettings) -> ssl.SSLContext | None:
    if not dicom.tls_certificate:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(dicom.tls_certificate, dicom.tls_key or None)
        if dicom.tls_clients:
            context.load_verify_locations(dicom.tls_clients)
            context.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ssl.SSLError) as error:
        raise StartError(f"DICOM TLS 的证书或私钥读不了：{error}") from error
    return context
