"""Which work has failed lately and must wait before it is tried again."""

from dataclasses import dataclass, field

from hotdesk.core.keys import Key
from hotdesk.ports import Clock

_FIRST = 0.2  # seconds
_LONGEST = 30.0  # seconds


@dataclass(slots=True)
class _Failure:
    times: int
    until: float  # monotonic seconds


@dataclass(slots=True)
class Backoff:
    """Doubling waits per key, from 0.2 s to 30 s; a success clears them."""

    clock: Clock
    _failures: dict[Key, _Failure] = field(default_factory=dict)

    def holds(self, key: Key) -> bool:
        """Tell whether the key must still wait."""
        failure = self._failures.get(key)
        return failure is not None and self.clock.monotonic() < failure.until

    def failed(self, key: Key, *, at_least: float = 0.0) -> float:
        """Make the key wait, and return for how many seconds."""
        times = self._failures[key].times + 1 if key in self._failures else 1
        wait: float = max(at_least, min(_FIRST * 2 ** (times - 1), _LONGEST))
        self._failures[key] = _Failure(times=times, until=self.clock.monotonic() + wait)
        return wait

    def succeeded(self, key: Key) -> None:
        """Let the key go on at once."""
        self._failures.pop(key, None)
