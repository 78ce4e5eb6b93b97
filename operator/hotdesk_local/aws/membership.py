"""How an instance enters, lives in and leaves a group."""

from hotdesk_local.aws import activities
from hotdesk_local.aws.model import GROUP_TAG, Activity, Group, Instance, Lifecycle, Member, State
from hotdesk_local.aws.world import World


def join(world: World, group: Group, instance: Instance, *, activity: Activity, now: float) -> Member:
    """Make a launched instance a Pending member."""
    member = Member(instance=instance, group=group, lifecycle=Lifecycle.PENDING, since=now, activity=activity)
    instance.member = member
    group.members[instance.id] = member
    world.fleet.note(instance, "group", old=None, new=member.lifecycle, cause="launch", now=now)
    return member


def attach(world: World, group: Group, instance: Instance, *, cause: str, now: float) -> None:
    """Make a running instance an ordinary InService member."""
    member = Member(instance=instance, group=group, lifecycle=Lifecycle.IN_SERVICE, since=now)
    member.protected = bool(group.settings["NewInstancesProtectedFromScaleIn"])
    instance.member = member
    instance.tags[GROUP_TAG] = group.name
    group.members[instance.id] = member
    group.needs_look = True
    world.fleet.note(instance, "group", old=None, new=member.lifecycle, cause=cause, now=now)


def move(world: World, member: Member, lifecycle: Lifecycle, *, cause: str, now: float) -> None:
    """Put a member into another lifecycle state."""
    before, member.lifecycle = member.lifecycle, lifecycle
    member.since = now
    member.group.needs_look = True
    world.fleet.note(member.instance, "group", old=before, new=lifecycle, cause=cause, now=now)


def protect(world: World, member: Member, *, protected: bool, cause: str, now: float) -> None:
    """Set or remove scale-in protection."""
    if member.protected == protected:
        return
    member.protected = protected
    member.group.needs_look = True
    old, new = str(not protected).lower(), str(protected).lower()
    world.fleet.note(member.instance, "protection", old=old, new=new, cause=cause, now=now)


def set_health(world: World, member: Member, *, healthy: bool, cause: str, now: float) -> None:
    """Mark a member Healthy or Unhealthy."""
    if member.healthy == healthy:
        return
    member.healthy = healthy
    member.group.needs_look = True
    old, new = ("Unhealthy", "Healthy") if healthy else ("Healthy", "Unhealthy")
    world.fleet.note(member.instance, "health", old=old, new=new, cause=cause, now=now)


def start_leaving(world: World, member: Member, lifecycle: Lifecycle, *, cause: str, now: float) -> None:
    """Begin Detaching or EnteringStandby: from now on it does not count against the desired capacity."""
    member.group.unhealthy_since.pop(member.instance.id, None)
    move(world, member, lifecycle, cause=cause, now=now)
    world.moving[member.instance.id] = member


def end(world: World, member: Member, *, words: str, cause: str, now: float, noted: str) -> Activity:
    """Terminate a member through its group. `words` is the activity's cause, `noted` the one of the change."""
    instance = member.instance
    if member.activity is not None and member.lifecycle is Lifecycle.PENDING:
        activities.fail(member.activity, message="The instance was terminated.", now=now, status="Cancelled")
    member.activity = activities.begin(
        member.group,
        description=f"Terminating EC2 instance: {instance.id}",
        cause=words,
        zone=instance.subnet.zone,
        subnet=instance.subnet.id,
        now=now,
    )
    world.moving.pop(instance.id, None)
    member.group.unhealthy_since.pop(instance.id, None)
    move(world, member, Lifecycle.TERMINATING, cause=noted, now=now)
    world.fleet.terminate(instance, cause=cause, now=now)
    activity = member.activity
    if instance.state is State.TERMINATED:
        leave(world, member, cause=noted, now=now)
    return activity


def leave(world: World, member: Member, *, cause: str, now: float) -> None:
    """Take a member off its group's list."""
    instance, group = member.instance, member.group
    activities.succeed(member.activity, now=now)
    del group.members[instance.id]
    group.unhealthy_since.pop(instance.id, None)
    world.moving.pop(instance.id, None)
    instance.member = None
    group.needs_look = True
    world.fleet.note(instance, "group", old=member.lifecycle, new=None, cause=cause, now=now)


def advance(world: World, *, now: float) -> None:
    """Let time pass: what was Detaching or EnteringStandby may be done."""
    for member in list(world.moving.values()):
        if now < member.since + world.config.detach:
            continue
        cause = member.lifecycle.value
        if member.lifecycle is Lifecycle.DETACHING:
            # AWS removes this one tag and leaves every other.
            member.instance.tags.pop(GROUP_TAG, None)
            leave(world, member, cause=cause, now=now)
        else:
            del world.moving[member.instance.id]
            activities.succeed(member.activity, now=now)
            move(world, member, Lifecycle.STANDBY, cause=cause, now=now)


def instance_changed(world: World, instance: Instance, *, now: float) -> None:
    """Tell the group of an instance about the instance's new state."""
    member = instance.member
    if member is None:
        return
    member.group.needs_look = True
    match member.lifecycle, instance.state:
        case Lifecycle.PENDING, State.RUNNING:
            _in_service(world, member, now=now)
        case Lifecycle.TERMINATING, State.TERMINATED:
            leave(world, member, cause=instance.cause, now=now)
        case Lifecycle.IN_SERVICE, State.RUNNING:
            member.group.unhealthy_since.pop(instance.id, None)
        case (Lifecycle.IN_SERVICE, _) | (Lifecycle.PENDING, State.SHUTTING_DOWN | State.TERMINATED):
            member.group.unhealthy_since.setdefault(instance.id, now)
        case _:
            pass  # Standby is frozen: AWS keeps listing it, Healthy, even when the instance is gone


def _in_service(world: World, member: Member, *, now: float) -> None:
    activities.succeed(member.activity, now=now)
    member.activity = None
    move(world, member, Lifecycle.IN_SERVICE, cause="launch", now=now)
    protected = bool(member.group.settings["NewInstancesProtectedFromScaleIn"])
    protect(world, member, protected=protected, cause="launch", now=now)
