"""What is told of getting a machine: held back, queued, claimed, lost."""

from collections.abc import Iterator
from typing import Final

from hotdesk.api.conditions import Condition, find_condition
from hotdesk.api.v1alpha1 import Workspace, WorkspaceStatus
from hotdesk.core.notices.notice import moment
from hotdesk.core.notices.said import Said, because, is_lost, is_new_claim, ready_of
from hotdesk.core.notices.texts import hint

_IN_THE_QUEUE: Final = frozenset({"WaitingForMachine", "MachineLost"})


def lost(old: WorkspaceStatus, workspace: Workspace) -> Iterator[Said]:
    """Tell that the machine ended without the workspace's doing."""
    new = workspace.status
    if old.machine is not None and new.machine is None and is_lost(new):
        yield Said("MachineLost", because(new, ""), key=moment(old.claimed_at), is_warning=True, is_sent=True)


def held(old: WorkspaceStatus, workspace: Workspace) -> Iterator[Said]:
    """Tell why nobody serves it, whenever the reason is another one."""
    new = workspace.status
    why = _hold(new)
    if why is None or ((was := _hold(old)) is not None and was.reason == why.reason):
        return
    is_stalled = find_condition(new.conditions, "Stalled") is not None
    yield Said(why.reason, why.message, key=moment(why.last_transition_time), is_warning=is_stalled)


def queued(old: WorkspaceStatus, workspace: Workspace) -> Iterator[Said]:
    """Tell that it waits, once: its places are in the status."""
    new = workspace.status
    if new.queue is not None and old.queue is None:
        ready = ready_of(new)
        yield Said("Queued", because(new, ""), key=moment(ready.last_transition_time) if ready is not None else "")


def claimed(old: WorkspaceStatus, workspace: Workspace) -> Iterator[Said]:
    """Tell that a machine is there, and where."""
    new = workspace.status
    if is_new_claim(old, new) and new.phase in ("Running", "Starting"):
        yield Said("Claimed", hint("Claimed", workspace), key=moment(new.claimed_at))


def _hold(status: WorkspaceStatus) -> Condition | None:
    """Return what says why nobody serves the workspace, if something beyond the queue keeps it waiting."""
    if status.phase != "Pending" or status.machine is not None or status.queue is not None:
        return None
    ready = ready_of(status)
    return ready if ready is not None and ready.status == "False" and ready.reason not in _IN_THE_QUEUE else None
