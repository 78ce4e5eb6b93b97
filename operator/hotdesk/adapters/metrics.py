"""What Prometheus sees: claims, queues, AWS calls and API writes, in a registry of our own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

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

if TYPE_CHECKING:
    from collections.abc import Mapping

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST

# Seconds. A claim is two writes to the API server, 2-10 ms each; what waits for a machine to boot takes a minute.
_CLAIM_BUCKETS = (
    *(0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075, 0.1, 0.2, 0.5),
    *(1, 2, 5, 10, 30, 60, 120, 300),
)
_WRITE_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
_AWS_BUCKETS = (0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1.5, 3, 6, 12, 30)


class PrometheusMetrics:
    """`ports.Metrics`, and the observers that the Kubernetes and AWS adapters take. Cheap: a few microseconds each."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self._claims = Histogram(
            "hotdesk_claim_duration_seconds",
            "Time from a Workspace's arrival at the operator to its IP being accepted by the API server.",
            ["pool"],
            buckets=_CLAIM_BUCKETS,
            registry=self.registry,
        )
        self._hits = self._counter("hotdesk_claim_hits_total", "Workspaces that found an idle slot at once.", "pool")
        self._misses = self._counter(
            "hotdesk_claim_misses_total", "Workspaces that had to wait, by cause.", "pool", "cause"
        )
        self._counts = Gauge(
            "hotdesk_pool_count",
            "What a pool has now, by state: slots that are idle, booting, claimed, workspaces that wait, and so on.",
            ["pool", "state"],
            registry=self.registry,
        )
        self._unsecured = Gauge(
            "hotdesk_unsecured_claim_age_seconds",
            "Age of the oldest claim whose machine its Auto Scaling group can still end; 0 without one.",
            ["pool"],
            registry=self.registry,
        )
        self._owner = Gauge(
            "hotdesk_pool_owner",
            "1 for each pool that this replica acts for; the others have it in none or another replica.",
            ["pool"],
            registry=self.registry,
        )
        self._renewals = self._counter(
            "hotdesk_lease_renewals_total", "Tries to renew this replica's Lease, by outcome.", "outcome"
        )
        self._renewal_seconds = Histogram(
            "hotdesk_lease_renewal_duration_seconds",
            "Duration of tries to renew this replica's Lease; it falls silent when none succeeds for 4 s.",
            buckets=_WRITE_BUCKETS,
            registry=self.registry,
        )
        self._aws_calls = self._counter("hotdesk_aws_calls_total", "Calls to AWS.", "action", "outcome")
        self._aws_seconds = Histogram(
            "hotdesk_aws_call_duration_seconds",
            "Duration of calls to AWS.",
            ["action"],
            buckets=_AWS_BUCKETS,
            registry=self.registry,
        )
        self._writes = self._counter(
            "hotdesk_kubernetes_writes_total",
            "Writes to the Kubernetes API, by resource (machines, workspaces/status, …), verb and outcome.",
            *("resource", "verb", "outcome"),
        )
        self._write_seconds = Histogram(
            "hotdesk_kubernetes_write_duration_seconds",
            "Duration of writes to the Kubernetes API.",
            ["resource", "verb"],
            buckets=_WRITE_BUCKETS,
            registry=self.registry,
        )
        self._notices = self._counter(
            "hotdesk_notices_total",
            "Notices by channel (event, sns, webhook) and outcome (told, dropped, failed).",
            *("channel", "outcome"),
        )
        self._states: dict[str, set[str]] = {}

    def claim_published(self, *, pool: str, seconds: float) -> None:
        """Record one claim: seconds from the Workspace's arrival here to its IP being accepted by the API server."""
        self._claims.labels(pool).observe(seconds)

    def claim_hit(self, *, pool: str) -> None:
        """Count a workspace that found an idle slot at once."""
        self._hits.labels(pool).inc()

    def claim_missed(self, *, pool: str, cause: str) -> None:
        """Count a workspace that had to wait, with the cause."""
        self._misses.labels(pool, cause).inc()

    def pool_counts(self, *, pool: str, counts: Mapping[str, int]) -> None:
        """Set the gauges of one pool; a state that is no longer given goes."""
        before = self._states.get(pool, set())
        for state in before - counts.keys():
            self._counts.remove(pool, state)
        for state, count in counts.items():
            self._counts.labels(pool, state).set(count)
        self._states[pool] = set(counts)

    def unsecured_age(self, *, pool: str, seconds: float) -> None:
        """Set the age of the oldest claim whose machine is still within its group's reach."""
        self._unsecured.labels(pool).set(seconds)

    def pool_removed(self, *, pool: str) -> None:
        """Forget everything that carries the name of a pool that is gone."""
        self._states.pop(pool, None)
        for metric in (self._claims, self._hits, self._misses, self._counts, self._unsecured):
            metric.remove_by_labels({"pool": pool})

    def pool_left(self, *, pool: str) -> None:
        """Forget the gauges of a pool that another replica owns; what was counted here stays counted."""
        self._states.pop(pool, None)
        for metric in (self._counts, self._unsecured, self._owner):
            metric.remove_by_labels({"pool": pool})

    def pool_owned(self, *, pool: str) -> None:
        """Show that this replica owns a pool, until it is left."""
        self._owner.labels(pool).set(1)

    def lease_renewed(self, *, outcome: str, seconds: float) -> None:
        """Count one try to renew this replica's Lease; the outcome is `ok` or the name of an error."""
        self._renewals.labels(outcome).inc()
        self._renewal_seconds.observe(seconds)

    def aws_call(self, *, action: str, outcome: str, seconds: float) -> None:
        """Count one call to AWS; the outcome is `ok` or the name of an error."""
        self._aws_calls.labels(action, outcome).inc()
        self._aws_seconds.labels(action).observe(seconds)

    def api_write(self, *, resource: str, verb: str, outcome: str, seconds: float) -> None:
        """Count one write to the Kubernetes API; the outcome is `ok` or the name of an error."""
        self._writes.labels(resource, verb, outcome).inc()
        self._write_seconds.labels(resource, verb).observe(seconds)

    def notice(self, *, channel: str, outcome: str) -> None:
        """Count a notice that was told on a channel, dropped because too many waited, or not delivered."""
        self._notices.labels(channel, outcome).inc()

    def render(self) -> bytes:
        """Return everything in Prometheus' text format (`CONTENT_TYPE`)."""
        return generate_latest(self.registry)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, registry=self.registry)
