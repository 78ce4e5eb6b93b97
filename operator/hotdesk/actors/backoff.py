"""Which work has failed lately and must wait before it is tried again."""

from dataclasses import dataclass, field
from math import inf

from hotdesk.core.keys import Key
from hotdesk.ports import Clock

_FIRST = 0.2  # seconds
LONGEST = 30.0  # seconds


@dataclass(slots=True)
class _Failure:
    times: int
    noted: float  # monotonic seconds
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

    def failed(self, key: Key, *, began: float = inf, at_least: float = 0.0, at_most: float = LONGEST) -> float:
        """Make the key wait, and return for how many seconds.

        `began` is the monotonic second in which the work was begun, where several are under way under one key. What was
        under way already when the last failure was noted met the same trouble, and doubles nothing: else nine that
        fail together would wait for half a minute.
        """
        now, last = self.clock.monotonic(), self._failures.get(key)
        if last is None:
            times = 1
        elif began < last.noted:
            times = last.times
        else:
            times = last.times + 1
        wait: float = max(at_least, min(_FIRST * 2 ** (times - 1), at_most))
        self._failures[key] = _Failure(times=times, noted=now, until=now + wait)
        return wait

    def succeeded(self, key: Key) -> None:
        """Let the key go on at once."""
        self._failures.pop(key, None)
