"""What a workspace and its pool have agreed on: how long it may idle, and how long a stopped machine is kept."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from hotdesk.api.v1alpha1 import WAKE_ANNOTATION, Lifecycle, MachinePool, Workspace
from hotdesk.api.wire import NEVER

_RETENTION = timedelta(hours=24)
_NOTHING_ENDS = Lifecycle(idle_timeout=NEVER)


@dataclass(frozen=True, slots=True)
class Terms:
    """The rules for one workspace; None means never."""

    idle_timeout: timedelta | None
    warn_before: timedelta  # never more than half of the idle timeout: else every warning would come at once
    retention: timedelta | None
    max_lifetime: timedelta | None


def terms_of(workspace: Workspace, pool: MachinePool) -> Terms:
    """Return what holds for a workspace. Nothing is ended in a pool that says nothing of it."""
    given, backup = pool.spec.lifecycle, pool.spec.backup
    rules = given or _NOTHING_ENDS
    idle = _patience(rules.idle_timeout if workspace.spec.idle_timeout is None else workspace.spec.idle_timeout)
    if workspace.spec.run_strategy == "Always":
        idle = None
    kept = rules.retention if workspace.spec.retention is None else workspace.spec.retention
    if backup is None:
        kept = NEVER  # an archive without a backup would be a loss, and nobody has asked for one
    elif kept is None:
        kept = _RETENTION if backup.method != "None" else NEVER
    return Terms(
        idle_timeout=idle,
        warn_before=rules.warn_before if idle is None else min(rules.warn_before, idle / 2),
        retention=_patience(kept),
        max_lifetime=_patience(rules.max_lifetime) if workspace.spec.run_strategy != "Always" else None,
    )


def wants_machine(workspace: Workspace) -> bool:
    """Tell whether a workspace is to run: one that was stopped only after somebody came back."""
    match workspace.spec.run_strategy:
        case "Always":
            return True
        case "Halted":
            return False
        case "OnDemand":
            told = workspace.status
            if told.stopped_at is None:
                return True
            # Activity that was heard of too late to avert a stop for idleness came before it, and counts all the same.
            heard_until = told.idle_since or told.stopped_at
            return any(sign > heard_until for sign in _signs_of_return(workspace))


def woken_at(workspace: Workspace) -> datetime | None:
    """Return the time that the wake annotation names; None without it, or if it cannot be read."""
    text = workspace.metadata.annotations.get(WAKE_ANNOTATION)
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None


def _signs_of_return(workspace: Workspace) -> tuple[datetime, ...]:
    signs = (workspace.status.last_activity_time, woken_at(workspace))
    return tuple(sign for sign in signs if sign is not None)


def _patience(value: timedelta | str) -> timedelta | None:
    return value if isinstance(value, timedelta) else None
