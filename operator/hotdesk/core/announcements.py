"""What AWS announces of an instance before, or as, it happens; and what a message of EventBridge says of it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any, Final, TypeGuard

import orjson

_INSTANCE: Final = re.compile(r"i-[0-9a-f]{8,17}", re.ASCII)
_YEARS: Final = range(2000, 3000)  # what every calculation and every stored time can hold
_SPOT_NOTICE: Final = timedelta(minutes=2)
_NOTHING: Final[Mapping[str, Any]] = {}


class Announced(StrEnum):
    """What is announced."""

    SPOT_INTERRUPTION = "SpotInterruption"  # it is taken in two minutes
    REBALANCE = "RebalanceRecommendation"  # it is likelier than others to be taken
    STATE_CHANGE = "StateChange"
    MAINTENANCE = "Maintenance"


@dataclass(frozen=True, slots=True)
class Announcement:
    """What one message of the queue says of one instance; a message about several gives several with its receipt."""

    receipt: str
    what: Announced
    instance: str
    at: datetime  # when AWS said it
    state: str | None = None  # EC2's new state, with STATE_CHANGE
    due: datetime | None = None  # when AWS does it, with SPOT_INTERRUPTION and MAINTENANCE


@dataclass(frozen=True, slots=True)
class Irrelevant:
    """A good message about something else: it may be deleted."""

    why: str


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A message that nobody can act on: it is left for the dead-letter queue, where a person finds it."""

    why: str


Reading = tuple[Announcement, ...] | Irrelevant | Unreadable


def read(body: object, *, receipt: str) -> Reading:
    """Read the body of a message, whatever it is; one of EventBridge is JSON of version "0"."""
    try:
        event = orjson.loads(body) if isinstance(body, str) else None
    except ValueError:
        return Unreadable("it is not JSON")
    if not isinstance(event, dict) or event.get("version") != "0":
        return Unreadable("it is not an event of EventBridge, version 0")
    source, kind, detail = event.get("source"), event.get("detail-type"), event.get("detail")
    if not isinstance(source, str) or not isinstance(kind, str) or not isinstance(detail, dict):
        return Unreadable("it lacks source, detail-type or detail")
    at = _moment(event.get("time"))
    if at is None:
        return Unreadable("it does not say when it was sent")
    match source, kind:
        case "aws.ec2", "EC2 Spot Instance Interruption Warning":
            return _one(receipt, Announced.SPOT_INTERRUPTION, detail, at=at, due=at + _SPOT_NOTICE)
        case "aws.ec2", "EC2 Instance Rebalance Recommendation":
            return _one(receipt, Announced.REBALANCE, detail, at=at)
        case "aws.ec2", "EC2 Instance State-change Notification":
            state = detail.get("state")
            if not isinstance(state, str):
                return Unreadable("it does not name the new state")
            return _one(receipt, Announced.STATE_CHANGE, detail, at=at, state=state)
        case "aws.health", "AWS Health Event":
            return _maintenance(receipt, detail, at=at)
        case _:
            return Irrelevant(f"{kind[:100]} of {source[:100]} says nothing about machines")


def _one(
    receipt: str,
    what: Announced,
    detail: Mapping[str, Any],
    *,
    at: datetime,
    state: str | None = None,
    due: datetime | None = None,
) -> Reading:
    name = detail.get("instance-id")
    if not _is_instance(name):
        return Unreadable("it names no instance")
    return (Announcement(receipt=receipt, what=what, instance=name, at=at, state=state, due=due),)


def _maintenance(receipt: str, detail: Mapping[str, Any], *, at: datetime) -> Reading:
    """Read a Health event: EC2 tells weeks before when it will retire, stop or reboot instances."""
    if detail.get("service") != "EC2" or detail.get("eventTypeCategory") != "scheduledChange":
        return Irrelevant("this Health event schedules no change of EC2")
    if detail.get("statusCode") == "closed":
        return Irrelevant("this Health event is over")
    entities = detail.get("affectedEntities")
    if not isinstance(entities, list):
        return Unreadable("this Health event does not say what it affects")
    values = [entity.get("entityValue") for entity in entities if isinstance(entity, dict)]
    due = _moment(detail.get("startTime")) or at
    names = dict.fromkeys(value for value in values if _is_instance(value))
    if not names:
        return Irrelevant("this Health event affects no instance")
    return tuple(
        Announcement(receipt=receipt, what=Announced.MAINTENANCE, instance=name, at=at, due=due) for name in names
    )


def _is_instance(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and _INSTANCE.fullmatch(value) is not None


def _moment(value: object) -> datetime | None:
    """Read a time in UTC: EventBridge writes ISO 8601, AWS Health the form of HTTP's headers."""
    if not isinstance(value, str):
        return None
    for reader in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            moment = reader(value)
            if moment.tzinfo is None or moment.year not in _YEARS:
                return None
            return moment.astimezone(UTC)
        except (ValueError, TypeError, OverflowError, IndexError):
            continue
    return None
