"""Taking claimed machines out of the group's reach: tag, then detach, in batches, behind the fence."""

from datetime import datetime, timedelta
from heapq import nsmallest
from itertools import islice

from hotdesk.api.v1alpha1 import Machine
from hotdesk.core.actions import DetachMachines, TagMachines
from hotdesk.core.pool_facts import PoolFacts
from hotdesk.core.tags import TAGS_PER_CALL, TAGS_SHARED, missing_tags

BATCH = 20  # machines, AWS's limit for DetachInstances
LINGER = timedelta(seconds=1)
"""How long a claim waits for others to share its calls. Securing lies behind the claim path and must not slow it."""
_LOOKED_AT = 4 * BATCH  # machines in a pass: to look at each of thousands would stop the loop for a tenth of a second
_LATE = timedelta(seconds=15)
"""From this age on a machine is detached without its tags: its safety matters more than its label."""


def plan_securing(
    facts: PoolFacts,
    *,
    is_fenced: bool,
    is_settled: bool,
    now: datetime,
) -> TagMachines | DetachMachines | None:
    """Return the next batch to tag or to detach: members of the group before others, the oldest claims first.

    Nothing is detached before the fence stands. While desired capacity is still to be lowered (`is_settled` is false)
    AWS would launch a machine too many for each; that is waited for, but not for long.
    """
    # A claim under way is not published yet: no call about its machine may come before the user has the IP.
    # One that was detached is left alone until a look shows what came of it.
    names = (name for name in facts.unsecured if name not in facts.busy and not facts.is_stale(name))
    known = (facts.machines[name] for name in names if _can_go_on(facts, name))
    next_ones = nsmallest(
        _LOOKED_AT, known, key=lambda made: (made.metadata.name not in facts.members, claimed_at(made))
    )
    exposed = [machine for machine in next_ones if now - published_at(facts, machine) >= LINGER / 2]
    untagged = list(islice((machine for machine in exposed if is_untagged(facts, machine)), BATCH))
    may_detach = is_fenced and (is_settled or (bool(exposed) and _is_late(exposed[0], now=now)))
    may_leave = (machine for machine in exposed if may_detach and _may_be_detached(facts, machine, now=now))
    detachable = list(islice(may_leave, BATCH))
    if detachable and _is_worth_a_call(detachable, now=now):
        return DetachMachines(ids=tuple(machine.metadata.name for machine in detachable))
    if untagged and _is_worth_a_call(untagged, now=now):
        ids, tags = _tag_batch(facts, untagged)
        return TagMachines(ids=ids, tags=tuple(sorted(tags.items())))
    return None


def published_at(facts: PoolFacts, machine: Machine) -> datetime:
    """Return when the latest of the machine's users was told of it; when it was claimed if that is not known."""
    users = (facts.workspaces.get(claim.workspace.uid) for claim in machine.spec.claims)
    told = [user.status.ready_at for user in users if user is not None and user.status.ready_at is not None]
    return max(told, default=claimed_at(machine))


def is_untagged(facts: PoolFacts, machine: Machine) -> bool:
    """Tell whether a claim of the machine is missing among its tags."""
    instance = facts.instances.get(machine.metadata.name)
    return instance is not None and bool(missing_tags(machine, instance))


def claimed_at(machine: Machine) -> datetime:
    """Return when the machine's oldest claim was made; for one that was released, when."""
    made = [claim.claimed_at for claim in machine.spec.claims]
    if machine.spec.reap is not None:
        made.append(machine.spec.reap.at)
    return min(made)


def _is_worth_a_call(machines: list[Machine], *, now: datetime) -> bool:
    """Tell whether a call need not wait for more to share it: the batch is full, or its oldest has waited enough."""
    return len(machines) >= BATCH or now - claimed_at(machines[0]) >= LINGER


def _tag_batch(facts: PoolFacts, untagged: list[Machine]) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return the machines that one call can tag, and the tags."""
    batch: list[str] = []
    tags: dict[str, str] = {}
    carried = 0  # the most tags that a machine of the batch has already
    for machine in untagged:
        instance = facts.instances[machine.metadata.name]
        more = missing_tags(machine, instance)
        has_most = max(carried, len(instance.tags))
        together = len(tags) + len(more)
        if not batch or (together <= TAGS_PER_CALL and has_most + together <= TAGS_SHARED):
            batch.append(machine.metadata.name)
            tags |= more
            carried = has_most
    return tuple(batch), tags


def _can_go_on(facts: PoolFacts, name: str) -> bool:
    """Tell whether a call of ours can bring a machine further; what waits for AWS must not stand in others' way."""
    member = facts.members.get(name)
    return name in facts.instances and (member is None or member.lifecycle == "InService")


def _may_be_detached(facts: PoolFacts, machine: Machine, *, now: datetime) -> bool:
    name = machine.metadata.name
    member, instance = facts.members.get(name), facts.instances.get(name)
    if member is None or instance is None or member.lifecycle != "InService":
        return False
    return not is_untagged(facts, machine) or _is_late(machine, now=now)


def _is_late(machine: Machine, *, now: datetime) -> bool:
    return now - claimed_at(machine) > _LATE
