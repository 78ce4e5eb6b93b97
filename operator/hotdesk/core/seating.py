"""Which workspace gets which slot, and what becomes of claims that were found rather than made."""

from collections.abc import Iterator
from datetime import datetime

from hotdesk.api.v1alpha1 import Machine, Workspace
from hotdesk.core import queue, workspace_status
from hotdesk.core.actions import CheckClaims, CheckSeat, ClaimSlots, PublishFound, ReapMachine, ReportWorkspace, Seat
from hotdesk.core.facts import Instance
from hotdesk.core.offers import free_slots
from hotdesk.core.pool_facts import PoolFacts
from hotdesk.core.standing import LOST

SeatAction = PublishFound | CheckClaims | CheckSeat | ReportWorkspace | ReapMachine


def plan_claims(facts: PoolFacts, *, now: datetime) -> tuple[ClaimSlots, ...]:
    """Pair waiting workspaces, in the queue's order, with the free slots on offer, fullest machine first.

    Machines and workspaces in the result are taken out of the planner's sight: nothing else is planned for them
    until `end_claim`.
    """
    if not facts.waiting or not facts.offers:
        return ()
    tickets = iter(queue.in_order(facts.waiting.values(), now=now, first=facts.offers.slots))
    ticket = next(tickets, None)
    claims: list[ClaimSlots] = []
    while ticket is not None and (name := facts.offers.take()) is not None:
        machine = facts.machines[name]
        seats: list[Seat] = []
        for slot in free_slots(machine):
            if ticket is None:
                break
            workspace = facts.workspaces[ticket.uid]
            seats.append(Seat(slot=slot, workspace=workspace, hit=workspace.status.observed_generation < 0))
            ticket = next(tickets, None)
        claims.append(ClaimSlots(machine=machine, seats=tuple(seats)))
    for claim in claims:
        facts.begin_claim(claim.machine.metadata.name, (seat.workspace.metadata.uid for seat in claim.seats))
    return tuple(claims)


def plan_seats(facts: PoolFacts, *, now: datetime) -> Iterator[SeatAction]:
    """Look at every claim and seat that something happened to, until nothing is left to do about it."""
    for name in tuple(facts.unsettled_machines):
        machine = facts.machines.get(name)
        action = None
        if machine is not None and name not in facts.busy and machine.spec.reap is None:
            action = _settle_lost(facts, machine, now=now) if _is_lost(facts, name) else _settle_claims(facts, machine)
        if action is None:
            facts.unsettled_machines.discard(name)
        else:
            yield action
    for uid in tuple(facts.unsettled_workspaces):
        check = _settle_seat(facts, uid)
        if check is None:
            facts.unsettled_workspaces.discard(uid)
        elif facts.is_surveyed:  # until the first look at AWS a missing machine means nothing
            yield check


def _settle_claims(facts: PoolFacts, machine: Machine) -> PublishFound | CheckClaims | None:
    name = machine.metadata.name
    doubtful: set[str] = set()
    refused: set[str] = set()
    for claim in machine.spec.claims:
        uid = claim.workspace.uid
        workspace = facts.workspaces.get(uid)
        if workspace is None or workspace.status.machine not in (None, name):
            doubtful.add(uid)  # gone or seated elsewhere, says a cache that may be behind
        elif workspace.status.machine is None and uid in facts.held:
            refused.add(uid)  # made by an operator that died, and arrived when the quota was used up
        elif workspace.status.machine is None and uid not in facts.serving and machine.status.ready_at is not None:
            return PublishFound(machine=machine, claim=claim, workspace=workspace)
    if not doubtful | refused:
        return None
    return CheckClaims(machine=machine, uids=frozenset(doubtful | refused), refused=frozenset(refused))


def _settle_lost(facts: PoolFacts, machine: Machine, *, now: datetime) -> SeatAction | None:
    """First tell the users of a lost machine, then drop their claims: a crash between leaves the claims to find."""
    if not machine.spec.claims:
        return None
    unknown: set[str] = set()
    for claim in machine.spec.claims:
        workspace = facts.workspaces.get(claim.workspace.uid)
        if workspace is None:
            unknown.add(claim.workspace.uid)
        elif workspace.status.machine == machine.metadata.name:
            return ReportWorkspace(workspace=workspace, status=workspace_status.lost(workspace, now=now))
    if unknown:
        return CheckClaims(machine=machine, uids=frozenset(unknown))
    return ReapMachine(machine=machine, reason="Lost")


def _settle_seat(facts: PoolFacts, uid: str) -> CheckSeat | None:
    workspace = facts.workspaces.get(uid)
    if workspace is None or workspace.status.machine is None or uid in facts.serving:
        return None
    name = workspace.status.machine
    instance = facts.instances.get(name)
    if name in facts.claims_of.get(uid, ()) or _is_given_back(facts, workspace, instance):
        return None
    return CheckSeat(workspace=workspace, instance=instance)


def _is_given_back(facts: PoolFacts, workspace: Workspace, instance: Instance | None) -> bool:
    """Tell whether a seat without a claim is as it should be: the machine of who is archived goes first."""
    is_kept = workspace.status.machine not in facts.machines and instance is not None and instance.state.is_live
    return workspace.status.phase == "Archiving" and not is_kept


def _is_lost(facts: PoolFacts, name: str) -> bool:
    return facts.standings.get(name) in LOST
