"""Auto Scaling groups as a whole: create, update, delete, describe, desired capacity."""

from collections.abc import Mapping
from typing import Any

from hotdesk_local.aws import membership
from hotdesk_local.aws.asg_tags import described, given_tags
from hotdesk_local.aws.calls import Call
from hotdesk_local.aws.clock import moment, sentence
from hotdesk_local.aws.errors import AwsError, validation
from hotdesk_local.aws.filters import wanted as fitting
from hotdesk_local.aws.launch_templates import read_template
from hotdesk_local.aws.model import Group, Member, Params, Subnet
from hotdesk_local.aws.pages import page
from hotdesk_local.aws.wire import Renders
from hotdesk_local.aws.world import ACCOUNT, Handler, World

DEFAULTS: Params = {
    "DefaultCooldown": 300,
    "HealthCheckType": "EC2",
    "HealthCheckGracePeriod": 0,
    "NewInstancesProtectedFromScaleIn": False,
    "TerminationPolicies": ["Default"],
    "CapacityRebalance": False,
    "DeletionProtection": "none",
    "LoadBalancerNames": [],
    "TargetGroupARNs": [],
    "ServiceLinkedRoleARN": f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/autoscaling.amazonaws.com/"
    "AWSServiceRoleForAutoScaling",
}
KEPT = (
    *DEFAULTS,
    "LaunchTemplate",
    "MixedInstancesPolicy",
    "MaxInstanceLifetime",
    "DefaultInstanceWarmup",
    "InstanceMaintenancePolicy",
    "InstanceLifecyclePolicy",
    "AvailabilityZoneDistribution",
    "PlacementGroup",
    "Context",
    "DesiredCapacityType",
)
"""What a group keeps and shows as it was given."""
DEFAULT_PAGE, LARGEST_PAGE = 50, 100
SHORTEST_LIFETIME = 86_400
"""Seconds (API reference, MaxInstanceLifetime); 0 switches it off."""


def actions(wire: Renders) -> Mapping[str, Handler]:
    """Return the handlers; `wire` writes a member once and again only after it changed."""

    def describe_groups(world: World, params: Params, _call: Call) -> Params:
        names, filters = params.get("AutoScalingGroupNames"), params.get("Filters", [])
        wanted = (
            group
            for name, group in sorted(world.groups.items())
            if (not names or name in names) and all(_passes(group, one) for one in filters)
        )
        found, token = page(
            wanted,
            size=_page_size(params.get("MaxRecords")),
            token=params.get("NextToken"),
            place=lambda group: group.name,
        )
        members = params.get("IncludeInstances", True)
        return {"AutoScalingGroups": [_shown(g, wire, members=members) for g in found], "NextToken": token}

    return {
        "CreateAutoScalingGroup": _create,
        "UpdateAutoScalingGroup": _update,
        "DeleteAutoScalingGroup": _delete,
        "DescribeAutoScalingGroups": describe_groups,
        "SetDesiredCapacity": _set_desired,
    }


def want(group: Group, desired: int, *, because: str) -> None:
    """Change the desired capacity; the control loop does the rest."""
    if desired != group.desired:
        group.wanted_because = f"{because} changing the desired capacity from {group.desired} to {desired}"
        group.desired = desired
        group.blocked = False
    group.needs_look = True
    group.retry_at = 0.0


def shown_member(member: Member) -> Params:
    """Return a member in boto3's shape."""
    instance = member.instance
    return {
        "InstanceId": instance.id,
        "InstanceType": instance.spec.instance_type,
        "AvailabilityZone": instance.subnet.zone,
        "LifecycleState": member.lifecycle.value,
        "HealthStatus": "Healthy" if member.healthy else "Unhealthy",
        "LaunchTemplate": instance.spec.template,
        "ProtectedFromScaleIn": member.protected,
    }


def _create(world: World, params: Params, call: Call) -> Params:
    name = params["AutoScalingGroupName"]
    if name in world.groups:
        raise AwsError(
            "AlreadyExists",
            f"AutoScalingGroup by this name already exists - A group with the name {name} already exists",
        )
    if not params.get("LaunchTemplate") and not params.get("MixedInstancesPolicy"):
        raise validation(
            "Valid requests must contain either LaunchTemplate, LaunchConfigurationName, InstanceId or "
            "MixedInstancesPolicy parameter.",
        )
    read_template(world.templates, params)
    minimum: int = params["MinSize"]
    maximum: int = params["MaxSize"]
    desired: int = params.get("DesiredCapacity", minimum)
    _check_sizes(minimum=minimum, maximum=maximum, desired=desired)
    group = Group(
        name=name,
        arn=f"arn:aws:autoscaling:{world.region}:{ACCOUNT}:autoScalingGroup:{world.fleet.new_id('g')}:"
        f"autoScalingGroupName/{name}",
        created=call.time,
        min_size=minimum,
        max_size=maximum,
        desired=desired,
        subnets=_subnets(world, params) or world.network.subnets[:1],
        settings={**DEFAULTS, **_settings(params)},
        tags=given_tags(params.get("Tags", []), existing={}),
        wanted_because=f"a user request created an AutoScalingGroup changing the desired capacity from 0 to {desired}",
    )
    world.groups[name] = group
    return {}


def _update(world: World, params: Params, _call: Call) -> Params:
    group = world.group(params["AutoScalingGroupName"])
    _refuse_while_deleting(group)
    minimum = params.get("MinSize", group.min_size)
    maximum = params.get("MaxSize", group.max_size)
    # Without an explicit desired capacity AWS pulls it between the new borders.
    desired = params.get("DesiredCapacity", min(max(group.desired, minimum), maximum))
    _check_sizes(minimum=minimum, maximum=maximum, desired=desired)
    settings = _settings(params)
    if settings.get("LaunchTemplate") or settings.get("MixedInstancesPolicy"):
        read_template(world.templates, settings)
        for other in {"LaunchTemplate", "MixedInstancesPolicy"} - settings.keys():
            group.settings.pop(other, None)
    subnets = _subnets(world, params)
    group.settings.update(settings)
    group.subnets = subnets or group.subnets
    group.min_size, group.max_size = minimum, maximum
    want(
        group,
        desired,
        because=f"a user request update of AutoScalingGroup constraints to min: {minimum}, "
        f"max: {maximum}, desired: {desired}",
    )
    return {}


def _delete(world: World, params: Params, call: Call) -> Params:
    group = world.group(params["AutoScalingGroupName"])
    force, protection = params.get("ForceDelete", False), group.settings["DeletionProtection"]
    if protection == "prevent-all-deletion" or (force and protection == "prevent-force-deletion"):
        raise AwsError("ResourceInUse", f"The AutoScalingGroup {group.name} has deletion protection: {protection}.")
    if group.members and not force:
        raise AwsError(
            "ResourceInUse",
            "You cannot delete an AutoScalingGroup while there are instances or pending Spot instance request(s) still "
            "in the group.",
        )
    group.status = "Delete in progress"
    group.needs_look = True
    words = (
        f"At {sentence(call.time)} a user request force deleted AutoScalingGroup changing the desired capacity to 0."
    )
    for member in list(group.members.values()):
        membership.end(world, member, words=words, cause=call.cause, noted=call.cause, now=call.time)
    if not group.members:
        del world.groups[group.name]
    return {}


def _set_desired(world: World, params: Params, _call: Call) -> Params:
    group = world.group(params["AutoScalingGroupName"])
    _refuse_while_deleting(group)
    desired = params["DesiredCapacity"]
    if desired > group.max_size:
        raise validation(
            f"New SetDesiredCapacity value {desired} is above max value {group.max_size} for the AutoScalingGroup.",
        )
    if desired < group.min_size:
        raise validation(
            f"New SetDesiredCapacity value {desired} is below min value {group.min_size} for the AutoScalingGroup.",
        )
    want(group, desired, because="a user request explicitly set group desired capacity")
    return {}


def _refuse_while_deleting(group: Group) -> None:
    if group.status is not None:
        raise AwsError(
            "ScalingActivityInProgress", f"AutoScalingGroup {group.name} is being deleted and blocks this action"
        )


def _check_sizes(*, minimum: int, maximum: int, desired: int) -> None:
    if maximum < minimum:
        raise validation(f"Max bound, {maximum}, must be greater than or equal to min bound, {minimum}")
    if not minimum <= desired <= maximum:
        raise validation(
            f"Desired capacity:{desired} must be between the specified min size:{minimum} and max size:{maximum}",
        )


def _settings(params: Params) -> Params:
    lifetime = params.get("MaxInstanceLifetime")
    if lifetime and lifetime < SHORTEST_LIFETIME:
        raise validation(f"Max Instance Lifetime must be at least {SHORTEST_LIFETIME} seconds.")
    kept = {key: params[key] for key in KEPT if key in params}
    if lifetime == 0:
        kept["MaxInstanceLifetime"] = None
    return kept


def _subnets(world: World, params: Params) -> tuple[Subnet, ...]:
    named = params.get("VPCZoneIdentifier", "")
    if named:
        wanted = [part.strip() for part in named.split(",")]
        known = {subnet.id: subnet for subnet in world.network.subnets}
        unknown = [one for one in wanted if one not in known]
        if unknown:
            raise validation(f"The subnet ID '{unknown[0]}' does not exist")
        return tuple(known[one] for one in wanted)
    zones = params.get("AvailabilityZones", [])
    found = tuple(subnet for subnet in world.network.subnets if subnet.zone in zones)
    if zones and not found:
        raise validation(f"Invalid Availability Zones: {', '.join(zones)}")
    return found


def _page_size(asked: int | None) -> int:
    if asked is None:
        return DEFAULT_PAGE
    if not 1 <= asked <= LARGEST_PAGE:
        raise validation(
            f"1 validation error detected: Value '{asked}' at 'maxRecords' failed to satisfy constraint: "
            f"Member must have value less than or equal to {LARGEST_PAGE}"
        )
    return asked


def _passes(group: Group, one: Params) -> bool:
    name, fits = str(one["Name"]), fitting(one.get("Values", []))
    if name.startswith("tag:"):
        tag = group.tags.get(name.removeprefix("tag:"))
        return tag is not None and fits(tag[0])
    if name == "tag-key":
        return any(fits(key) for key in group.tags)
    if name == "tag-value":
        return any(fits(value) for value, _ in group.tags.values())
    raise validation(f"Filter type {name} is not correct. Allowed Filter types are: [tag-key, tag-value, tag:<key>]")


def _shown(group: Group, wire: Renders, *, members: bool) -> Params:
    return {
        **group.settings,
        "AutoScalingGroupName": group.name,
        "AutoScalingGroupARN": group.arn,
        "MinSize": group.min_size,
        "MaxSize": group.max_size,
        "DesiredCapacity": group.desired,
        "AvailabilityZones": sorted({subnet.zone for subnet in group.subnets}),
        "VPCZoneIdentifier": ",".join(subnet.id for subnet in group.subnets),
        "Instances": [_written(m, wire) for m in group.members.values()] if members else [],
        "CreatedTime": moment(group.created),
        "SuspendedProcesses": [
            {"ProcessName": name, "SuspensionReason": f"User suspended at {sentence(group.created)}"}
            for name in sorted(group.suspended)
        ],
        "EnabledMetrics": [],
        "TrafficSources": [],
        "Status": group.status,
        "Tags": described(group),
    }


def _written(member: Member, wire: Renders) -> Any:
    if member.rendered is None:
        member.rendered = wire.render("Instance", shown_member(member))
    return member.rendered
