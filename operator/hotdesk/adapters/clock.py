"""The real clock."""

import time
from datetime import UTC, datetime


class SystemClock:
    """`ports.Clock` on the machine's clocks."""

    def now(self) -> datetime:
        """Return the current time in UTC."""
        return datetime.now(UTC)  # noqa: TID251  # this is where time enters

    def monotonic(self) -> float:
        """Return seconds on a clock that never steps, and goes on while the computer sleeps."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)
