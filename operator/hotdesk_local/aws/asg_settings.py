"""A group's surroundings: processes, scaling policies, scheduled actions, hooks, and the history of its activities."""

from collections.abc import Callable, Mapping
from datetime import datetime
from itertools import islice

from hotdesk_local.aws import activities
from hotdesk_local.aws.calls import Call
from hotdesk_local.aws.errors import validation
from hotdesk_local.aws.model import Activity, Params
from hotdesk_local.aws.world import ACCOUNT, Handler, World

PROCESSES = frozenset(
    {
        "Launch",
        "Terminate",
        "AddToLoadBalancer",
        "AlarmNotification",
        "AZRebalance",
        "HealthCheck",
        "InstanceRefresh",
        "ReplaceUnhealthy",
        "ScheduledActions",
    },
)
PAGE = 100


def _suspend(world: World, params: Params, _call: Call) -> Params:
    group = world.group(params["AutoScalingGroupName"])
    group.suspended |= _processes(params)
    return {}


def _resume(world: World, params: Params, _call: Call) -> Params:
    group = world.group(params["AutoScalingGroupName"])
    group.suspended -= _processes(params)
    group.needs_look = True
    return {}


def _processes(params: Params) -> frozenset[str]:
    named = frozenset(params.get("ScalingProcesses") or PROCESSES)
    unknown = sorted(named - PROCESSES)
    if unknown:
        raise validation(f"Process type {unknown[0]} is not supported. Supported: {', '.join(sorted(PROCESSES))}")
    return named


def _describe_activities(world: World, params: Params, _call: Call) -> Params:
    name, ids = params.get("AutoScalingGroupName"), params.get("ActivityIds")
    groups = [world.group(name)] if name is not None else list(world.groups.values())
    tests = [_activity_test(str(one["Name"]), one.get("Values", [])) for one in params.get("Filters", [])]
    records = (
        (activity, group)
        for activity, group in activities.newest_first(groups)
        if (not ids or activity.id in ids) and all(fits(activity) for fits in tests)
    )
    size = min(params.get("MaxRecords") or PAGE, PAGE)
    token = params.get("NextToken")
    if token is not None and not str(token).isdigit():
        raise validation(f"The token '{token}' is invalid")
    # The list grows at its head between two pages: then a record is seen twice, as it is on AWS.
    first = int(token or 0)
    found = list(islice(records, first, first + size + 1))
    return {
        "Activities": [activities.shown(activity, group) for activity, group in found[:size]],
        "NextToken": str(first + size) if len(found) > size else None,
    }


def _activity_test(name: str, values: list[str]) -> Callable[[Activity], bool]:
    if name == "Status":
        return lambda activity: activity.status in values
    if name in {"StartTimeLowerBound", "StartTimeUpperBound"}:
        border = _border(values)
        if name == "StartTimeLowerBound":
            return lambda activity: activity.start >= border
        return lambda activity: activity.start <= border
    raise validation(f"Filter type {name} is not correct.")


def _border(values: list[str]) -> float:
    try:
        return datetime.fromisoformat(values[0]).timestamp()
    except (IndexError, ValueError) as exc:
        raise validation("A start time filter takes one time in ISO 8601.") from exc


def _put_policy(world: World, params: Params, _call: Call) -> Params:
    group, name = world.group(params["AutoScalingGroupName"]), params["PolicyName"]
    arn = f"arn:aws:autoscaling:{world.region}:{ACCOUNT}:scalingPolicy:{world.fleet.new_id('p')}:policyName/{name}"
    group.policies[name] = {"PolicyType": "SimpleScaling", "Enabled": True, **params, "PolicyARN": arn}
    return {"PolicyARN": arn, "Alarms": []}


def _delete_policy(world: World, params: Params, _call: Call) -> Params:
    named = params.get("AutoScalingGroupName")
    for group in [world.group(named)] if named else world.groups.values():
        for name, policy in list(group.policies.items()):
            if params["PolicyName"] in {name, policy["PolicyARN"]}:
                del group.policies[name]
    return {}


def _describe_policies(world: World, params: Params, _call: Call) -> Params:
    named, names = params.get("AutoScalingGroupName"), params.get("PolicyNames")
    groups = [g for g in world.groups.values() if named is None or g.name == named]
    found = [p for g in groups for name, p in sorted(g.policies.items()) if not names or name in names]
    return {"ScalingPolicies": found}


def _put_scheduled(world: World, params: Params, _call: Call) -> Params:
    group = world.group(params["AutoScalingGroupName"])
    group.scheduled[params["ScheduledActionName"]] = params
    return {}


def _delete_scheduled(world: World, params: Params, _call: Call) -> Params:
    world.group(params["AutoScalingGroupName"]).scheduled.pop(params["ScheduledActionName"], None)
    return {}


def _describe_scheduled(world: World, params: Params, _call: Call) -> Params:
    named = params.get("AutoScalingGroupName")
    groups = [g for g in world.groups.values() if named is None or g.name == named]
    return {"ScheduledUpdateGroupActions": [a for g in groups for _, a in sorted(g.scheduled.items())]}


def _describe_hooks(world: World, params: Params, _call: Call) -> Params:
    world.group(params["AutoScalingGroupName"])
    return {"LifecycleHooks": []}


def _describe_warm_pool(world: World, params: Params, _call: Call) -> Params:
    world.group(params["AutoScalingGroupName"])
    return {"Instances": []}


def _describe_refreshes(world: World, params: Params, _call: Call) -> Params:
    world.group(params["AutoScalingGroupName"])
    return {"InstanceRefreshes": []}


ACTIONS: Mapping[str, Handler] = {
    "SuspendProcesses": _suspend,
    "ResumeProcesses": _resume,
    "DescribeScalingActivities": _describe_activities,
    "PutScalingPolicy": _put_policy,
    "DeletePolicy": _delete_policy,
    "DescribePolicies": _describe_policies,
    "PutScheduledUpdateGroupAction": _put_scheduled,
    "DeleteScheduledAction": _delete_scheduled,
    "DescribeScheduledActions": _describe_scheduled,
    "DescribeLifecycleHooks": _describe_hooks,
    "DescribeWarmPool": _describe_warm_pool,
    "DescribeInstanceRefreshes": _describe_refreshes,
}
