"""A workspace whose machine runs: somebody is at work, nobody knows, or it is about to be stopped."""

from datetime import datetime

from hotdesk.api.conditions import find_condition
from hotdesk.api.v1alpha1 import Machine, MachinePool, Next, Workspace, WorkspaceStatus
from hotdesk.core.lifecycle.told.changing import OTHERS, changed, with_condition
from hotdesk.core.terms import Terms, terms_of
from hotdesk.core.workspace_status import stop_ahead, url_of

_UNSTOPPABLE = "SpotCannotStop"


def starting(workspace: Workspace, *, machine: Machine, now: datetime) -> WorkspaceStatus:
    """Return the status of a workspace whose machine starts again."""
    message = f"Machine {machine.metadata.name} is starting, with its disk as it was left."
    return changed(
        workspace, "Starting", ready=("False", "Starting", message), now=now, without=("Idle",), url=None, next=None
    )


def running(workspace: Workspace, *, machine: Machine, pool: MachinePool, now: datetime) -> WorkspaceStatus:
    """Return the status of a workspace whose machine runs again, at its addresses of now."""
    seen = machine.status
    message = f"Machine {machine.metadata.name} is running at {seen.private_ip}."
    return changed(
        workspace,
        "Running",
        ready=("True", "MachineReady", message),
        now=now,
        without=OTHERS,
        private_ip=seen.private_ip,
        public_ip=seen.public_ip,
        url=url_of(workspace, machine=machine, slot=workspace.status.slot or 0, pool=pool),
        ready_at=now,
        stopped_at=None,
        idle_since=None,
        next=stop_ahead(terms_of(workspace, pool), since=now),
    )


def respecified(workspace: Workspace, *, machine: Machine, pool: MachinePool) -> WorkspaceStatus:
    """Return the status of a workspace that keeps its machine while its spec has changed."""
    generation = workspace.metadata.generation
    told = workspace.status
    is_open = told.phase in ("Running", "Restoring")
    slot = told.slot or 0
    return told.model_copy(
        update={
            "observed_generation": generation,
            "url": url_of(workspace, machine=machine, slot=slot, pool=pool) if is_open else told.url,
            "conditions": tuple(c.model_copy(update={"observed_generation": generation}) for c in told.conditions),
        }
    )


def active(
    workspace: Workspace,
    *,
    seen: tuple[datetime, str] | None,
    stop_at: datetime | None,
    terms: Terms,
    now: datetime,
) -> WorkspaceStatus:
    """Return the status of a workspace in which somebody was `seen` at work: what was about to happen is off."""
    told = workspace.status
    ahead = stop_ahead(terms, since=now)
    if ahead is not None and stop_at is not None:
        ahead = ahead.model_copy(update={"at": stop_at})
    changes: dict[str, object] = {"next": ahead if stop_at is not None else None}
    if seen is not None:
        changes |= {"last_activity_time": seen[0], "activity_source": seen[1]}
    if find_condition(told.conditions, "Idle") is not None:
        changes["conditions"] = with_condition(workspace, "Idle", ("False", "Active", "Somebody is at work."), now=now)
    return told.model_copy(update=changes)


def unsure(workspace: Workspace, *, because: str, now: datetime) -> WorkspaceStatus:
    """Return the status of a workspace that is not stopped because nobody knows whether somebody is at work."""
    message = f"It may be idle, and is not stopped, because that cannot be told: {because}"
    return workspace.status.model_copy(
        update={"conditions": with_condition(workspace, "Idle", ("Unknown", "NoAnswer", message), now=now)}
    )


def unstoppable(workspace: Workspace, *, pool: str, now: datetime) -> WorkspaceStatus:
    """Return the status of a workspace whose machine should rest, and cannot."""
    message = (
        "It should be stopped, and runs on: EC2 stops no spot machine, and nothing keeps the files of one that is "
        f"ended. Set spec.backup of MachinePool {pool} to EBSSnapshot or S3Archive."
    )
    conditions = with_condition(workspace, "Idle", ("True", _UNSTOPPABLE, message), now=now)
    return workspace.status.model_copy(update={"conditions": conditions, "next": None})


def is_unstoppable(workspace: Workspace) -> bool:
    """Tell whether its user was told so."""
    idle = find_condition(workspace.status.conditions, "Idle")
    return idle is not None and idle.reason == _UNSTOPPABLE


def warned(workspace: Workspace, *, stop_at: datetime, reason: str, since: datetime, now: datetime) -> WorkspaceStatus:
    """Return the status that warns of a stop."""
    message = f"The machine is stopped at {stop_at:%Y-%m-%d %H:%M:%S} UTC: {reason}."
    return workspace.status.model_copy(
        update={
            "next": Next(action="Stop", at=stop_at, reason=reason, warned_at=now, since=since),
            "conditions": with_condition(workspace, "Idle", ("True", "StopWarning", message), now=now),
        }
    )
