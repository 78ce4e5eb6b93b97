"""When somebody last worked in a Jupyter server, and whether one of its kernels does now.

Both requests are such that the server does not take them for work.
"""

from datetime import datetime

from hotdesk.adapters.signals.answers import Answer, Asker, NoAnswer
from hotdesk.adapters.signals.moments import moment_of, on_our_clock
from hotdesk.api.v1alpha1 import JupyterProbe


async def ask_jupyter(asker: Asker, probe: JupyterProbe, *, token: str | None, now: datetime) -> datetime | None:
    """Return when it was last worked with, now if a kernel is busy; None if never since it started.

    Raises what asking raises.
    """
    base = probe.base_path.rstrip("/")
    kernels = await asker.get(f"{base}/api/kernels?no_track_activity=1", token=token)
    if has_busy_kernel(kernels):
        return now  # it may print nothing for hours, and its last activity stands still
    return read_status(await asker.get(f"{base}/api/status", token=token), now=now)


def has_busy_kernel(answer: Answer) -> bool:
    """Read the list of kernels."""
    if not isinstance(answer.json, list) or not all(isinstance(kernel, dict) for kernel in answer.json):
        raise NoAnswer("no list of kernels")
    return any(kernel.get("execution_state") == "busy" for kernel in answer.json)


def read_status(answer: Answer, *, now: datetime) -> datetime | None:
    """Read `last_activity`. Until something happens it is the time of the start, at which nobody need have been there.

    `connections` are open windows, which prove nobody.
    """
    if not isinstance(answer.json, dict):
        raise NoAnswer("no status")
    started, latest = moment_of(answer.json.get("started")), moment_of(answer.json.get("last_activity"))
    if latest <= started:
        return None
    return on_our_clock(latest, their_now=answer.date, our_now=now)
