"""A workspace whose machine is stopped, or goes, or is gone: why, and how it comes back."""

from datetime import datetime
from typing import Any

from hotdesk.api.v1alpha1 import Machine, Next, StopReason, Workspace, WorkspaceStatus
from hotdesk.core.eligibility import Obstacle
from hotdesk.core.lifecycle.told.changing import changed
from hotdesk.core.terms import Terms

_WHY = {
    "Idle": "nobody was active",
    "Halted": "spec.runStrategy is Halted",
    "MaxLifetime": "it had run as long as the pool's maxLifetime allows",
    "Interrupted": "AWS takes it back; its files are saved, and go on to another machine",
    "NoCapacity": "AWS has no room to start it again; its files go on to another machine",
    "Quota": "its owner has used up the minutes that the pool allows one owner in a day",
}
_WAKE = (
    "A heartbeat wakes it, or: kubectl annotate ws NAME --overwrite hotdesk.dev/wake-requested-at="
    "$(date -u +%Y-%m-%dT%H:%M:%SZ)."
)
_LATE = ("Idle", "NoCapacity")  # stops after which activity counts that was heard of too late
_CLOSED: dict[str, Any] = {"public_ip": None, "url": None}
_WITHOUT_MACHINE: dict[str, Any] = {
    **_CLOSED,
    "machine": None,
    "slot": None,
    "private_ip": None,
    "next": None,
    "claimed_at": None,
    "ready_at": None,
}


def stopping(workspace: Workspace, *, machine: Machine, now: datetime) -> WorkspaceStatus:
    """Return the status of a workspace whose machine is being stopped: it is closed."""
    stop = machine.spec.stop
    reason: StopReason = stop.reason if stop is not None else "Idle"
    message = f"Machine {machine.metadata.name} is being stopped, because {_WHY[reason]}."
    return changed(
        workspace,
        "Stopping",
        ready=("False", "Stopping", message),
        now=now,
        idle=("True", reason, f"The machine is stopped, because {_WHY[reason]}."),
        **_CLOSED,
        ready_at=None,
        stopped_at=None if reason == "Interrupted" else workspace.status.stopped_at or (stop.at if stop else now),
        idle_since=_decided_from(workspace) if reason in _LATE else None,
        next=None,
    )


def _decided_from(workspace: Workspace) -> datetime | None:
    """Return the last activity that a stop was decided from: that of its warning, which nothing made void."""
    ahead = workspace.status.next
    if ahead is not None and ahead.action == "Stop" and ahead.warned_at is not None:
        return ahead.since
    return workspace.status.idle_since


def stopped(workspace: Workspace, *, machine: Machine, terms: Terms, now: datetime) -> WorkspaceStatus:
    """Return the status of a workspace whose machine is stopped, with its disk."""
    stop = machine.spec.stop
    why = _WHY[stop.reason] if stop is not None else _WHY["Idle"]
    at = stop.at if stop is not None else now
    message = f"Machine {machine.metadata.name} is stopped, because {why}; its disk is kept. {_waking(workspace)}"
    ahead = None
    if terms.retention is not None:
        sentence = "A stopped machine is kept for so long; then its backup stays, and the machine goes."
        ahead = Next(action="Archive", at=at + terms.retention, reason=sentence)
    return changed(
        workspace,
        "Stopped",
        ready=("False", "Stopped", message),
        at_rest=True,
        now=now,
        **_CLOSED,
        ready_at=None,
        stopped_at=at,
        next=ahead,
    )


def held_asleep(workspace: Workspace, obstacle: Obstacle, *, now: datetime) -> WorkspaceStatus:
    """Return the status of a workspace whose stopped machine is not woken, though its user has come back."""
    return changed(workspace, "Stopped", ready=("False", obstacle.reason, obstacle.message), at_rest=True, now=now)


def archiving(workspace: Workspace, *, now: datetime) -> WorkspaceStatus:
    """Return the status of a workspace whose machine is about to go, its files being saved."""
    message = f"Machine {workspace.status.machine} is given back; the files are kept in a backup."
    return changed(workspace, "Archiving", ready=("False", "Archiving", message), now=now, **_CLOSED, next=None)


def archived(workspace: Workspace, *, now: datetime) -> WorkspaceStatus:
    """Return the status of a workspace that has no machine any more, but its files."""
    kept = workspace.status.backup
    files = f"the files are in backup {kept.id}" if kept is not None else "its files went with it, as the pool says"
    message = f"The machine was given back; {files}. {_waking(workspace)}"
    return changed(
        workspace,
        "Archived",
        ready=("False", "Archived", message),
        at_rest=True,
        now=now,
        **_WITHOUT_MACHINE,
        restored=None,
    )


def resting(workspace: Workspace, *, now: datetime) -> WorkspaceStatus:
    """Return the status of a workspace that has no machine and wants none."""
    if workspace.status.backup is not None or workspace.status.phase in ("Archiving", "Archived"):
        return archived(workspace, now=now)
    is_halted = workspace.spec.run_strategy == "Halted"
    why = "spec.runStrategy is Halted" if is_halted else "its machine was lost while it was stopped, with its files"
    help_ = "Set it to OnDemand or Always to get one." if is_halted else _waking(workspace)
    return changed(
        workspace,
        "Stopped",
        ready=("False", "Halted" if is_halted else "MachineLost", f"It has no machine: {why}. {help_}"),
        at_rest=True,
        now=now,
        **_WITHOUT_MACHINE,
        queue=None,
    )


def _waking(workspace: Workspace) -> str:
    if workspace.spec.run_strategy == "Halted":
        return "It starts again when spec.runStrategy is Always, or when it is OnDemand and somebody returns."
    return _WAKE
