"""What a workspace is told of its claim: bound, queued, held back, or that its machine was lost."""

from datetime import datetime, timedelta
from typing import TypedDict

from hotdesk.api.conditions import Condition, ConditionStatus, set_condition
from hotdesk.api.v1alpha1 import (
    BackupRecord,
    Machine,
    MachinePool,
    Next,
    QueuePosition,
    Usage,
    Workspace,
    WorkspaceStatus,
)
from hotdesk.api.v1alpha1.workspace import URL_LIMIT
from hotdesk.core.eligibility import Obstacle
from hotdesk.core.encoding import url_part
from hotdesk.core.terms import Terms, terms_of


def bound(workspace: Workspace, *, machine: Machine, slot: int, pool: MachinePool, now: datetime) -> WorkspaceStatus:
    """Return the one status that hands the machine over: everything a user needs, in one write.

    Activity from before the claim says nothing about this machine: it is left out, and so removed. A workspace whose
    files are kept elsewhere has its machine at once, and is ready when they are there.
    """
    address = machine.status.private_ip or "an address that is not known yet"
    name = machine.metadata.name
    source = files_of(workspace)
    if source is None:
        ready: tuple[ConditionStatus, str, str]
        ready = "True", "MachineReady", f"Machine {name} is running at {address}."
    else:
        ready = "False", "Restoring", f"Machine {name} is running at {address}; the files of {source} are brought back."
    terms = terms_of(workspace, pool)
    return WorkspaceStatus(
        phase="Running" if source is None else "Restoring",
        observed_generation=workspace.metadata.generation,
        machine=name,
        slot=slot,
        private_ip=machine.status.private_ip,
        public_ip=machine.status.public_ip,
        url=url_of(workspace, machine=machine, slot=slot, pool=pool),
        claimed_at=now,
        ready_at=now if source is None else None,
        next=stop_ahead(terms, since=now) if source is None else None,
        backup=workspace.status.backup,
        usage=workspace.status.usage,
        conditions=conditions_of(workspace, ready=ready[0], reason=ready[1], message=ready[2], now=now),
    )


def files_of(workspace: Workspace) -> str | None:
    """Return what a new machine's disk is to begin with, in words; None: with what the machine brings."""
    if workspace.status.backup is not None:
        return f"backup {workspace.status.backup.id}"
    source = workspace.spec.restore_from
    if source is None:
        return None
    return f"workspace {source.workspace}" if source.workspace is not None else f"backup {source.backup}"


def stop_ahead(terms: Terms, *, since: datetime) -> Next | None:
    """Return what is told of the stop that lies ahead of a workspace in which somebody was active at `since`."""
    if terms.idle_timeout is None:
        return None
    minutes = terms.idle_timeout.total_seconds() / 60
    return Next(
        action="Stop",
        at=since + terms.idle_timeout,
        reason=f"Machines are stopped when nobody is active for {minutes:g} min; every sign of activity moves this.",
    )


def queued(
    workspace: Workspace,
    *,
    ahead: int,
    estimated_wait: timedelta | None,
    because: str,
    now: datetime,
) -> WorkspaceStatus:
    """Return the status of a workspace that waits for a slot; `because` says what everybody in the queue waits for."""
    place = f"Number {ahead + 1} in the queue"
    wait = f", about {_rounded(estimated_wait)} to go" if estimated_wait is not None else ""
    return WorkspaceStatus(
        phase="Pending",
        observed_generation=workspace.metadata.generation,
        queue=QueuePosition(position=ahead + 1, ahead=ahead, estimated_wait=estimated_wait),
        **kept(workspace),
        conditions=conditions_of(
            workspace,
            ready="False",
            reason="MachineLost" if _lost_its_machine(workspace) else "WaitingForMachine",
            message=f"{place}{wait}: {because}",
            now=now,
        ),
    )


def held(workspace: Workspace, obstacle: Obstacle, *, now: datetime) -> WorkspaceStatus:
    """Return the status of a workspace that cannot be served until somebody changes something."""
    return WorkspaceStatus(
        phase="Pending",
        observed_generation=workspace.metadata.generation,
        **kept(workspace),
        conditions=conditions_of(
            workspace,
            ready="False",
            reason=obstacle.reason,
            message=obstacle.message,
            stalled=obstacle.stalled,
            now=now,
        ),
    )


def lost(workspace: Workspace, *, now: datetime) -> WorkspaceStatus:
    """Return the status of a workspace whose machine ended without its doing; it is served anew at once."""
    return WorkspaceStatus(
        phase="Pending",
        observed_generation=workspace.metadata.generation,
        **kept(workspace),
        conditions=conditions_of(
            workspace,
            ready="False",
            reason="MachineLost",
            message=f"Machine {workspace.status.machine} was terminated from outside; another one is being claimed.",
            now=now,
        ),
    )


class Kept(TypedDict):
    """What outlives a change of machine."""

    last_activity_time: datetime | None
    activity_source: str | None
    stopped_at: datetime | None
    idle_since: datetime | None
    backup: BackupRecord | None
    usage: Usage | None


def kept(workspace: Workspace) -> Kept:
    """Return what others have written and what must not be lost; a new claim alone begins without activity."""
    told = workspace.status
    return {
        "last_activity_time": told.last_activity_time,
        "activity_source": told.activity_source,
        "stopped_at": told.stopped_at,
        "idle_since": told.idle_since,
        "backup": told.backup,
        "usage": told.usage,
    }


def conditions_of(  # all by keyword
    workspace: Workspace,
    *,
    ready: ConditionStatus,
    reason: str,
    message: str,
    now: datetime,
    stalled: bool = False,
    at_rest: bool = False,
) -> tuple[Condition, ...]:
    """Return Ready, and beside it what kstatus reads while it is not: Reconciling, or Stalled if a person must act.

    A workspace at rest is neither: nobody works on it, and nobody must.
    """
    before = [condition for condition in workspace.status.conditions if condition.type == "Ready"]
    generation = workspace.metadata.generation
    conditions = set_condition(
        before, type="Ready", status=ready, reason=reason, message=message, observed_generation=generation, now=now
    )
    if ready == "True" or at_rest:
        return conditions
    kind = "Stalled" if stalled else "Reconciling"
    others = [condition for condition in workspace.status.conditions if condition.type == kind]
    return (
        *conditions,
        *set_condition(
            others, type=kind, status="True", reason=reason, message=message, observed_generation=generation, now=now
        ),
    )


def _lost_its_machine(workspace: Workspace) -> bool:
    return any(c.type == "Ready" and c.reason == "MachineLost" for c in workspace.status.conditions)


def url_of(workspace: Workspace, *, machine: Machine, slot: int, pool: MachinePool) -> str | None:
    """Return where to work: the pool's template, filled in; None without one, or where it would be too long."""
    if pool.spec.access is None:
        return None
    values = {
        "privateIP": _host(machine.status.private_ip),
        "publicIP": _host(machine.status.public_ip),
        "owner": url_part(workspace.spec.owner),
        "project": url_part(workspace.spec.project or ""),
        "namespace": url_part(workspace.metadata.namespace),
        "name": url_part(workspace.metadata.name),
        "machine": url_part(machine.metadata.name),
        "slot": str(slot),
    }
    url = pool.spec.access.url_template
    parts = url.split("{")
    filled = (values.get(name, "") + rest for name, _, rest in (part.partition("}") for part in parts[1:]))
    whole = parts[0] + "".join(filled)
    # A name of emojis grows twelvefold, and a template may repeat it. Without a URL they still have the address.
    return whole if len(whole) <= URL_LIMIT else None


def _host(address: str | None) -> str:
    """Return an address as a URL's host; IPv6 goes in brackets."""
    if address is None:
        return ""
    return f"[{address}]" if ":" in address else address


def _rounded(wait: timedelta) -> str:
    """Return a wait as a person would say it."""
    seconds = int(wait.total_seconds())
    minute = 60
    return f"{max(1, seconds)} s" if seconds < 2 * minute else f"{round(seconds / minute)} min"
