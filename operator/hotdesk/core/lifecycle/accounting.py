"""Time used: its end is put on record as soon as a machine is seen not running, and then accounted for, once."""

from collections.abc import Iterator
from datetime import datetime

from hotdesk.api.v1alpha1 import Used
from hotdesk.core.actions import AccountFor, RecordUse
from hotdesk.core.pool_facts import PoolFacts
from hotdesk.core.quota.stretches import key_of
from hotdesk.core.quota.today import is_counted
from hotdesk.core.standing import Standing
from hotdesk.core.usage import closed_by, with_ends


def plan_accounting(facts: PoolFacts, *, now: datetime) -> Iterator[RecordUse | AccountFor]:
    """Put ends on record before anything makes EC2 forget them; account for those that quotas have counted."""
    today = facts.pool.status.today if facts.pool is not None else None
    is_limited = facts.quota.minutes.limit is not None
    for name in tuple(facts.accountable):
        machine, instance = facts.machines.get(name), facts.instances.get(name)
        if machine is None or name in facts.busy:
            continue
        if instance is not None:
            spec = with_ends(machine, instance, now=now)
        else:
            spec = closed_by(machine, now) if facts.standings.get(name) is Standing.GONE else machine.spec
        if spec != machine.spec:
            yield RecordUse(machine=machine, spec=spec)
            continue
        ended = tuple(used for used in machine.spec.used if used.until is not None)
        if is_limited:
            ended = tuple(used for used in ended if is_counted(today, key_of(machine, used)))
        ended = tuple(used for used in ended if not _has_earlier(facts, used))
        if ended:
            yield AccountFor(machine=machine, ended=ended)


def _has_earlier(facts: PoolFacts, used: Used) -> bool:
    """Tell whether another machine has to account for earlier time of the same workspace: that comes first."""
    others = (facts.machines.get(name) for name in facts.accountable)
    return any(
        other.workspace.uid == used.workspace.uid and other.since < used.since
        for machine in others
        if machine is not None
        for other in machine.spec.used
    )
