"""When somebody last used a code-server: its `/healthz`, which is the one request that it does not take for use."""

from datetime import datetime

from hotdesk.adapters.signals.answers import Answer, Asker, NoAnswer
from hotdesk.adapters.signals.moments import moment_of_milliseconds, on_our_clock
from hotdesk.api.v1alpha1 import CodeServerProbe


async def ask_code_server(asker: Asker, probe: CodeServerProbe, *, now: datetime) -> datetime | None:
    """Return when it last had a request or an open connection; None if it never had since it started.

    Raises what asking raises.
    """
    return read_health(await asker.get(probe.path), now=now)


def read_health(answer: Answer, *, now: datetime) -> datetime | None:
    """Read `{"status": "alive", "lastHeartbeat": 1767323045000}`; `alive` says no more than the time beside it."""
    if not isinstance(answer.json, dict) or "lastHeartbeat" not in answer.json:
        raise NoAnswer("no lastHeartbeat")
    if answer.json["lastHeartbeat"] == 0 and not isinstance(answer.json["lastHeartbeat"], bool):
        return None  # not 1970: never
    return on_our_clock(moment_of_milliseconds(answer.json["lastHeartbeat"]), their_now=answer.date, our_now=now)
