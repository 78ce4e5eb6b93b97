"""The little of a Workspace and its pool that a heartbeat needs: whether it rests or soon will, what is recorded."""

from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator

from hotdesk.api.wire import ApiModel, MicroTime, ObjectMeta, parse_duration


def _timeout(value: object) -> timedelta | None:
    """Read a timeout; None for Never, and for what cannot be read: no object is refused for it."""
    try:
        return parse_duration(value)
    except ValueError:
        return None


_Timeout = Annotated[timedelta | None, BeforeValidator(_timeout)]


class ActivityNext(ApiModel):
    """What will happen to it, as far as a beat can change it; an action may be one we do not know yet."""

    action: str = ""
    warned_at: MicroTime | None = None


class ActivityStatus(ApiModel):
    """The part of a Workspace's status that says how a beat is recorded; a phase may be one we do not know yet."""

    phase: str = "Pending"
    claimed_at: MicroTime | None = None
    last_activity_time: MicroTime | None = None
    activity_source: str | None = None
    stopped_at: MicroTime | None = None
    idle_since: MicroTime | None = None
    next: ActivityNext | None = None


class ActivitySpec(ApiModel):
    """The part of a Workspace's spec that says how old its record may get."""

    pool: str = ""
    idle_timeout: _Timeout = None


class WorkspaceActivity(ApiModel):
    """A Workspace as the gateway reads it: ten thousand of these are kept, and none is refused for its spec."""

    metadata: ObjectMeta
    spec: ActivitySpec = ActivitySpec()
    status: ActivityStatus = ActivityStatus()


class PatienceLifecycle(ApiModel):
    """When a pool's machines rest."""

    idle_timeout: _Timeout = timedelta(hours=1)


class PatienceSpec(ApiModel):
    """The part of a MachinePool's spec that says how long its workspaces may idle."""

    lifecycle: PatienceLifecycle | None = None


class PoolPatience(ApiModel):
    """A MachinePool as the gateway reads it."""

    metadata: ObjectMeta
    spec: PatienceSpec = PatienceSpec()
