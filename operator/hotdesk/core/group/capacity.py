"""How many machines the group should have, and the next safe call towards it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from hotdesk.api.v1alpha1 import Buffer
from hotdesk.core.actions import SetDesired, SetMaxSize
from hotdesk.core.facts import Group
from hotdesk.core.group import buffer
from hotdesk.core.pool_facts import PoolFacts


@dataclass(frozen=True, slots=True)
class Rise:
    """The highest number of machines wanted lately; it only falls after a while without a rise."""

    machines: int
    at: datetime

    def renewed(self, machines: int, *, now: datetime, delay: timedelta) -> "Rise":
        """Return the rise after `machines` are wanted now."""
        if machines >= self.machines or now - self.at >= delay:
            return Rise(machines=machines, at=now)
        return self


@dataclass(frozen=True, slots=True)
class Sizing:
    """What the pool needs now, in machines unless said otherwise."""

    target: int  # idle slots wanted beyond what waits
    room: int  # members the group may have: maxMachines less those outside
    want: int  # members that should be idle or on their way
    desired: int  # desired capacity that leads there without ending anything early
    surplus: int  # unclaimed members that may be given back
    fence: int  # MaxSize: what no late call can pass


def size(facts: PoolFacts, *, waiting: int, rise: Rise, now: datetime) -> tuple[Sizing, Rise]:
    """Return what the pool needs, recomputed from the facts alone, and the renewed rise.

    Claimed machines are in no number but `room`. A buffer that shrinks keeps the machines it has until
    `scaleDownDelay` has passed without a rise, but launches none for a need that is gone.
    """
    pool = facts.pool
    if pool is None:
        return Sizing(target=0, room=0, want=0, desired=0, surplus=0, fence=0), rise
    is_leaving = pool.metadata.deletion_timestamp is not None
    spec, totals = pool.spec, facts.totals
    target = 0 if is_leaving else _target(facts, spec.buffer, now=now)
    waiting = 0 if is_leaving else waiting
    room = max(0, spec.max_machines - totals.outside)
    slots = max(0, waiting + target - totals.spare)
    want = min(-(-slots // spec.slots_per_machine), room)
    delay = timedelta() if is_leaving else spec.buffer.scale_down_delay
    rise = rise.renewed(want, now=now, delay=delay)
    kept = want if rise.machines <= want else min(rise.machines, totals.supply)
    if waiting:  # whatever is on its way, somebody may be hoping for it
        kept = totals.supply
    desired = min(max(want, kept), room)
    surplus = max(0, totals.supply - desired) if not waiting or desired == room else 0
    slack = max(2, want // 4)
    return Sizing(
        target=target,
        room=room,
        want=want,
        desired=desired,
        surplus=surplus,
        fence=min(room, max(desired, want) + slack),
    ), rise


def next_call(facts: PoolFacts, sizing: Sizing, *, may_raise: bool) -> SetDesired | SetMaxSize | None:
    """Return the one capacity call to send now, or None if the group is as it should be.

    Lowering goes before raising, desired capacity before MaxSize when both fall, and after it when both rise; they
    never ride in one call. `may_raise` is false while an earlier raising call may still arrive late.
    """
    group, pool = facts.group, facts.pool
    if group is None or pool is None:
        return None
    fence = sizing.fence if pool.spec.aws.manage_group else group.max_size
    desired = max(min(sizing.desired, group.max_size if not may_raise else fence), group.min_size)
    if group.desired > desired:
        return SetDesired(desired=desired, raises=False)
    if group.max_size > sizing.room and fence < group.max_size:
        return SetMaxSize(max_size=fence, raises=False)
    if not may_raise:
        return None
    if group.max_size < desired:
        return SetMaxSize(max_size=fence, raises=True)
    if group.desired < desired:
        return SetDesired(desired=desired, raises=True)
    slack = fence - desired
    if group.max_size > fence + max(slack, 2):
        return SetMaxSize(max_size=fence, raises=False)
    return None


def is_fenced(facts: PoolFacts, sizing: Sizing) -> bool:
    """Tell whether desired capacity and MaxSize were seen within the room after our last capacity call.

    From then on, whatever AWS launches for a machine that leaves the group stays below the ceiling.
    """
    seen = facts.observation
    if seen is None or seen.group is None or facts.pool is None:
        return False
    answered = facts.capacity_answered_at
    if answered is not None and seen.began < answered:
        return False
    return _fits(seen.group, sizing.room, manages=facts.pool.spec.aws.manage_group)


def _target(facts: PoolFacts, wanted: Buffer, *, now: datetime) -> int:
    if facts.surroundings.schedule_fault is not None:
        wanted = wanted.model_copy(update={"schedules": ()})
    return buffer.target(wanted, claimed=facts.totals.claimed, now=now)


def _fits(group: Group, room: int, *, manages: bool) -> bool:
    return group.desired <= room and (group.max_size <= room or not manages)
