"""When somebody last used a program of the platform's own, which answers as we ask it to."""

from datetime import datetime

from hotdesk.adapters.signals.answers import Answer, Asker, NoAnswer
from hotdesk.adapters.signals.moments import moment_of, on_our_clock
from hotdesk.api.v1alpha1 import HttpActivityProbe


async def ask_program(asker: Asker, probe: HttpActivityProbe, *, now: datetime) -> datetime | None:
    """Return when it was last used, now if it says that it is; None if never since it started.

    Raises what asking raises.
    """
    return read_activity(await asker.get(probe.path), now=now)


def read_activity(answer: Answer, *, now: datetime) -> datetime | None:
    """Read `{"lastActivity": "2026-01-02T03:04:05Z", "active": false}`; either may be left out, but not both."""
    said = answer.json
    if not isinstance(said, dict) or not said.keys() & {"lastActivity", "active"}:
        raise NoAnswer("neither lastActivity nor active")
    active, latest = said.get("active", False), said.get("lastActivity")
    if not isinstance(active, bool):
        raise NoAnswer("active is neither true nor false")
    if active:
        return now
    return on_our_clock(moment_of(latest), their_now=answer.date, our_now=now) if latest is not None else None
