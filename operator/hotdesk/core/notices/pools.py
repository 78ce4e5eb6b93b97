"""Which notices a change of a pool's or a machine's status is worth; Events alone tell them."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from hotdesk.api.conditions import Condition, find_condition
from hotdesk.api.v1alpha1 import Machine, MachinePool
from hotdesk.core.notices.notice import Notice, moment
from hotdesk.core.notices.texts import sentence

_REASONS: Final = {
    "GroupConfigured": ("GroupConfigured", "GroupNotConfigured"),
    "CapacityAvailable": ("CapacityAvailable", "CapacityUnavailable"),
}
"""The conditions that are told, with the Event's reason when they are met and when they are not."""


def notices_of_pool(before: MachinePool | None, after: MachinePool, *, now: datetime) -> tuple[Notice, ...]:
    """Tell when AWS stops doing what the pool needs, with the fix, and when it does so again."""
    if before is not None and before.status == after.status:
        return ()
    return tuple(_of_conditions(before, after, now=now))


def notices_of_machine(before: Machine | None, after: Machine, *, now: datetime) -> tuple[Notice, ...]:
    """Tell when a machine is quarantined."""
    if after.status.phase != "Quarantined" or (before is not None and before.status.phase == "Quarantined"):
        return ()
    ready = find_condition(after.status.conditions, "Ready")
    said = ready.message if ready is not None else "It was not ready in time and is being replaced."
    meta = after.metadata
    notice = Notice(
        kind="Machine",
        name=meta.name,
        uid=meta.uid,
        reason="Quarantined",
        message=f"{sentence(said)} If this happens to all of them, correct the pool's readiness probe or the image.",
        at=now,
        is_warning=True,
        key=moment(after.status.launched_at),
    )
    return (notice,)


def _of_conditions(before: MachinePool | None, after: MachinePool, *, now: datetime) -> Iterator[Notice]:
    for kind, (met, unmet) in _REASONS.items():
        old = find_condition(before.status.conditions, kind) if before is not None else None
        new = find_condition(after.status.conditions, kind)
        if new is None or not _is_news(old, new):
            continue
        yield Notice(
            kind="MachinePool",
            name=after.metadata.name,
            uid=after.metadata.uid,
            reason=met if new.status == "True" else unmet,
            message=sentence(new.message),
            at=now,
            is_warning=new.status == "False",
            key=new.reason,  # not the time: what comes and goes is one Event with a count
        )


def _is_news(old: Condition | None, new: Condition) -> bool:
    if new.status == "False":
        return old is None or (old.status, old.reason) != (new.status, new.reason)
    return new.status == "True" and old is not None and old.status == "False"
