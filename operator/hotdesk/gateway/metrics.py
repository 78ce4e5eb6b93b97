"""What Prometheus sees of a gateway; no label names a workspace or a person."""

from collections.abc import Callable
from typing import Final

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST

_ANSWER_BUCKETS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
_WRITE_BUCKETS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)


class GatewayMetrics:
    """Counters of one process, in a registry of its own."""

    def __init__(self, *, waiting: Callable[[], int] = lambda: 0) -> None:
        """Make them; `waiting` is asked at every scrape for the number of beats that are still to be written."""
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self._beats = Counter(
            "hotdesk_gateway_beats_total",
            "Beats taken in, by transport (http, websocket) and kind (input, presence).",
            ["transport", "kind"],
            registry=self.registry,
        )
        self._refused = Counter(
            "hotdesk_gateway_refused_total",
            "Requests, connections and messages that were refused, by cause.",
            ["cause"],
            registry=self.registry,
        )
        self._connections = Gauge(
            "hotdesk_gateway_connections", "WebSocket connections that are open.", registry=self.registry
        )
        self._answers = Histogram(
            "hotdesk_gateway_answer_duration_seconds",
            "Time from a request's arrival to its answer.",
            buckets=_ANSWER_BUCKETS,
            registry=self.registry,
        )
        Gauge(
            "hotdesk_gateway_waiting_beats",
            "Workspaces whose newest beat is still to be written, most of them because its time has not come.",
            registry=self.registry,
        ).set_function(waiting)
        self._writes = Counter(
            "hotdesk_kubernetes_writes_total",
            "Writes to the Kubernetes API, by resource, verb and outcome.",
            ["resource", "verb", "outcome"],
            registry=self.registry,
        )
        self._write_seconds = Histogram(
            "hotdesk_kubernetes_write_duration_seconds",
            "Duration of writes to the Kubernetes API.",
            ["resource", "verb"],
            buckets=_WRITE_BUCKETS,
            registry=self.registry,
        )

    def beat(self, *, transport: str, has_input: bool) -> None:
        """Count one beat."""
        self._beats.labels(transport, "input" if has_input else "presence").inc()

    def refused(self, *, cause: str) -> None:
        """Count something that was refused."""
        self._refused.labels(cause).inc()

    def answered(self, *, seconds: float) -> None:
        """Record how long one answer took."""
        self._answers.observe(seconds)

    def connected(self, *, connections: int) -> None:
        """Set the number of open connections."""
        self._connections.set(connections)

    def api_write(self, *, resource: str, verb: str, outcome: str, seconds: float) -> None:
        """Count one write to the Kubernetes API; the outcome is `ok` or the name of an error."""
        self._writes.labels(resource, verb, outcome).inc()
        self._write_seconds.labels(resource, verb).observe(seconds)

    def render(self) -> bytes:
        """Return everything in Prometheus' text format (`CONTENT_TYPE`)."""
        return generate_latest(self.registry)
