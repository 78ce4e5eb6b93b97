"""Which of a pool's workspaces wait, rest, sleep or are held back: sorted anew whenever something says so."""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from datetime import datetime

from hotdesk.api.v1alpha1 import Workspace
from hotdesk.core.eligibility import obstacle_of
from hotdesk.core.names import Names
from hotdesk.core.pool_facts.known import Known
from hotdesk.core.queue import Ticket
from hotdesk.core.quota.owners import Rank
from hotdesk.core.terms import wants_machine


def settle_everybody(known: Known) -> None:
    """Sort all workspaces: what decides about each of them has changed."""
    for workspace in known.workspaces.values():
        settle(known, workspace)


def settle_all(known: Known, uids: Iterable[str]) -> None:
    """Sort those of these workspaces that are known."""
    for uid in sorted(uids):
        if uid in known.workspaces:
            settle(known, known.workspaces[uid])


def settle(known: Known, workspace: Workspace) -> None:
    """Sort one workspace: seated, waiting, held, or to be looked at."""
    uid = workspace.metadata.uid
    known.waiting.pop(uid, None)
    known.held.pop(uid, None)
    known.asleep.pop(uid, None)
    known.resting.discard(uid)
    is_leaving = workspace.metadata.deletion_timestamp is not None
    if uid in known.serving or workspace.status.machine is not None:
        _settle_holding(known, workspace)
        if uid not in known.serving and not is_leaving:
            _settle_seated(known, workspace)
    elif is_leaving:
        admit(known, known.quota.leave(uid))
    elif not wants_machine(workspace) and not known.holders(uid):
        _settle_resting(known, workspace)
    else:
        _settle_asking(known, workspace)


def hold(known: Known, uid: str) -> None:
    """Count a workspace that has a machine, or is getting one, with those of its owner."""
    if uid in known.workspaces:
        admit(known, known.quota.hold(uid, owner=known.workspaces[uid].spec.owner))


def admit(known: Known, uids: AbstractSet[str]) -> None:
    """Sort workspaces that nothing but the quota may keep from being served."""
    for uid in sorted((uids & known.workspaces.keys()) - known.serving):
        known.waiting.pop(uid, None)
        known.held.pop(uid, None)
        if known.workspaces[uid].status.machine is not None:
            _let_wake(known, uid)
            continue
        obstacle, holders = known.quota.obstacle(uid), known.holders(uid)
        known.unsettled_machines |= Names(sorted(holders))
        if obstacle is not None:
            known.held[uid] = obstacle
        elif not holders:
            known.waiting[uid] = _ticket(known, known.workspaces[uid])
        if obstacle is not None or not holders:
            known.unreported.add(uid)


def _settle_holding(known: Known, workspace: Workspace) -> None:
    """Count a workspace that has a machine: it runs or is about to, rests, or asks to be woken."""
    uid, owner = workspace.metadata.uid, workspace.spec.owner
    machine = known.machines.get(workspace.status.machine or "")
    is_stopped = machine is not None and machine.spec.stop is not None and machine.status.phase == "Stopped"
    if uid in known.serving or not is_stopped:
        hold(known, uid)
    elif wants_machine(workspace):
        admit(known, {uid} | known.quota.ask(_rank(known, workspace, is_new=False), owner=owner))
    else:
        admit(known, known.quota.rest(uid, owner=owner))


def _settle_seated(known: Known, workspace: Workspace) -> None:
    known.unsettled_workspaces.add(workspace.metadata.uid)
    if workspace.status.observed_generation != workspace.metadata.generation:
        known.unreported.add(workspace.metadata.uid)


def _settle_resting(known: Known, workspace: Workspace) -> None:
    uid = workspace.metadata.uid
    known.resting.add(uid)
    was_served = workspace.status.stopped_at is not None
    quota = known.quota
    admit(known, quota.rest(uid, owner=workspace.spec.owner) if was_served else quota.leave(uid))


def _settle_asking(known: Known, workspace: Workspace) -> None:
    uid = workspace.metadata.uid
    holders = known.holders(uid)
    obstacle = None if holders else obstacle_of(workspace, pool=known.pool, surroundings=known.surroundings)
    if obstacle is not None:
        known.unreported.add(uid)
        known.held[uid] = obstacle
        admit(known, known.quota.leave(uid))
        return
    rank = _rank(known, workspace, is_new=not holders)
    admit(known, {uid} | known.quota.ask(rank, owner=workspace.spec.owner))


def _let_wake(known: Known, uid: str) -> None:
    """Let a workspace with a stopped machine be woken, unless the quota keeps it from that."""
    obstacle = known.quota.obstacle(uid)
    if obstacle is None:
        known.asleep.pop(uid, None)
    else:
        known.asleep[uid] = obstacle
    known.life.stir(uid)


def _rank(known: Known, workspace: Workspace, *, is_new: bool) -> Rank:
    uid = workspace.metadata.uid
    return Rank(
        is_newcomer=workspace.status.stopped_at is None,
        is_new=is_new,
        created_at=_created_at(workspace),
        version=known.arrivals[uid].version,
        uid=uid,
    )


def _ticket(known: Known, workspace: Workspace) -> Ticket:
    uid = workspace.metadata.uid
    return Ticket(
        uid=uid,
        priority=known.surroundings.priorities.of(workspace),
        created_at=_created_at(workspace),
        arrival=known.arrivals[uid].number,
    )


def _created_at(workspace: Workspace) -> datetime:
    """Return the creation time that every stored object has."""
    moment = workspace.metadata.creation_timestamp
    if moment is None:
        raise ValueError(f"workspace {workspace.metadata.name} carries no creationTimestamp")
    return moment
