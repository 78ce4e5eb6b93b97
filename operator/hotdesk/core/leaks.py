"""Instances and disks with the pool's tag that belong to nobody: adopted, reported, or ended where the pool says so.

Such instances come of lost records alone: a Machine restored from an old backup of Kubernetes, or deleted by hand.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from hotdesk.api.v1alpha1 import Claim, ClaimedBy, Workspace
from hotdesk.core.actions import AdoptInstance, CondemnInstance, DeleteLeftover
from hotdesk.core.facts import Instance, Leftover
from hotdesk.core.pool_facts import PoolFacts
from hotdesk.core.proofs import backup_of
from hotdesk.core.standing import is_running
from hotdesk.core.tags import holders_of

OLD_ENOUGH: Final = timedelta(minutes=15)
LOOKS: Final = 3
_UNUSED_FOR: Final = timedelta(hours=1)
_NAMED: Final = 5

LeakAction = AdoptInstance | CondemnInstance


@dataclass(frozen=True, slots=True)
class Leak:
    """One instance that belongs to nobody."""

    name: str
    why: str  # half a sentence: what is known of it
    may_end: bool = False  # nobody that we know of claims it


def plan_leaks(facts: PoolFacts, *, now: datetime) -> Iterator[LeakAction]:
    """Give back to waiting workspaces what their tags say is theirs; end what is nobody's, if the pool says so."""
    adopted: set[str] = set()
    for instance in _leaked(facts, now=now):
        claims = _adoptable(facts, instance, but=adopted, now=now)
        if claims:
            adopted |= {claim.workspace.uid for claim in claims}
            yield AdoptInstance(name=instance.id, zone=instance.zone, slots=_slots(facts, claims), claims=claims)
        elif _ends(facts) and _judged(facts, instance).may_end:
            gone = tuple(
                Claim(slot=slot, workspace=holder, claimed_at=now)
                for slot, holder in holders_of(instance).items()
                if holder is not None
            )
            yield CondemnInstance(name=instance.id, zone=instance.zone, slots=_slots(facts, gone), claims=gone)


def found(facts: PoolFacts, *, now: datetime) -> tuple[Leak, ...]:
    """Return every leak, by its id: what a person should look at."""
    leaked = sorted(_leaked(facts, now=now), key=lambda instance: instance.id)
    return tuple(_judged(facts, instance) for instance in leaked)


def plan_disks(facts: PoolFacts, *, now: datetime) -> Iterator[DeleteLeftover]:
    """Delete what we made and is of no use any more, if the pool says so; never what may be the only copy."""
    if _ends(facts):
        yield from (DeleteLeftover(one.id) for one in _unused(facts, now=now) if one.is_spare)


def disks(facts: PoolFacts, *, now: datetime) -> tuple[str, ...]:
    """Return the volumes and snapshots that have been of no use for long."""
    return tuple(one.id for one in _unused(facts, now=now))


def _unused(facts: PoolFacts, *, now: datetime) -> list[Leftover]:
    """Return what has been of no use for long; a restore uses a new volume in minutes."""
    seen = facts.observation.leftovers if facts.observation is not None else ()
    old = (one for one in seen if one.created_at is None or now - one.created_at >= _UNUSED_FOR)
    kept = (one for one in old if one.id not in facts.deleted and not _is_restored_from(one, facts))
    return sorted(kept, key=lambda one: one.id)


def _is_restored_from(one: Leftover, facts: PoolFacts) -> bool:
    """Tell whether files are still being brought back from a volume; of large ones that takes hours."""
    workspace = facts.workspaces.get(one.restores) if one.restores is not None else None
    return workspace is not None and workspace.status.phase == "Restoring"


def message_of(leaks: tuple[Leak, ...], unused: tuple[str, ...] = ()) -> str:
    """Say what leaked, and what to do."""
    return " ".join([*([_of_instances(leaks)] if leaks else []), *([_of_disks(unused)] if unused else [])])


def _of_disks(unused: tuple[str, ...]) -> str:
    more = f" and {len(unused) - _NAMED} more" if len(unused) > _NAMED else ""
    named = ", ".join(unused[:_NAMED])
    return (
        "Volumes that are attached to nothing or were made for a restore that was given up, or snapshots that failed: "
        f"{named}{more}. Detach those that are attached, and delete them."
    )


def _of_instances(leaks: tuple[Leak, ...]) -> str:
    named = "; ".join(f"{leak.name} ({leak.why})" for leak in leaks[:_NAMED])
    more = f"; and {len(leaks) - _NAMED} more" if len(leaks) > _NAMED else ""
    kept = "" if all(leak.may_end for leak in leaks) else ", which ends those that no workspace claims"
    return (
        f"Instances that carry the pool's tag and have no Machine: {named}{more}. Save what you need of their disks "
        f"and terminate them, or set spec.aws.leaks to Terminate{kept}."
    )


def _leaked(facts: PoolFacts, *, now: datetime) -> list[Instance]:
    """Return the leaks, the youngest first; what has a record, a member's place or a seat is none."""
    names = [
        name
        for name, sighting in facts.orphans.seen.items()
        if sighting.looks >= LOOKS and name not in facts.busy and facts.is_orphan(name)
    ]
    instances = [facts.instances[name] for name in names]
    old = [
        found for found in instances if now - (found.launched_at or facts.orphans.seen[found.id].since) >= OLD_ENOUGH
    ]
    return sorted(old, key=lambda found: (found.launched_at is not None, found.launched_at), reverse=True)


def _judged(facts: PoolFacts, instance: Instance) -> Leak:
    holders = holders_of(instance)
    if None in holders.values():
        return Leak(instance.id, "its claim tags cannot be read")
    for holder in holders.values():
        if holder is None:
            continue
        known = facts.workspaces.get(holder.uid)
        if known is not None:
            return Leak(instance.id, f"claimed by {holder.namespace}/{holder.name}, {_whereabouts(known)}")
    if not holders:
        return Leak(instance.id, "never claimed", may_end=True)
    names = ", ".join(f"{holder.namespace}/{holder.name}" for holder in holders.values() if holder is not None)
    if not _can_be_saved(facts, holders):
        return Leak(instance.id, f"claimed by {names}, gone since, and nobody knows which of its files are whose")
    return Leak(instance.id, f"claimed by {names}, gone since", may_end=True)


def _can_be_saved(facts: PoolFacts, slots: Collection[int]) -> bool:
    """Tell whether all files would be saved first, or need not be: of a shared machine only known owners' are."""
    backup = backup_of(facts.pool)
    if backup is None or backup.on_delete == "Discard":
        return True
    return facts.slots_per_machine == 1 and set(slots) <= {0}


def _whereabouts(workspace: Workspace) -> str:
    machine = workspace.status.machine
    return f"which has {machine} now" if machine is not None else f"which is {workspace.status.phase.lower()}"


def _adoptable(facts: PoolFacts, instance: Instance, *, but: set[str], now: datetime) -> tuple[Claim, ...]:
    """Return the claims that tags name of workspaces that wait for a machine as if they never had one."""
    if not is_running(instance) or facts.pool is None or facts.pool.spec.paused:
        return ()
    claims: list[Claim] = []
    for slot, holder in holders_of(instance).items():
        if holder is None or holder.uid in but or holder.uid not in facts.waiting:
            continue
        workspace = facts.workspaces[holder.uid]
        if workspace.status.phase == "Pending" and _names(holder, workspace):
            claims.append(Claim(slot=slot, workspace=holder, owner=workspace.spec.owner, claimed_at=now))
            but = but | {holder.uid}
    return tuple(claims)


def _names(holder: ClaimedBy, workspace: Workspace) -> bool:
    return (holder.namespace, holder.name) == (workspace.metadata.namespace, workspace.metadata.name)


def _slots(facts: PoolFacts, claims: tuple[Claim, ...]) -> int:
    return max(facts.slots_per_machine, *(claim.slot + 1 for claim in claims), 1)


def _ends(facts: PoolFacts) -> bool:
    spec = facts.pool.spec if facts.pool is not None else None
    return spec is not None and spec.aws.leaks == "Terminate" and not spec.paused
