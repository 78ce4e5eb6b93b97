"""code-server's rules of the heart: what `/healthz` says about use (measured on code-server 4.100.3)."""

from dataclasses import dataclass

PERIOD = 60.0
"""Seconds a beat keeps the heart alive, and after which open connections make it beat again."""


@dataclass(slots=True)
class Heart:
    """When the machine was last used; `last` is 0 before the first use."""

    last: float = 0.0
    _look_at: float | None = None

    def beat(self, *, now: float) -> None:
        """Count a request, of any path but `/healthz`, as use."""
        self.last = now
        self._look_at = now + PERIOD

    def pass_time(self, *, now: float, connections: int) -> None:
        """Beat again a period after the last beat if any TCP connection is open, even a silent one."""
        if self._look_at is not None and now >= self._look_at:
            self._look_at = None
            if connections:
                self.beat(now=now)

    @property
    def wants_look(self) -> bool:
        """Say whether time passing may still change something."""
        return self._look_at is not None

    def health(self, *, now: float) -> dict[str, object]:
        """Return `/healthz`'s JSON; milliseconds since 1970."""
        alive = self.last > 0 and now - self.last < PERIOD
        return {"status": "alive" if alive else "expired", "lastHeartbeat": int(self.last * 1000)}
