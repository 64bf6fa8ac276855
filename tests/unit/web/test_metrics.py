"""What only grows is a counter, the rest are gauges (Prometheus: names of counters end in _total)."""

from __future__ import annotations

from yingqiao.web.metrics import Metrics


def lines(metrics: Metrics) -> set[str]:
    return set(metrics.text().decode().splitlines())


def test_what_grows_is_a_counter() -> None:
    metrics = Metrics()
    for number in (0, 3, 3, 10):
        metrics.stand({"dicom_instances_received_total": number, "index_queue": number})
    metrics.stand({"index_queue": 2})
    assert {
        "# TYPE yingqiao_dicom_instances_received_total counter",
        "yingqiao_dicom_instances_received_total 10.0",
        "# TYPE yingqiao_index_queue gauge",
        "yingqiao_index_queue 2.0",
    } <= lines(metrics)


def test_a_counter_never_falls() -> None:
    metrics = Metrics()
    for number in (5, 2, 6):
        metrics.stand({"commitment_requests_total": number})
    assert "yingqiao_commitment_requests_total 6.0" in lines(metrics)
