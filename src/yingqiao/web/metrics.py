"""What /metrics tells: counts by the stage where a walk ended, durations by stage, and how things stand.

With several processes prometheus_client keeps its values in files (PROMETHEUS_MULTIPROC_DIR); one keeps
them in memory. Either way a request touches a few numbers of ours, poured in once a second.
"""

from __future__ import annotations

import os
import threading
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from yingqiao.web.visit import Visit

_SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_SIZES = tuple(float(1024 * 4**power) for power in range(9))
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class _Tallied(Histogram):
    """A histogram that also takes many observations at once."""

    def add(self, counts: Sequence[int], total: float) -> None:
        """`counts` of observations a bucket, the last one for what is above all bounds; their sum."""
        self._sum.inc(total)
        for bucket, count in zip(self._buckets, counts, strict=True):
            if count:
                bucket.inc(count)


class _Tally:
    """Observations not yet in their histogram: putting each there by itself costs ten times as much."""

    __slots__ = ("_bounds", "_counts", "_into", "_total")

    def __init__(self, into: _Tallied, bounds: Sequence[float]) -> None:
        self._into = into
        self._bounds = bounds
        self._clear()

    def observe(self, value: float) -> None:
        self._counts[bisect_left(self._bounds, value)] += 1
        self._total += value

    def pour(self) -> None:
        """Into the histogram."""
        if any(self._counts):
            self._into.add(self._counts, self._total)
            self._clear()

    def _clear(self) -> None:
        self._counts = [0] * (len(self._bounds) + 1)
        self._total = 0.0


class Metrics:
    """The gateway's metrics in a registry of their own. Safe for threads."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._ended = Counter(
            "yingqiao_requests",
            "请求数，按接口、结束阶段与结果",
            ("interface", "stage", "outcome"),
            registry=self.registry,
        )
        seconds = _Tallied(
            "yingqiao_stage_seconds", "各阶段耗时（秒）", ("stage",), buckets=_SECONDS, registry=self.registry
        )
        size = _Tallied("yingqiao_body_bytes", "请求体大小（字节）", buckets=_SIZES, registry=self.registry)
        self._receive, self._validate, self._record = (
            _Tally(seconds.labels(stage), _SECONDS) for stage in ("receive", "validate", "record")
        )
        self._size = _Tally(size, _SIZES)
        self._gauges: dict[str, Gauge] = {}
        self._families: dict[str, Gauge] = {}
        self._totals: dict[str, tuple[Counter, float]] = {}
        """By name, with what was last said of it."""
        self._counts: defaultdict[tuple[str, str, str], int] = defaultdict(int)
        self._lock = threading.Lock()
        """Around what is not yet in the registry."""

    def ended(self, visit: Visit) -> None:
        """Count one walk that ended at its `stage` (receive | open | validate | record: it went all the way)."""
        with self._lock:
            self._counts[visit.interface, visit.stage, visit.outcome] += 1
            if visit.judged:
                self._receive.observe(visit.received - visit.began)
                self._validate.observe(visit.judged - visit.received)
                self._record.observe(visit.ended - visit.judged)
                self._size.observe(visit.size)

    def _pour(self) -> None:
        with self._lock:
            for labels, count in self._counts.items():
                self._ended.labels(*labels).inc(count)
            self._counts.clear()
            for tally in (self._receive, self._validate, self._record, self._size):
                tally.pour()

    def stand(self, values: Mapping[str, float]) -> None:
        """Set how things stand now: name (without prefix) -> value. Called about once a second.

        A name that ends in `_total` only ever grows: a counter. Others are gauges, and may carry labels:
        `work_rows{kind=fetch,state=waiting}`.
        """
        self._pour()
        for name, value in values.items():
            if name.endswith("_total"):
                self._count(name, value)
                continue
            gauge = self._gauges.get(name)
            if gauge is None:
                gauge = self._gauges[name] = self._gauge(name)
            gauge.set(value)

    def _count(self, name: str, value: float) -> None:
        """The counter grows to `value`; one that fell (rows were deleted) stays where it is."""
        counter, before = self._totals.get(name) or (self._counter(name), 0.0)
        counter.inc(max(0.0, value - before))
        self._totals[name] = counter, max(value, before)

    def _counter(self, name: str) -> Counter:
        return Counter(f"yingqiao_{name}", _HELP.get(name, name), registry=self.registry)

    def _gauge(self, name: str) -> Gauge:
        family, _, labels = name.rstrip("}").partition("{")
        pairs = dict(pair.split("=", 1) for pair in labels.split(",")) if labels else {}
        made = self._families.get(family)
        if made is None:
            made = self._families[family] = Gauge(
                f"yingqiao_{family}",
                _HELP.get(family, family),
                tuple(pairs),
                registry=self.registry,
                multiprocess_mode=_MODES.get(family.partition("_")[0], "livemostrecent"),
            )
        return made.labels(**pairs) if pairs else made

    def text(self) -> bytes:
        """The exposition of all processes of this gateway; what others counted in the last second may be missing."""
        self._pour()
        if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
            return generate_latest(self.registry)
        together = CollectorRegistry()
        MultiProcessCollector(together)  # type: ignore[no-untyped-call]
        return generate_latest(together)


_MODES: dict[str, Literal["livesum", "livemin"]] = {"http": "livesum", "register": "livemin"}
"""What several processes' gauges are together, by the first word of their name; else the newest counts."""
_HELP = {
    "register_as_of_seconds": "内存中的登记表（标签 register）截至何时（Unix 秒）：此前提交的变更都已生效；多个进程取最旧的",
    "disk_free_bytes": "数据目录所在磁盘的剩余空间（字节）",
    "index_queue": "已落地、待建索引的影像实例数",
    "link_queue": "待关联的检查、报告与影像数",
    "link_rows_set_aside": "关联时总出错、暂被跳过的检查、报告与影像数；日志事件 link.row_set_aside 有编号",
    "crl_seconds_left": "内置 CA（含仍须发布的以前的 CA）最先失效的吊销列表距失效的秒数，负数为已失效",
    "crl_imported_seconds_left": "离线 CA 导入的吊销列表中最先失效的距失效的秒数，负数为已失效，须导入新的",
    "work_rows": "后台工作的件数，按种类与状态",
    "work_in_hand": "本进程正在进行的后台工作数",
    "work_oldest_waiting_seconds": "可以开始而等得最久的后台工作等了多久（秒）",
    "work_destinations_held": "被暂停的目的地数",
    "work_breakers_open": "熔断中的目的地数",
    "fetched_files_total": "启动以来从地址取回并落地的文件数",
    "fetched_bytes_total": "启动以来从地址取回的字节数",
    "fetch_failures_total": "启动以来没有取到的文件次数，原因见 yingqiao lists show",
    "dicom_associations": "当前 DICOM 关联数",
    "commitment_requests_total": "存储承诺请求数",
    "commitments_not_told": "结果尚未送达请求方的存储承诺请求数",
    "http_connections": "当前 HTTP 连接数",
    "http_in_flight": "正在处理的 HTTP 请求数",
    "dicom_instances_received_total": "启动以来答 0000 的影像实例数",
    "dicom_bytes_received_total": "启动以来答 0000 的数据集字节数",
    "dicom_instances_refused_total": "启动以来没有答 0000 的操作数",
    "dicom_associations_rejected_total": "启动以来拒绝的关联数",
    "linked_rows_total": "启动以来处理过的关联行数",
}
