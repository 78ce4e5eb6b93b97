"""What one instance is to its pool: its standing, whether it is on offer, and what it adds to the sums."""

from typing import NamedTuple

from hotdesk.api.v1alpha1 import Machine
from hotdesk.core.doomed import doom_of
from hotdesk.core.facts import Instance, Member
from hotdesk.core.names import Names
from hotdesk.core.pool_facts.admission import settle_all
from hotdesk.core.pool_facts.known import Known, claimants
from hotdesk.core.pool_facts.time_used import clock
from hotdesk.core.rest import is_moving
from hotdesk.core.standing import (
    LOST,
    NOTHING,
    Standing,
    is_exposed,
    is_leaving,
    is_sharable,
    share_of,
    standing_of,
)
from hotdesk.core.tags import POOL_TAG, missing_tags
from hotdesk.core.usage import is_accountable

_ENDING = LOST | {Standing.REAPING}


class _Sight(NamedTuple):
    """Everything that decides what one instance is."""

    name: str
    machine: Machine | None
    member: Member | None
    instance: Instance | None
    standing: Standing | None


def weigh(known: Known, name: str) -> None:
    """Bring every index of one instance up to date; what that means for workspaces follows at once."""
    known.questions.doubt(name)
    machine, member, instance = known.machines.get(name), known.members.get(name), known.instances.get(name)
    standing = _stand(known, name, machine, member=member, instance=instance)
    sight = _Sight(name, machine, member, instance, standing)
    _list_member(known, sight)
    _list_machine(known, sight)
    for uid in known.seats.get(name, ()):
        known.life.stir(uid)
    _add_up(known, sight)
    clock(known, name)
    _offer(known, sight)


def _stand(
    known: Known, name: str, machine: Machine | None, *, member: Member | None, instance: Instance | None
) -> Standing | None:
    """Keep where a machine stands; its workspaces look for another one when it is lost."""
    before = known.standings.pop(name, None)
    after = None
    if machine is not None:
        after = standing_of(machine, member=member, instance=instance, gone=known.is_gone(name))
        known.standings[name] = after
    if before is not after:
        if before is not None:
            known.by_standing[before].discard(name)
        if after is not None:
            known.by_standing[after].add(name)
        if machine is not None and (before in LOST) is not (after in LOST):
            known.unsettled_machines.add(name)
            settle_all(known, claimants(machine))
    return after


def _list_member(known: Known, sight: _Sight) -> None:
    """Keep what an instance's place in the group asks for."""
    name, machine, member, instance, standing = sight
    _sort(known.unprotected, name, member is not None and is_exposed(member) and standing is not Standing.REAPING)
    has_label = instance is None or instance.tags.get(POOL_TAG) == known.name
    _sort(known.unlabelled, name, member is not None and not has_label)
    is_new = machine is None and member is not None and name not in known.seats
    _sort(known.unregistered, name, is_new and not is_leaving(member=member, instance=instance))


def _list_machine(known: Known, sight: _Sight) -> None:
    """Keep what the record of a machine asks for."""
    name, machine, member, instance, standing = sight
    is_used = standing in (Standing.CLAIMED, Standing.OWING)
    is_out = is_used and member is None and instance is not None
    has_tags = machine is not None and instance is not None and not missing_tags(machine, instance)
    is_untold = machine is not None and machine.status.in_group is not False
    is_doomed = machine is not None and standing not in _ENDING and doom_of(machine, instance) is not None
    _sort(known.doomed, name, is_doomed)
    _sort(known.unsecured, name, is_used and not (is_out and has_tags))
    _sort(known.detached, name, is_out and standing is Standing.CLAIMED and is_untold)
    _sort(known.life.moving, name, machine is not None and is_moving(machine, instance, known.pool))
    _sort(known.accountable, name, machine is not None and is_accountable(machine, instance))


def _add_up(known: Known, sight: _Sight) -> None:
    share = share_of(
        sight.machine,
        standing=sight.standing,
        member=sight.member,
        instance=sight.instance,
        slots_per_machine=known.slots_per_machine,
    )
    before = known.shares.get(sight.name, NOTHING)
    if share == before:
        return
    known.totals = known.totals - before + share
    if share == NOTHING:
        known.shares.pop(sight.name, None)
    else:
        known.shares[sight.name] = share


def _offer(known: Known, sight: _Sight) -> None:
    name, machine, member, instance, standing = sight
    has_room = machine is not None and (
        standing is Standing.IDLE
        or (
            standing is Standing.CLAIMED
            and len(machine.spec.claims) + len(machine.spec.owed) < machine.spec.slots
            and is_sharable(machine, member, instance)
        )
    )
    # Somebody published there without a claim: the record was lost, and is restored before anybody else gets in.
    is_taken = machine is not None and not known.seats.get(name, set()) <= claimants(machine)
    if machine is not None and has_room and not is_taken and name not in known.busy:
        known.offers.put(machine)
    else:
        known.offers.drop(name)


def _sort(names: Names, name: str, belongs: bool) -> None:  # noqa: FBT001  # reads as a sentence
    """Put a name into a set, or take it out."""
    if belongs:
        names.add(name)
    else:
        names.discard(name)
