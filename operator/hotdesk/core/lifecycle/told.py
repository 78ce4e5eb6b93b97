"""What a workspace is told after its claim: warned, stopped, woken, archived, restored."""

from datetime import datetime

from hotdesk.api.conditions import Condition, ConditionStatus, find_condition, set_condition
from hotdesk.api.v1alpha1 import (
    BackupRecord,
    Machine,
    MachinePool,
    Next,
    Saved,
    StopReason,
    Workspace,
    WorkspacePhase,
    WorkspaceStatus,
)
from hotdesk.core.eligibility import Obstacle
from hotdesk.core.terms import Terms, terms_of
from hotdesk.core.workspace_status import conditions_of, stop_ahead, url_of

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
_UNSTOPPABLE = "SpotCannotStop"
_LATE = ("Idle", "NoCapacity")  # stops after which activity counts that was heard of too late
_OTHERS = ("Idle", "BackedUp")


def running(workspace: Workspace, *, machine: Machine, pool: MachinePool, now: datetime) -> WorkspaceStatus:
    """Return the status of a workspace whose machine runs again, at its addresses of now."""
    seen = machine.status
    message = f"Machine {machine.metadata.name} is running at {seen.private_ip}."
    return _changed(
        workspace,
        "Running",
        ready=("True", "MachineReady", message),
        now=now,
        without=_OTHERS,
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
        changes["conditions"] = _with(workspace, "Idle", "False", "Active", "Somebody is at work.", now=now)
    return told.model_copy(update=changes)


def unsure(workspace: Workspace, *, because: str, now: datetime) -> WorkspaceStatus:
    """Return the status of a workspace that is not stopped because nobody knows whether somebody is at work."""
    message = f"It may be idle, and is not stopped, because that cannot be told: {because}"
    return workspace.status.model_copy(
        update={"conditions": _with(workspace, "Idle", "Unknown", "NoAnswer", message, now=now)}
    )


def unstoppable(workspace: Workspace, *, pool: str, now: datetime) -> WorkspaceStatus:
    """Return the status of a workspace whose machine should rest, and cannot."""
    message = (
        "It should be stopped, and runs on: EC2 stops no spot machine, and nothing keeps the files of one that is "
        f"ended. Set spec.backup of MachinePool {pool} to EBSSnapshot or S3Archive."
    )
    return workspace.status.model_copy(
        update={"conditions": _with(workspace, "Idle", "True", _UNSTOPPABLE, message, now=now), "next": None}
    )


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
            "conditions": _with(workspace, "Idle", "True", "StopWarning", message, now=now),
        }
    )


def stopping(workspace: Workspace, *, machine: Machine, now: datetime) -> WorkspaceStatus:
    """Return the status of a workspace whose machine is being stopped: it is closed."""
    stop = machine.spec.stop
    reason: StopReason = stop.reason if stop is not None else "Idle"
    message = f"Machine {machine.metadata.name} is being stopped, because {_WHY[reason]}."
    return _changed(
        workspace,
        "Stopping",
        ready=("False", "Stopping", message),
        now=now,
        idle=("True", reason, f"The machine is stopped, because {_WHY[reason]}."),
        public_ip=None,
        url=None,
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
    return _changed(
        workspace,
        "Stopped",
        ready=("False", "Stopped", message),
        at_rest=True,
        now=now,
        public_ip=None,
        url=None,
        ready_at=None,
        stopped_at=at,
        next=ahead,
    )


def held_asleep(workspace: Workspace, obstacle: Obstacle, *, now: datetime) -> WorkspaceStatus:
    """Return the status of a workspace whose stopped machine is not woken, though its user has come back."""
    ready: tuple[ConditionStatus, str, str] = ("False", obstacle.reason, obstacle.message)
    return _changed(workspace, "Stopped", ready=ready, at_rest=True, now=now)


def starting(workspace: Workspace, *, machine: Machine, now: datetime) -> WorkspaceStatus:
    """Return the status of a workspace whose machine starts again."""
    message = f"Machine {machine.metadata.name} is starting, with its disk as it was left."
    return _changed(
        workspace, "Starting", ready=("False", "Starting", message), now=now, without=("Idle",), url=None, next=None
    )


def saved(workspace: Workspace, proof: Saved, *, record: BackupRecord, now: datetime) -> WorkspaceStatus:
    """Return the status that tells of a verified backup."""
    message = f"Backup {proof.id} holds all files; it was verified at {proof.completed_at:%Y-%m-%d %H:%M:%S} UTC."
    conditions = _with(workspace, "BackedUp", "True", "Verified", message, now=now)
    return workspace.status.model_copy(update={"backup": record, "conditions": conditions})


def unsaved(workspace: Workspace, *, because: str, now: datetime) -> WorkspaceStatus:
    """Return the status that tells why a backup does not come about: the machine is kept, and it is tried again."""
    message = f"The files are not saved yet, and the machine is kept until they are: {because}"
    conditions = _with(workspace, "BackedUp", "False", "BackupFailed", message, now=now)
    return workspace.status.model_copy(update={"conditions": conditions})


def archiving(workspace: Workspace, *, now: datetime) -> WorkspaceStatus:
    """Return the status of a workspace whose machine is about to go, its files being saved."""
    message = f"Machine {workspace.status.machine} is given back; the files are kept in a backup."
    return _changed(
        workspace, "Archiving", ready=("False", "Archiving", message), now=now, url=None, public_ip=None, next=None
    )


def archived(workspace: Workspace, *, now: datetime) -> WorkspaceStatus:
    """Return the status of a workspace that has no machine any more, but its files."""
    kept = workspace.status.backup
    files = f"the files are in backup {kept.id}" if kept is not None else "its files went with it, as the pool says"
    message = f"The machine was given back; {files}. {_waking(workspace)}"
    return _changed(
        workspace,
        "Archived",
        ready=("False", "Archived", message),
        at_rest=True,
        now=now,
        machine=None,
        slot=None,
        private_ip=None,
        public_ip=None,
        url=None,
        next=None,
        claimed_at=None,
        ready_at=None,
        restored=None,
    )


def resting(workspace: Workspace, *, now: datetime) -> WorkspaceStatus:
    """Return the status of a workspace that has no machine and wants none."""
    if workspace.status.backup is not None or workspace.status.phase in ("Archiving", "Archived"):
        return archived(workspace, now=now)
    is_halted = workspace.spec.run_strategy == "Halted"
    why = "spec.runStrategy is Halted" if is_halted else "its machine was lost while it was stopped, with its files"
    help_ = "Set it to OnDemand or Always to get one." if is_halted else _waking(workspace)
    return _changed(
        workspace,
        "Stopped",
        ready=("False", "Halted" if is_halted else "MachineLost", f"It has no machine: {why}. {help_}"),
        at_rest=True,
        now=now,
        machine=None,
        slot=None,
        private_ip=None,
        public_ip=None,
        url=None,
        queue=None,
        next=None,
        claimed_at=None,
        ready_at=None,
    )


def restored(
    workspace: Workspace, *, machine: Machine, pool: MachinePool, backup_id: str, now: datetime
) -> WorkspaceStatus:
    """Return the status of a workspace whose files are back."""
    status = running(workspace, machine=machine, pool=pool, now=now)
    return status.model_copy(update={"restored": backup_id})


def not_restored(workspace: Workspace, *, because: str, now: datetime) -> WorkspaceStatus:
    """Return the status that tells why files are not back yet."""
    message = f"The files are not back yet: {because}"
    return _changed(workspace, "Restoring", ready=("False", "RestoreFailed", message), now=now)


def _waking(workspace: Workspace) -> str:
    if workspace.spec.run_strategy == "Halted":
        return "It starts again when spec.runStrategy is Always, or when it is OnDemand and somebody returns."
    return _WAKE


def _changed(
    workspace: Workspace,
    phase: WorkspacePhase,
    *,
    ready: tuple[ConditionStatus, str, str],
    now: datetime,
    at_rest: bool = False,
    idle: tuple[ConditionStatus, str, str] | None = None,
    without: tuple[str, ...] = (),
    **changes: object,
) -> WorkspaceStatus:
    status, reason, message = ready
    conditions = conditions_of(workspace, ready=status, reason=reason, message=message, now=now, at_rest=at_rest)
    kept = tuple(c for c in workspace.status.conditions if c.type in _OTHERS and c.type not in without)
    if idle is not None:
        kept = set_condition(
            kept,
            type="Idle",
            status=idle[0],
            reason=idle[1],
            message=idle[2],
            observed_generation=workspace.metadata.generation,
            now=now,
        )
    update = {
        "phase": phase,
        "observed_generation": workspace.metadata.generation,
        "conditions": (*conditions, *kept),
        **changes,
    }
    return workspace.status.model_copy(update=update)


def _with(
    workspace: Workspace, kind: str, status: ConditionStatus, reason: str, message: str, *, now: datetime
) -> tuple[Condition, ...]:
    return set_condition(
        workspace.status.conditions,
        type=kind,
        status=status,
        reason=reason,
        message=message,
        observed_generation=workspace.metadata.generation,
        now=now,
    )
