"""Where a machine stands, from its record and what AWS shows of it, and what that adds to the pool's sums."""

from dataclasses import dataclass
from enum import Enum, auto

from hotdesk.api.v1alpha1 import Machine
from hotdesk.core.doomed import doom_of
from hotdesk.core.facts import Instance, InstanceState, Member
from hotdesk.core.rest import is_asleep

_USED = frozenset({"Used", "Lost", "Archived"})  # reasons to reap a machine that was claimed before


class Standing(Enum):
    """The one thing a machine is at a moment."""

    UNSEEN = auto()  # a record that no observation speaks of yet
    BOOTING = auto()  # unclaimed, and not yet ready, in service and protected: supply on its way
    IDLE = auto()  # may be handed out now
    CLAIMED = auto()  # holds at least one claim and is alive
    QUARANTINED = auto()  # missed its readiness deadline
    DOOMED = auto()  # unclaimed, and AWS has announced that it takes it: neither supply nor to be handed out
    STRAY = auto()  # unclaimed, alive and outside the group: somebody took it out; not ours to give or to end
    OWING = auto()  # to be terminated once what it owes is settled: its files are saved
    REAPING = auto()  # to be terminated, whatever happens
    LEAVING = auto()  # AWS or a person is taking it away
    GONE = auto()  # EC2 says terminated


LOST = frozenset({Standing.LEAVING, Standing.GONE})
"""Machines that nobody works on any more: their workspaces need another one."""


def standing_of(
    machine: Machine, *, member: Member | None, instance: Instance | None, gone: bool
) -> Standing:  # one line a standing
    """Return where the machine stands; `gone` says that EC2 has long ceased to know it."""
    if gone or (instance is not None and instance.state is InstanceState.TERMINATED):
        return Standing.GONE
    if machine.spec.reap is not None and not machine.spec.owed:
        return Standing.REAPING
    if is_leaving(member=member, instance=instance):
        return Standing.LEAVING
    if machine.spec.reap is not None:
        return Standing.OWING
    if machine.spec.claims:
        return Standing.CLAIMED
    if machine.status.phase == "Quarantined":
        return Standing.QUARANTINED
    if instance is None:
        return Standing.UNSEEN
    if member is None:
        return Standing.STRAY
    if doom_of(machine, instance) is not None:
        return Standing.DOOMED
    ready = machine.status.ready_at is not None and is_running(instance) and is_safe_member(member)
    return Standing.IDLE if ready else Standing.BOOTING


def is_leaving(*, member: Member | None, instance: Instance | None) -> bool:
    """Tell whether the machine is on its way out of this world."""
    ending = instance is not None and not instance.state.is_live
    return ending or (member is not None and member.lifecycle.startswith("Terminating"))


def is_running(instance: Instance | None) -> bool:
    """Tell whether EC2 shows the instance running."""
    return instance is not None and instance.state is InstanceState.RUNNING


def is_safe_member(member: Member) -> bool:
    """Tell whether the group cannot take this member away while it is handed out: in service and protected."""
    return member.lifecycle == "InService" and member.protected and member.healthy


def is_exposed(member: Member) -> bool:
    """Tell whether scale-in could end a member that serves."""
    return member.lifecycle == "InService" and not member.protected


@dataclass(frozen=True, slots=True)
class Share:
    """What one instance adds to each sum of its pool."""

    live: int = 0  # machines that count against maxMachines
    outside: int = 0  # live machines beyond the group's reach or promised to be, see `share_of`
    supply: int = 0  # members that desired capacity counts and nobody has claimed
    idle: int = 0  # slots
    booting: int = 0  # slots
    claimed: int = 0  # slots
    spare: int = 0  # free slots on claimed machines that may be handed out: supply outside the group
    quarantined: int = 0  # machines
    stopped: int = 0  # slots of those whose machine is stopped

    def __add__(self, other: "Share") -> "Share":
        return Share(*(mine + theirs for mine, theirs in zip(_values(self), _values(other), strict=True)))

    def __sub__(self, other: "Share") -> "Share":
        return Share(*(mine - theirs for mine, theirs in zip(_values(self), _values(other), strict=True)))


def _values(share: Share) -> tuple[int, ...]:
    return (
        share.live,
        share.outside,
        share.supply,
        share.idle,
        share.booting,
        share.claimed,
        share.spare,
        share.quarantined,
        share.stopped,
    )


NOTHING = Share()


def share_of(
    machine: Machine | None,
    *,
    standing: Standing | None,
    member: Member | None,
    instance: Instance | None,
    slots_per_machine: int,
) -> Share:
    """Return what one instance adds; one without a record yet counts as booting.

    `outside` counts live machines that left the group and members that are claimed or were released after a claim:
    desired capacity will not count those for long, so the room under the ceiling must not count on them either.
    """
    if standing is Standing.GONE:
        return NOTHING
    # What a look left out may still be there: EC2 is eventually consistent, and the ceiling is hard.
    live = int(instance.state.is_live if instance is not None else machine is not None or _counts(member))
    if machine is None or standing is None:
        counted = int(member is not None and member.is_counted and live)
        return Share(live=live, outside=live - counted, supply=counted, booting=counted * slots_per_machine)
    used = bool(machine.spec.claims) or (machine.spec.reap is not None and machine.spec.reap.reason in _USED)
    counted = int(member is not None and member.is_counted and not used and live)
    slots = machine.spec.slots
    is_claimed = standing is Standing.CLAIMED
    free = slots - len(machine.spec.claims) - len(machine.spec.owed)
    return Share(
        live=live,
        outside=live - counted,
        supply=counted if machine.spec.reap is None and standing is not Standing.DOOMED else 0,
        idle=slots if standing is Standing.IDLE else 0,
        booting=slots if standing is Standing.BOOTING else 0,
        claimed=len(machine.spec.claims) if is_claimed else 0,
        spare=free if is_claimed and is_sharable(machine, member, instance) else 0,
        quarantined=int(standing is Standing.QUARANTINED),
        stopped=len(machine.spec.claims) if is_claimed and is_asleep(machine, instance) else 0,
    )


def is_sharable(machine: Machine, member: Member | None, instance: Instance | None) -> bool:
    """Tell whether a claimed machine's free slots may be handed out."""
    if machine.spec.stop is not None or doom_of(machine, instance) is not None:
        return False
    return machine.status.ready_at is not None and is_running(instance) and (member is None or is_safe_member(member))


def _counts(member: Member | None) -> bool:
    return member is not None and member.is_counted
