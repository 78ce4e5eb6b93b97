"""The history of a group as DescribeScalingActivities tells it (texts: AWS's own, see docs/local-aws.md)."""

import uuid
from collections.abc import Iterator

import orjson

from hotdesk_local.aws.clock import moment, sentence
from hotdesk_local.aws.model import Activity, Group, Params

MESSAGE_LIMIT = 255
"""Characters of a StatusMessage (API reference, Activity)."""


def begin(group: Group, *, description: str, cause: str, zone: str, subnet: str, now: float) -> Activity:
    """Record something that is under way."""
    activity = Activity(
        id=str(uuid.uuid4()),
        group=group.name,
        description=description,
        cause=cause,
        start=now,
        details=orjson.dumps({"Subnet ID": subnet, "Availability Zone": zone}).decode(),
    )
    group.activities.appendleft(activity)
    return activity


def succeed(activity: Activity | None, *, now: float) -> None:
    """Close a record: it went well."""
    if activity is not None:
        activity.status, activity.end = "Successful", now


def fail(activity: Activity, *, message: str, now: float, status: str = "Failed") -> None:
    """Close a record: it did not happen, and why."""
    activity.status, activity.end, activity.message = status, now, message[:MESSAGE_LIMIT]


def capacity_words(group: Group, *, doing: str, before: int, after: int, now: float) -> str:
    """Return the cause of a launch or a termination that follows the desired capacity."""
    verb = "increasing" if after > before else "shrinking"
    return (
        f"At {sentence(now)} {group.wanted_because}.  At {sentence(now)} an instance was {doing} in response to a "
        f"difference between desired and actual capacity, {verb} the capacity from {before} to {after}."
    )


def shown(activity: Activity, group: Group) -> Params:
    """Return an activity in boto3's shape."""
    done = activity.end is not None
    return {
        "ActivityId": activity.id,
        "AutoScalingGroupName": activity.group,
        "Description": activity.description,
        "Cause": activity.cause,
        "StartTime": moment(activity.start),
        "EndTime": moment(activity.end) if activity.end is not None else None,
        "StatusCode": activity.status,
        "StatusMessage": activity.message,
        "Progress": 100 if done else 50,
        "Details": activity.details,
        "AutoScalingGroupARN": group.arn,
    }


def newest_first(groups: list[Group]) -> Iterator[tuple[Activity, Group]]:
    """Yield the records of these groups, newest first."""
    everything = [(activity, group) for group in groups for activity in group.activities]
    return iter(sorted(everything, key=lambda pair: pair[0].start, reverse=True))
