"""What a workspace is told: bound, queued, held back, or that its machine was lost."""

from datetime import datetime, timedelta
from typing import TypedDict

from hotdesk.api.conditions import Condition, ConditionStatus, set_condition
from hotdesk.api.v1alpha1 import Machine, MachinePool, QueuePosition, Workspace, WorkspaceStatus
from hotdesk.api.v1alpha1.workspace import URL_LIMIT
from hotdesk.core.eligibility import Obstacle
from hotdesk.core.encoding import url_part


def bound(workspace: Workspace, *, machine: Machine, slot: int, pool: MachinePool, now: datetime) -> WorkspaceStatus:
    """Return the one status that hands the machine over: everything a user needs, in one write.

    Activity from before the claim says nothing about this machine: it is left out, and so removed.
    """
    address = machine.status.private_ip or "an address that is not known yet"
    return WorkspaceStatus(
        phase="Running",
        observed_generation=workspace.metadata.generation,
        machine=machine.metadata.name,
        slot=slot,
        private_ip=machine.status.private_ip,
        public_ip=machine.status.public_ip,
        url=_url(workspace, machine=machine, slot=slot, pool=pool),
        claimed_at=now,
        ready_at=now,
        conditions=_conditions(
            workspace,
            ready="True",
            reason="MachineReady",
            message=f"Machine {machine.metadata.name} is running at {address}.",
            now=now,
        ),
    )


def refreshed(workspace: Workspace, *, machine: Machine, pool: MachinePool, now: datetime) -> WorkspaceStatus:
    """Return the status of a workspace that keeps its machine while its spec has changed."""
    told = workspace.status
    status = bound(workspace, machine=machine, slot=told.slot or 0, pool=pool, now=now)
    kept = {"claimed_at": told.claimed_at, "ready_at": told.ready_at}
    return status.model_copy(update={**kept, **_activity(workspace)})


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
        **_activity(workspace),
        conditions=_conditions(
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
        **_activity(workspace),
        conditions=_conditions(
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
        **_activity(workspace),
        conditions=_conditions(
            workspace,
            ready="False",
            reason="MachineLost",
            message=f"Machine {workspace.status.machine} was terminated from outside; another one is being claimed.",
            now=now,
        ),
    )


class _Activity(TypedDict):
    last_activity_time: datetime | None
    activity_source: str | None


def _activity(workspace: Workspace) -> _Activity:
    """Return what others have written and we must carry; a new claim alone begins without it."""
    told = workspace.status
    return {"last_activity_time": told.last_activity_time, "activity_source": told.activity_source}


def _conditions(  # all by keyword
    workspace: Workspace,
    *,
    ready: ConditionStatus,
    reason: str,
    message: str,
    now: datetime,
    stalled: bool = False,
) -> tuple[Condition, ...]:
    """Return Ready, and beside it what kstatus reads while it is not: Reconciling, or Stalled if a person must act."""
    before = [condition for condition in workspace.status.conditions if condition.type == "Ready"]
    generation = workspace.metadata.generation
    conditions = set_condition(
        before, type="Ready", status=ready, reason=reason, message=message, observed_generation=generation, now=now
    )
    if ready == "True":
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


def _url(workspace: Workspace, *, machine: Machine, slot: int, pool: MachinePool) -> str | None:
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
