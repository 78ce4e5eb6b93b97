"""What a client does with members of a group: protect, detach, attach, stand by, terminate, mark unhealthy."""

from collections.abc import Mapping

from hotdesk_local.aws import activities, membership
from hotdesk_local.aws.asg_groups import shown_member, want
from hotdesk_local.aws.calls import Call
from hotdesk_local.aws.clock import sentence
from hotdesk_local.aws.errors import too_many, validation
from hotdesk_local.aws.model import Activity, Group, Lifecycle, Member, Params, State
from hotdesk_local.aws.pages import page
from hotdesk_local.aws.world import Handler, World

MOST_PROTECTED, MOST_MOVED, MOST_TERMINATED, PAGE = 50, 20, 100, 50
PROTECTABLE = frozenset({Lifecycle.IN_SERVICE, Lifecycle.ENTERING_STANDBY, Lifecycle.STANDBY})
DETACHABLE = frozenset({Lifecycle.IN_SERVICE, Lifecycle.STANDBY})


def _set_protection(world: World, params: Params, call: Call) -> Params:
    members = _members(world, params, limit=MOST_PROTECTED)
    for member in members:
        if member.lifecycle not in PROTECTABLE:
            raise validation(f"The instance {member.instance.id} is not in InService or EnteringStandby or Standby.")
    for member in members:
        protected = params["ProtectedFromScaleIn"]
        membership.protect(world, member, protected=protected, cause=call.cause, now=call.time)
        member.group.blocked = False
    return {}


def _detach(world: World, params: Params, call: Call) -> Params:
    group, members = world.group(params["AutoScalingGroupName"]), _members(world, params, limit=MOST_MOVED)
    for member in members:
        if member.lifecycle not in DETACHABLE:
            raise validation(f"The instance {member.instance.id} is not in InService or Standby.")
    if params["ShouldDecrementDesiredCapacity"]:
        _decrement(group, by=len(members), doing="detach")
    return {"Activities": [_move(world, m, Lifecycle.DETACHING, call) for m in members]}


def _enter_standby(world: World, params: Params, call: Call) -> Params:
    group, members = world.group(params["AutoScalingGroupName"]), _members(world, params, limit=MOST_MOVED)
    for member in members:
        if member.lifecycle is not Lifecycle.IN_SERVICE:
            raise validation(f"The instance {member.instance.id} is not in InService.")
    if params["ShouldDecrementDesiredCapacity"]:
        _decrement(group, by=len(members), doing="place into standby")
    return {"Activities": [_move(world, m, Lifecycle.ENTERING_STANDBY, call) for m in members]}


def _exit_standby(world: World, params: Params, call: Call) -> Params:
    group, members = world.group(params["AutoScalingGroupName"]), _members(world, params, limit=MOST_MOVED)
    for member in members:
        if member.lifecycle is not Lifecycle.STANDBY:
            raise validation(f"The instance {member.instance.id} is not in Standby.")
    _increment(group, by=len(members), doing="exit standby")
    return {"Activities": [_return(world, m, call) for m in members]}


def _return(world: World, member: Member, call: Call) -> Params:
    words = _words(member, "moved out of standby", call)
    activity = _begin(member, f"Moving EC2 instance out of Standby: {member.instance.id}", words, call)
    activities.succeed(activity, now=call.time)
    membership.move(world, member, Lifecycle.IN_SERVICE, cause=call.cause, now=call.time)
    membership.instance_changed(world, member.instance, now=call.time)  # health checks apply again
    return activities.shown(activity, member.group)


def _attach(world: World, params: Params, call: Call) -> Params:
    group, ids = world.group(params["AutoScalingGroupName"]), params.get("InstanceIds", [])
    if len(ids) > MOST_MOVED:
        raise too_many(name="instanceIds", values=ids, limit=MOST_MOVED)
    zones = {subnet.zone for subnet in group.subnets}
    instances = []
    for instance_id in ids:
        instance = world.fleet.instances.get(instance_id)
        if instance is None:
            raise validation(f"Invalid Instance ID(s): [{instance_id}] specified")
        if instance.member is not None:
            raise validation(
                f"The instance {instance_id} is already part of Auto Scaling group {instance.member.group.name}."
            )
        if instance.state is not State.RUNNING:
            raise validation(f"Instance {instance_id} is not in correct state")
        if instance.subnet.zone not in zones:
            raise validation(f"Instance {instance_id} is not in an Availability Zone of the group.")
        instances.append(instance)
    _increment(group, by=len(instances), doing="attach")
    for instance in instances:
        membership.attach(world, group, instance, cause=call.cause, now=call.time)
    return {}


def _terminate(world: World, params: Params, call: Call) -> Params:
    ids = params.get("InstanceIds") or [params["InstanceId"]]
    if len(ids) > MOST_TERMINATED:
        raise too_many(name="instanceIds", values=ids, limit=MOST_TERMINATED)
    members = [_managed(world, i, group=params.get("AutoScalingGroupName")) for i in dict.fromkeys(ids)]
    leaving = [m for m in members if m.lifecycle is not Lifecycle.TERMINATING]
    if params["ShouldDecrementDesiredCapacity"]:
        for member in leaving:
            _decrement_for_termination(member.group)
    activity = [activities.shown(_end(world, m, call), m.group) for m in members]
    return {"Activities": activity} if params.get("InstanceIds") else {"Activity": activity[0]}


def _end(world: World, member: Member, call: Call) -> Activity:
    if member.lifecycle is Lifecycle.TERMINATING and member.activity is not None:
        return member.activity
    words = _words(member, "taken out of service", call)
    return membership.end(world, member, words=words, cause=call.cause, noted=call.cause, now=call.time)


def _set_health(world: World, params: Params, call: Call) -> Params:
    member = _managed(world, params["InstanceId"], group=None)
    if member.lifecycle is not Lifecycle.IN_SERVICE:
        raise validation(f"The instance {member.instance.id} is not in InService.")
    healthy = params["HealthStatus"] == "Healthy"
    membership.set_health(world, member, healthy=healthy, cause=call.cause, now=call.time)
    if healthy:
        member.group.unhealthy_since.pop(member.instance.id, None)
    else:
        member.group.unhealthy_since[member.instance.id] = call.time
    return {}


def _describe(world: World, params: Params, _call: Call) -> Params:
    ids, asked = params.get("InstanceIds"), params.get("MaxRecords")
    if ids and len(ids) > PAGE:
        raise too_many(name="instanceIds", values=ids, limit=PAGE)
    members = (m for _, g in sorted(world.groups.items()) for _, m in sorted(g.members.items()))
    found, token = page(
        (m for m in members if not ids or m.instance.id in ids),
        size=min(asked or PAGE, PAGE),
        token=params.get("NextToken"),
        place=lambda m: f"{m.group.name} {m.instance.id}",
    )
    shown = [
        {
            **shown_member(m),
            "AutoScalingGroupName": m.group.name,
            "HealthStatus": "HEALTHY" if m.healthy else "UNHEALTHY",
        }
        for m in found
    ]
    return {"AutoScalingInstances": shown, "NextToken": token}


def _members(world: World, params: Params, *, limit: int) -> list[Member]:
    group, ids = world.group(params["AutoScalingGroupName"]), params.get("InstanceIds", [])
    if len(ids) > limit:
        raise too_many(name="instanceIds", values=ids, limit=limit)
    for instance_id in ids:
        if instance_id not in group.members:
            raise validation(f"The instance {instance_id} is not part of Auto Scaling group {group.name}.")
    return [group.members[i] for i in dict.fromkeys(ids)]


def _managed(world: World, instance_id: str, *, group: str | None) -> Member:
    for candidate in [world.group(group)] if group is not None else world.groups.values():
        if instance_id in candidate.members:
            return candidate.members[instance_id]
    raise validation(f"Instance Id not found - No managed instance found for instance ID: {instance_id}")


def _move(world: World, member: Member, lifecycle: Lifecycle, call: Call) -> Params:
    what, done = {
        Lifecycle.DETACHING: ("Detaching EC2 instance", "detached"),
        Lifecycle.ENTERING_STANDBY: ("Moving EC2 instance to Standby", "moved to standby"),
    }[lifecycle]
    member.activity = _begin(member, f"{what}: {member.instance.id}", _words(member, done, call), call)
    if lifecycle is Lifecycle.DETACHING:
        membership.protect(world, member, protected=False, cause=call.cause, now=call.time)
    membership.start_leaving(world, member, lifecycle, cause=call.cause, now=call.time)
    return activities.shown(member.activity, member.group)


def _words(member: Member, done: str, call: Call) -> str:
    return f"At {sentence(call.time)} instance {member.instance.id} was {done} in response to a user request."


def _begin(member: Member, description: str, words: str, call: Call) -> Activity:
    subnet = member.instance.subnet
    return activities.begin(
        member.group,
        description=description,
        cause=words,
        zone=subnet.zone,
        subnet=subnet.id,
        now=call.time,
    )


def _decrement(group: Group, *, by: int, doing: str) -> None:
    if group.desired - by < group.min_size:
        raise validation(
            f"AutoScalingGroup {group.name} has min-size={group.min_size}, max-size={group.max_size}, and "
            f"desired-size={group.desired}. To {doing} {by} instance, please update the AutoScalingGroup sizes "
            "appropriately.",
        )
    want(group, group.desired - by, because="a user request")


def _decrement_for_termination(group: Group) -> None:
    if group.desired <= group.min_size:
        raise validation(
            f"Currently, desiredSize equals minSize ({group.min_size}). Terminating instance without replacement will "
            "violate group's min size constraint. Either set shouldDecrementDesiredCapacity flag to false or lower "
            "group's min size.",
        )
    want(group, group.desired - 1, because="a user request")


def _increment(group: Group, *, by: int, doing: str) -> None:
    if group.desired + by > group.max_size:
        raise validation(
            f"AutoScalingGroup {group.name} has min-size={group.min_size}, max-size={group.max_size}, and "
            f"desired-size={group.desired}. To {doing} {by} instance, please update the AutoScalingGroup sizes "
            "appropriately.",
        )
    want(group, group.desired + by, because="a user request")


ACTIONS: Mapping[str, Handler] = {
    "SetInstanceProtection": _set_protection,
    "DetachInstances": _detach,
    "AttachInstances": _attach,
    "EnterStandby": _enter_standby,
    "ExitStandby": _exit_standby,
    "TerminateInstanceInAutoScalingGroup": _terminate,
    "SetInstanceHealth": _set_health,
    "DescribeAutoScalingInstances": _describe,
}
