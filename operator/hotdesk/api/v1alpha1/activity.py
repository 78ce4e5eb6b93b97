"""The little of a Workspace that a heartbeat needs: who it is, whether it rests or soon will, what is recorded."""

from hotdesk.api.wire import ApiModel, MicroTime, ObjectMeta


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


class WorkspaceActivity(ApiModel):
    """A Workspace as the gateway reads it: ten thousand of these are kept, and none is refused for its spec."""

    metadata: ObjectMeta
    status: ActivityStatus = ActivityStatus()
