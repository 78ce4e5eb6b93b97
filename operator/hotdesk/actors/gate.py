"""Whether this process may act: only while it can prove to the others that it lives."""

from datetime import timedelta
from typing import Protocol

from hotdesk.ports import Clock, Fenced


class Gate(Protocol):
    """Asked before work is planned, and again before each write is sent."""

    @property
    def is_open(self) -> bool:
        """Whether this process may act now."""

    def check(self) -> None:
        """Return if this process may act; raise Fenced otherwise. Safe to call on any thread."""


class OpenGate:
    """For a process that asks nobody: it always may."""

    is_open = True

    def check(self) -> None:
        """Return."""


class LeaseGate:
    """Open for some seconds after each renewal of this replica's Lease, counted from the renewal's start.

    It closes by the clock alone: a process that was paused finds it closed when it goes on, whatever it was doing.
    """

    def __init__(self, clock: Clock, *, deadline: timedelta) -> None:
        self._clock = clock
        self._deadline = deadline.total_seconds()
        self._until = float("-inf")

    @property
    def is_open(self) -> bool:
        """Whether the last renewal is recent enough."""
        return self._clock.monotonic() < self._until

    def renewed(self, *, started: float) -> bool:
        """Take in that a renewal succeeded that was begun at this moment; tell whether that opens the gate again."""
        was_shut = not self.is_open
        self._until = max(self._until, started + self._deadline)
        return was_shut and self.is_open

    def shut(self) -> None:
        """Close it until the next renewal."""
        self._until = float("-inf")

    def check(self) -> None:
        """Return if the last renewal is recent enough; raise Fenced otherwise."""
        if not self.is_open:
            raise Fenced("nothing was sent: this replica has not renewed its Lease in time")
