"""How often something may happen: so many a second, and a burst after a silence."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Rate:
    """So many a second on average, and up to `burst` at once."""

    per_second: float
    burst: int

    @property
    def tolerance(self) -> float:
        """Seconds by which one may be early."""
        return (self.burst - 1) / self.per_second


@dataclass(slots=True)
class Limits:
    """One limit for many, by key. It remembers one number for each that was here lately (the GCRA of ATM)."""

    rate: Rate
    _free_at: dict[str, float] = field(default_factory=dict)  # when its whole burst is free again
    _sweep_above: int = 1024

    def __len__(self) -> int:
        return len(self._free_at)

    def admit(self, key: str, *, at: float) -> float:
        """Return 0 and count it, or the seconds until one more is admitted. `at` is a clock that never steps."""
        free_at = max(self._free_at.get(key, at), at)
        # The difference first: beside a large `at`, a small step would be lost in rounding.
        early = (free_at - at) - self.rate.tolerance
        if early > _ROUNDING:
            return early
        self._free_at[key] = free_at + 1 / self.rate.per_second
        if len(self._free_at) > self._sweep_above:
            self._sweep(at)
        return 0.0

    def _sweep(self, at: float) -> None:
        """Forget those who are as good as new; done whenever their number has doubled."""
        self._free_at = {key: free_at for key, free_at in self._free_at.items() if free_at > at}
        self._sweep_above = max(1024, 2 * len(self._free_at))


_ROUNDING = 1e-6  # seconds
