"""Conditions as metav1 has them, and the one way to change one."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from hotdesk.api.schema import marks
from hotdesk.api.wire import ApiModel, Time

ConditionStatus = Literal["True", "False", "Unknown"]


class Condition(ApiModel):
    """One thing that is true or not about an object, with the reason in a word and in a sentence."""

    type: Annotated[str, Field(min_length=1, max_length=316)]
    """What is stated, in CamelCase, for example Ready."""
    status: ConditionStatus
    """True, False or Unknown."""
    reason: Annotated[str, Field(min_length=1, max_length=1024, pattern=r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$")]
    """Why, in one CamelCase word that programs may compare."""
    message: Annotated[str, Field(max_length=32768)]
    """Why, in a sentence for people; where something is wrong it says what to do."""
    last_transition_time: Time
    """When the status last changed."""
    observed_generation: int | None = None
    """The generation of the object that this was decided from; if the object's is newer, this is out of date."""


Conditions = Annotated[
    tuple[Condition, ...],
    Field(max_length=16, json_schema_extra=marks(map_keys=["type"])),
]


def set_condition(
    conditions: Iterable[Condition],
    *,
    type: str,  # noqa: A002  # the field's name
    status: ConditionStatus,
    reason: str,
    message: str,
    observed_generation: int | None,
    now: datetime,
) -> tuple[Condition, ...]:
    """Return the conditions with this one replaced in place, or added last; its time moves only with its status."""
    kept = tuple(conditions)
    before = find_condition(kept, type)
    unchanged = before is not None and before.status == status
    after = Condition(
        type=type,
        status=status,
        reason=reason,
        message=message,
        last_transition_time=before.last_transition_time if before is not None and unchanged else now,
        observed_generation=observed_generation,
    )
    if before is None:
        return (*kept, after)
    return tuple(after if condition is before else condition for condition in kept)


def find_condition(conditions: Iterable[Condition], type: str) -> Condition | None:  # noqa: A002  # the field's name
    """Return the condition of this type, if it was ever set."""
    return next((condition for condition in conditions if condition.type == type), None)
