"""The simulator's one clock."""

import time
from datetime import UTC, datetime


def now() -> float:
    """Return seconds since 1970."""
    return time.time()  # noqa: TID251  # the simulator stands for the world outside, where time is real


def moment(seconds: float) -> datetime:
    """Return the instant in UTC, as AWS writes it."""
    return datetime.fromtimestamp(seconds, UTC)


def sentence(seconds: float) -> str:
    """Return the instant as the texts of scaling activities write it: 2026-01-31T12:00:00Z."""
    return moment(seconds).strftime("%Y-%m-%dT%H:%M:%SZ")
