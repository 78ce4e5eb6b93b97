"""A status with another phase: the conditions that go with it, and those that stay."""

from datetime import datetime

from hotdesk.api.conditions import Condition, ConditionStatus, set_condition
from hotdesk.api.v1alpha1 import Workspace, WorkspacePhase, WorkspaceStatus
from hotdesk.core.workspace_status import conditions_of

OTHERS = ("Idle", "BackedUp")
"""The conditions of the lifecycle, beside Ready."""

Said = tuple[ConditionStatus, str, str]
"""A condition's status, reason and message."""


def changed(
    workspace: Workspace,
    phase: WorkspacePhase,
    *,
    ready: Said,
    now: datetime,
    at_rest: bool = False,
    idle: Said | None = None,
    without: tuple[str, ...] = (),
    **changes: object,
) -> WorkspaceStatus:
    """Return the status in another phase, with Ready, and Idle where it is said, and without some of the others."""
    status, reason, message = ready
    conditions = conditions_of(workspace, ready=status, reason=reason, message=message, now=now, at_rest=at_rest)
    kept = tuple(c for c in workspace.status.conditions if c.type in OTHERS and c.type not in without)
    if idle is not None:
        kept = _set(kept, "Idle", idle, workspace=workspace, now=now)
    update = {
        "phase": phase,
        "observed_generation": workspace.metadata.generation,
        "conditions": (*conditions, *kept),
        **changes,
    }
    return workspace.status.model_copy(update=update)


def with_condition(workspace: Workspace, kind: str, said: Said, *, now: datetime) -> tuple[Condition, ...]:
    """Return the conditions of a workspace with one said anew."""
    return _set(workspace.status.conditions, kind, said, workspace=workspace, now=now)


def _set(
    conditions: tuple[Condition, ...], kind: str, said: Said, *, workspace: Workspace, now: datetime
) -> tuple[Condition, ...]:
    status, reason, message = said
    return set_condition(
        conditions,
        type=kind,
        status=status,
        reason=reason,
        message=message,
        observed_generation=workspace.metadata.generation,
        now=now,
    )
