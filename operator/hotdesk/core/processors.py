"""Since when a machine's processors are busy, from what CloudWatch measured."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

PERIOD: Final = timedelta(minutes=5)
"""What one figure is the average of: EC2's basic monitoring measures no finer."""
WINDOW: Final = timedelta(hours=3)
"""How far back is asked: whoever has been busy for longer is busy since then, as far as we know."""
_FRESH: Final = timedelta(minutes=15)  # a figure comes minutes after its period; older ones say nothing about now


@dataclass(frozen=True, slots=True)
class Load:
    """The average use of a machine's processors over one period."""

    began: datetime
    percent: float


def busy_since(loads: Sequence[Load], *, above: float, now: datetime) -> datetime | None:
    """Return when the unbroken row of busy periods began that reaches to now; None if there is none.

    A period that was not measured breaks the row, as a quiet one does.
    """
    newest_first = sorted((load for load in loads if load.began <= now), key=lambda load: load.began, reverse=True)
    if not newest_first or newest_first[0].began + PERIOD < now - _FRESH:
        return None
    since: datetime | None = None
    for load in newest_first:
        if not load.percent > above or (since is not None and since - load.began > PERIOD):
            break
        since = load.began
    return since
