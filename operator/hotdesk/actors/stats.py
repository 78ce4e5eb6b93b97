"""How well claims went since the start: counts, hit rate and latencies for a pool's status."""

from collections import deque
from dataclasses import dataclass, field

from hotdesk.api.v1alpha1 import ClaimStats

_KEPT = 1000  # latest latencies that the percentiles are taken from


@dataclass(slots=True)
class ClaimLog:
    """Counts of one pool since the operator started; latencies are in seconds."""

    total: int = 0
    hits: int = 0
    _latencies: deque[float] = field(default_factory=lambda: deque(maxlen=_KEPT))

    def record(self, *, seconds: float, hit: bool) -> None:
        """Count one published claim; only hits say how fast a claim is, a miss is as slow as a boot."""
        self.total += 1
        if hit:
            self.hits += 1
            self._latencies.append(seconds)

    def summary(self) -> ClaimStats | None:
        """Return the figures for the status, None before the first claim."""
        if not self.total:
            return None
        ordered = sorted(self._latencies)
        return ClaimStats(
            total=self.total,
            hits=self.hits,
            hit_rate=f"{100 * self.hits / self.total:.1f}%",
            latency_p50=_at(ordered, 50),
            latency_p99=_at(ordered, 99),
        )


def _at(ordered: list[float], percent: int) -> str | None:
    if not ordered:
        return None
    return f"{1000 * ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]:.0f}ms"
