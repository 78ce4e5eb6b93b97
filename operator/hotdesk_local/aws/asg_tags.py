"""Tags of groups, and which of them a launched instance gets."""

from collections.abc import Iterable, Mapping

from hotdesk_local.aws.calls import Call
from hotdesk_local.aws.errors import AwsError, too_many, validation
from hotdesk_local.aws.filters import wanted
from hotdesk_local.aws.model import Group, Params
from hotdesk_local.aws.world import Handler, World

LARGEST_BATCH = 25
MOST_TAGS = 50

GroupTags = dict[str, tuple[str, bool]]


def given_tags(tags: Iterable[Params], *, existing: GroupTags) -> GroupTags:
    """Return the group's tags after these were added; raises AWS's errors for reserved and surplus ones."""
    added = {str(t["Key"]): (str(t.get("Value", "")), bool(t.get("PropagateAtLaunch", False))) for t in tags}
    if any(key.lower().startswith("aws:") for key in added):
        raise validation("Tag keys starting with 'aws:' are reserved for internal use")
    together = {**existing, **added}
    if len(together) > MOST_TAGS:
        raise AwsError("LimitExceeded", f"A group has at most {MOST_TAGS} tags.")
    return together


def described(group: Group) -> list[Params]:
    """Return the group's tags in boto3's shape."""
    return [
        {
            "ResourceId": group.name,
            "ResourceType": "auto-scaling-group",
            "Key": key,
            "Value": value,
            "PropagateAtLaunch": propagate,
        }
        for key, (value, propagate) in sorted(group.tags.items())
    ]


def _create_or_update(world: World, params: Params, _call: Call) -> Params:
    if len(params["Tags"]) > LARGEST_BATCH:
        raise too_many(name="tags", values=[t["Key"] for t in params["Tags"]], limit=LARGEST_BATCH)
    for tag in params["Tags"]:
        group = world.group(tag["ResourceId"])
        group.tags = given_tags([tag], existing=group.tags)
    return {}


def _delete(world: World, params: Params, _call: Call) -> Params:
    for tag in params["Tags"]:
        world.group(tag["ResourceId"]).tags.pop(tag["Key"], None)
    return {}


def _describe(world: World, params: Params, _call: Call) -> Params:
    tags = [tag for _, group in sorted(world.groups.items()) for tag in described(group)]
    fields = {"auto-scaling-group": "ResourceId", "key": "Key", "value": "Value"}
    for one in params.get("Filters", []):
        name = fields.get(str(one["Name"]))
        if name is not None:
            fits = wanted(one.get("Values", []))
            tags = [tag for tag in tags if fits(tag[name])]
    return {"Tags": tags}


ACTIONS: Mapping[str, Handler] = {
    "CreateOrUpdateTags": _create_or_update,
    "DeleteTags": _delete,
    "DescribeTags": _describe,
}
