"""What is told of a workspace's life after the claim: warned, stopped, woken, archived, restored, failed."""

from collections.abc import Iterator
from datetime import UTC
from typing import Final

from hotdesk.api.conditions import find_condition
from hotdesk.api.v1alpha1 import Workspace, WorkspaceStatus
from hotdesk.core.notices.notice import moment
from hotdesk.core.notices.said import Said, because, is_lost, is_new_claim, ready_of
from hotdesk.core.notices.texts import hint, sentence

_GIVEN_UP: Final = frozenset({"Interrupted", "NoCapacity"})  # reasons of Idle: its user goes on elsewhere


def warned(old: WorkspaceStatus, workspace: Workspace) -> Iterator[Said]:
    """Tell that the machine will be stopped, once for each deadline."""
    told, due = old.next, workspace.status.next
    if due is None or due.action != "Stop" or due.warned_at is None:
        return
    if told is None or told.warned_at != due.warned_at:
        said = sentence(f"This workspace will be stopped at {due.at.astimezone(UTC):%Y-%m-%d %H:%M} UTC: {due.reason}")
        yield Said("StopWarning", said, key=moment(due.at), is_warning=True, is_sent=True)


def moved(old: WorkspaceStatus, workspace: Workspace) -> Iterator[Said]:
    """Tell of a new phase, where it is no mere part of a claim or of waiting for one."""
    new = workspace.status
    if new.phase == old.phase or (is_new_claim(old, new) and new.phase in ("Running", "Starting")):
        return
    match new.phase:
        case "Starting":
            reason = "Woken" if old.phase in ("Stopping", "Stopped") else "Starting"
            yield Said(reason, because(new, hint(reason, workspace)), key=moment(old.stopped_at or new.claimed_at))
        case "Running":
            reason = "Restored" if old.phase == "Restoring" else "Ready"
            yield Said(reason, hint(reason, workspace), key=moment(new.ready_at or new.claimed_at))
        case "Restoring":
            yield Said("Restoring", because(new, hint("Restoring", workspace)), key=moment(new.claimed_at))
        case "Stopping" | "Stopped" | "Archiving" | "Archived":
            yield from _rested(old, workspace)
        case "Failed":
            ready = ready_of(new)
            key = moment(ready.last_transition_time) if ready is not None else ""
            yield Said("Failed", because(new, hint("Failed", workspace)), key=key, is_warning=True, is_sent=True)
        case "Pending":
            return


def _rested(old: WorkspaceStatus, workspace: Workspace) -> Iterator[Said]:
    new = workspace.status
    key = moment(new.stopped_at or old.stopped_at or old.claimed_at)
    idle = find_condition(new.conditions, "Idle")
    if new.phase == "Stopping" and idle is not None and idle.reason in _GIVEN_UP:
        said = because(new, hint("Interrupted", workspace))
        yield Said("Interrupted", said, key=key, is_warning=True, is_sent=True)
    elif old.machine is None or new.machine is not None or not is_lost(new):  # a lost machine is told as such
        # Of a stop and of an archive the end is sent, and not what never had a machine.
        is_sent = new.phase in ("Stopped", "Archived") and old.machine is not None
        yield Said(new.phase, because(new, hint(new.phase, workspace)), key=key, is_sent=is_sent)
