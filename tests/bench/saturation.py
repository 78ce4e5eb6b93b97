"""The highest Poisson rate at which 99 of 100 still have their IP within 100 ms."""

from collections.abc import Callable
from dataclasses import dataclass

from bench.figures import Run

LIMIT = 100.0  # milliseconds
_RATES = (10, 15, 20, 30, 40, 50, 60, 75, 90, 110, 130, 155, 185, 220)  # a second
_SECONDS = 4.0


@dataclass(frozen=True)
class Saturation:
    """What was found for one of the two."""

    rate: int
    """The highest rate within the limit; 0 if not even the lowest was."""
    tried: dict[int, float]
    """p99 in milliseconds by rate."""


@dataclass(frozen=True)
class SaturationPair:
    """The floor's and Hotdesk's."""

    floor: Saturation
    hotdesk: Saturation

    @property
    def ratio(self) -> float:
        """Return Hotdesk's share of the floor's."""
        return self.hotdesk.rate / self.floor.rate if self.floor.rate else 0.0


def find_saturation(measure: Callable[[int, float], Run]) -> Saturation:
    """Search by halves; `measure(rate, seconds)` runs one window."""
    tried: dict[int, float] = {}
    low, high = -1, len(_RATES)  # within the limit, beyond the limit
    while high - low > 1:
        middle = (low + high) // 2
        rate = _RATES[middle]
        tried[rate] = measure(rate, _SECONDS).latencies.p99
        if tried[rate] < LIMIT:
            low = middle
        else:
            high = middle
    return Saturation(rate=_RATES[low] if low >= 0 else 0, tried=tried)
