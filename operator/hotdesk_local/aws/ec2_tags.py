"""Tags of instances, volumes and snapshots; those of everything else live in moto."""

from collections.abc import Mapping

from hotdesk_local.aws.calls import Call
from hotdesk_local.aws.errors import AwsError
from hotdesk_local.aws.filters import wanted
from hotdesk_local.aws.model import Params
from hotdesk_local.aws.pages import page
from hotdesk_local.aws.resources import PREFIXES, TYPES, all_tags, tags_of
from hotdesk_local.aws.world import Handler, World

LARGEST_BATCH = 1000
MOST_TAGS = 50
"""Per resource, `aws:` tags not counted; keys up to 127 (EC2's text) and values up to 256 characters."""
LONGEST_KEY = 127
LONGEST_VALUE = 256


def is_ours(action: str, params: Params) -> bool:
    """Say whether a tag call is ours to answer (an id that is nobody's here goes to moto)."""
    if action == "DescribeTags":
        filters = {f.get("Name"): f.get("Values", []) for f in params.get("Filters", [])}
        ids: list[str] = filters.get("resource-id", [])
        types = set(filters.get("resource-type", []))
        if types:
            return types <= set(TYPES.values())
        return bool(ids) and all(i.startswith(PREFIXES) for i in ids)
    resources: list[str] = params.get("Resources", [])
    ours = [i for i in resources if i.startswith(PREFIXES)]
    if ours and len(ours) < len(resources):
        raise AwsError(
            "InvalidParameterValue",
            "The simulated AWS tags instances, volumes and snapshots in one call, other resources in another.",
        )
    return bool(ours)


def check_tags(tags: Mapping[str, str], *, existing: Mapping[str, str]) -> None:
    """Raise AWS's error for a reserved, too long or surplus tag."""
    for key, value in tags.items():
        if key.lower().startswith("aws:"):
            raise AwsError("InvalidParameterValue", "Tag keys starting with 'aws:' are reserved for internal use")
        if not 1 <= len(key) <= LONGEST_KEY:
            raise AwsError("InvalidParameterValue", f"Tag key exceeds the maximum length of {LONGEST_KEY} characters")
        if len(value) > LONGEST_VALUE:
            raise AwsError(
                "InvalidParameterValue", f"Tag value exceeds the maximum length of {LONGEST_VALUE} characters"
            )
    own = {key for key in (*existing, *tags) if not key.startswith("aws:")}
    if len(own) > MOST_TAGS:
        raise AwsError("TagLimitExceeded", f"More than {MOST_TAGS} tags specified")


def _create(world: World, params: Params, call: Call) -> Params:
    if len(params["Resources"]) > LARGEST_BATCH:
        raise AwsError("InvalidParameterValue", f"A call takes at most {LARGEST_BATCH} resources.")
    resources = tags_of(world, params["Resources"], now=call.time)
    tags = {tag["Key"]: tag.get("Value", "") for tag in params.get("Tags", [])}
    for resource in resources:
        check_tags(tags, existing=resource.tags)
    for resource in resources:
        resource.tags.update(tags)
        _forget_text(world, resource.id)
    return {}


def _delete(world: World, params: Params, call: Call) -> Params:
    doomed: list[Params] | None = params.get("Tags")
    for resource in tags_of(world, params["Resources"], now=call.time):
        keys = [key for key in resource.tags if not key.startswith("aws:")]
        for tag in [{"Key": key} for key in keys] if doomed is None else doomed:
            # A value given must agree; without one the tag goes whatever it says.
            if "Value" not in tag or resource.tags.get(tag["Key"]) == tag["Value"]:
                resource.tags.pop(tag["Key"], None)
        _forget_text(world, resource.id)
    return {}


def _forget_text(world: World, name: str) -> None:
    if name in world.fleet.instances:
        world.fleet.instances[name].rendered = None


def _describe(world: World, params: Params, call: Call) -> Params:
    everything = (
        {"Key": key, "ResourceId": one.id, "ResourceType": TYPES[one.id.partition("-")[0] + "-"], "Value": value}
        for one in all_tags(world, now=call.time)
        for key, value in sorted(one.tags.items())
    )
    names = {"resource-id": "ResourceId", "key": "Key", "value": "Value", "resource-type": "ResourceType"}
    asked = [(names[f["Name"]], wanted(f.get("Values", []))) for f in params.get("Filters", []) if f["Name"] in names]
    found, token = page(
        (tag for tag in everything if all(fits(tag[field]) for field, fits in asked)),
        size=min(params.get("MaxResults") or LARGEST_BATCH, LARGEST_BATCH),
        token=params.get("NextToken"),
        place=lambda tag: f"{tag['ResourceId']} {tag['Key']}",
    )
    return {"Tags": found, "NextToken": token}


ACTIONS: Mapping[str, Handler] = {"CreateTags": _create, "DeleteTags": _delete, "DescribeTags": _describe}
