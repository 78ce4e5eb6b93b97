"""EC2's filters: any value of one filter, all filters together, `*` and `?` in values."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Protocol, TypeVar

from hotdesk_local.aws.errors import AwsError
from hotdesk_local.aws.model import Instance, Params


class Tagged(Protocol):
    """What can be filtered: a resource with tags."""

    tags: dict[str, str]


Thing = TypeVar("Thing", bound=Tagged)
Predicate = Callable[[Thing], bool]
Reader = Callable[[Thing], str | None]

INSTANCES: Mapping[str, Reader[Instance]] = {
    "availability-zone": lambda i: i.subnet.zone,
    "client-token": lambda i: i.client_token or "",
    "image-id": lambda i: i.spec.image,
    "instance-id": lambda i: i.id,
    "instance-lifecycle": lambda i: "spot" if i.spec.spot else None,
    "instance-state-name": lambda i: i.state,
    "instance-type": lambda i: i.spec.instance_type,
    "ip-address": lambda i: i.public_ip,
    "key-name": lambda i: i.spec.key_name,
    "private-ip-address": lambda i: i.private_ip,
    "reservation-id": lambda i: i.reservation,
    "subnet-id": lambda i: i.subnet.id,
}


def matcher(filters: Iterable[Params], readers: Mapping[str, Reader[Thing]]) -> Predicate[Thing]:
    """Return whether a thing passes all filters. Raises InvalidParameterValue for an unknown filter."""
    checks = [_check(str(one.get("Name", "")), one.get("Values", []), readers) for one in filters]

    return lambda thing: all(check(thing) for check in checks)


def wanted(values: Sequence[str]) -> Callable[[str | None], bool]:
    """Return whether a value is among those asked for, `*` and `?` being wildcards."""
    exact = frozenset(values)
    patterns = [value.replace("[", "[[]") for value in values if "*" in value or "?" in value]
    if not patterns:
        return exact.__contains__
    return lambda value: value in exact or (value is not None and any(fnmatchcase(value, one) for one in patterns))


def _check(name: str, values: Sequence[str], readers: Mapping[str, Reader[Thing]]) -> Predicate[Thing]:
    fits = wanted(values)
    if name.startswith("tag:"):
        key = name.removeprefix("tag:")
        return lambda thing: fits(thing.tags.get(key))
    if name == "tag-key":
        return lambda thing: any(fits(key) for key in thing.tags)
    reader = readers.get(name)
    if reader is None:
        raise AwsError("InvalidParameterValue", f"The filter '{name}' is invalid")
    return lambda thing: fits(reader(thing))
