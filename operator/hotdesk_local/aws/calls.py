"""Every call the simulator has seen, and the count that orders all that happens."""

from collections import deque
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

KEPT = 100_000


@dataclass(slots=True)
class Call:
    """One call. `status` is the HTTP status the client got, 0 while it runs or when the connection was dropped."""

    n: int
    time: float
    service: str
    action: str
    params: dict[str, Any]
    status: int = 0
    error: str | None = None
    doomed: bool = False
    """It goes well, and what it began shall end badly."""
    key: str = ""
    """Id of the key that signed it."""

    @property
    def cause(self) -> str:
        """The words other records use for what this call did."""
        return f"call {self.n} {self.action}"


@dataclass(slots=True)
class CallLog:
    """The last hundred thousand calls, numbered from 1 without gaps."""

    last: int = 0
    _calls: deque[Call] = field(default_factory=lambda: deque(maxlen=KEPT))

    def begin(self, *, time: float, service: str, action: str, params: dict[str, Any], key: str = "") -> Call:
        """Record a call in the order in which it takes effect."""
        self.last += 1
        call = Call(n=self.last, time=time, service=service, action=action, params=params, key=key)
        self._calls.append(call)
        return call

    def after(self, n: int) -> list[Call]:
        """Return the kept calls numbered above `n`, oldest first."""
        first = self.last - len(self._calls)
        return list(islice(self._calls, max(0, n - first), None))
