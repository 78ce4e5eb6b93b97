"""Bugs that somebody could write into what comes after the claim: a flow of the lifecycle finds each."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC
from itertools import count
from typing import Any
from unittest.mock import patch

from hotdesk.actors import claiming, keeping, resting
from hotdesk.actors.changing import Changes
from hotdesk.actors.keeping import Keeping
from hotdesk.actors.resting import Resting
from hotdesk.adapters.aws import ledger
from hotdesk.adapters.aws.ledger_records import key_of
from hotdesk.api.v1alpha1 import Reap, Saved, Stop
from hotdesk.core import proofs
from hotdesk.core.actions import ArchiveMachine, Restore, WakeMachine
from hotdesk.core.backups import Kept, Stage
from hotdesk.core.lifecycle import archiving, phases, power
from hotdesk.core.pool_facts import weighing
from hotdesk.core.quota.owners import OwnerQuota
from hotdesk.core.standing import Standing
from hotdesk.core.terms import wants_machine
from hotdesk.core.usage import usage_after

Place = tuple[Any, str, Any]


@dataclass(frozen=True)
class LifeBug:
    """One planted bug: what is wrong, and where it is put."""

    name: str
    places: tuple[Place, ...]
    dies_at: str = ""  # a flow finds it only if the operator dies at such a write, whose answer is lost
    operators: int = 1  # how many it takes to find it

    @contextmanager
    def planted(self) -> Iterator[None]:
        """Let the product have it."""
        with ExitStack() as planted:
            for place in self.places:
                planted.enter_context(patch.object(*place))
            yield


_advanced = Keeping._back_up


async def _believed(self: Keeping, action: Any) -> bool:
    job = action.job
    progress = await self._vault.back_up(job)
    if progress.stage is not Stage.RUNNING:
        return await _advanced(self, action)
    now = self.world.clock.now()
    machine = self.facts.machines[job.instance]
    who = job.workspace
    kept = Kept("unverified", job.backup.method, who.namespace, who.name, who.uid, job.owner, now, now)
    await self._note(machine, keeping._saved(action, kept))
    return True


def _proof_of(wrong: Any) -> tuple[Place, ...]:
    return ((proofs, "proof_of", wrong),)


def _anything(machine: Any, _instance: Any, owed: Any) -> Any:
    now = owed.at
    return Saved(
        slot=owed.slot,
        uid=owed.workspace.uid,
        id=machine.metadata.name,
        launched_at=now,
        began_at=now,
        completed_at=now,
    )


def _of_any_start(machine: Any, _instance: Any, owed: Any) -> Any:
    closed = proofs.closed_at(machine, owed)
    mine = (s for s in machine.status.saved if s.slot == owed.slot and s.uid == owed.workspace.uid)
    return next((saved for saved in mine if saved.began_at >= closed), None)


def _of_any_time(machine: Any, _instance: Any, owed: Any) -> Any:
    return next((s for s in machine.status.saved if s.slot == owed.slot and s.uid == owed.workspace.uid), None)


async def _stopped_unseen(self: Resting, action: Any) -> bool:
    stop = Stop(reason=action.reason, at=self.world.clock.now(), final=action.final)
    return await self._swap(action.machine, {"stop": stop}, "machine is to rest")


_follow = phases.follow
_plan_power = power.plan_power


def _member_forgotten(facts: Any, *rest: Any, **more: Any) -> Any:
    members, facts.members = facts.members, {}
    try:
        return _follow(facts, *rest, **more)
    finally:
        facts.members = members


def _members_stopped(facts: Any, **more: Any) -> Any:
    members, facts.members = facts.members, {}
    try:
        return list(_plan_power(facts, **more))
    finally:
        facts.members = members


_standing_of = weighing.standing_of


def _reaping_at_once(machine: Any, **more: Any) -> Standing:
    standing = _standing_of(machine, **more)
    return Standing.REAPING if standing is Standing.OWING else standing


async def _ended_unasked(self: Changes, action: Any) -> None:
    with self._acting((action.name,)):
        await self.fleet.terminate_instance(id=action.name)


_at_rest = phases.at_rest


def _woken_early(facts: Any, workspace: Any, machine: Any, instance: Any, *, now: Any) -> Any:
    if wants_machine(workspace) and workspace.status.stopped_at is not None:
        return WakeMachine(machine=machine)
    return _at_rest(facts, workspace, machine, instance, now=now)


def _restored_again(facts: Any, workspace: Any, machine: Any, instance: Any, *, now: Any) -> Any:
    if workspace.status.restored is None:
        return _follow(facts, workspace, machine, instance, now=now)
    action = phases.restore(facts, workspace, machine, instance, now=now)
    if isinstance(action, Restore):
        minute = now.astimezone(UTC).replace(second=0, microsecond=0)
        return replace(action, job=replace(action.job, claimed_at=minute))
    return action


def _archived_for_one(facts: Any, machine: Any) -> Any:
    return ArchiveMachine(machine=machine) if machine.metadata.name not in facts.busy else None


def _true(*_: Any, **__: Any) -> bool:
    return True


async def _archived_unseen(self: Resting, action: Any) -> bool:
    reap = Reap(reason="Archived", at=self.world.clock.now())
    return await self._swap(action.machine, {"claims": (), "reap": reap}, "machine archived")


def _owing_nothing(*_: Any, **__: Any) -> tuple[()]:
    return ()


_numbers = count()


def _named_anew(interval: Any, *, place: Any) -> str:
    return f"{key_of(interval, place=place)}.{next(_numbers)}"


def _counted_again(usage: Any, *intervals: Any) -> Any:
    return usage_after(usage.model_copy(update={"last_interval": None}) if usage is not None else None, *intervals)


def _drawn_alone(self: OwnerQuota, _name: str, owner: Any) -> None:
    most = self.limits.max_running_per_owner
    owner.admitted = len(owner.asking) if most is None or len(owner.running) < most else 0


LIFE_BUGS = (
    LifeBug("takes a backup that has begun for one that is verified", ((Keeping, "_back_up", _believed),)),
    LifeBug("takes everything for saved", _proof_of(_anything)),
    LifeBug("takes the backup of an earlier start for one of now", _proof_of(_of_any_start)),
    LifeBug("takes a backup from before the stop for one after it", _proof_of(_of_any_time)),
    LifeBug("stops without a last look", ((Resting, "_stop", _stopped_unseen),)),
    LifeBug(
        "stops a member of the group",
        ((phases, "follow", _member_forgotten), (power, "plan_power", _members_stopped)),
    ),
    LifeBug(
        "ends a machine that owes a backup",
        ((weighing, "standing_of", _reaping_at_once), (Changes, "terminate", _ended_unasked)),
    ),
    LifeBug("wakes a machine that is still being stopped", ((phases, "at_rest", _woken_early),)),
    LifeBug("restores again over what was worked since", ((phases, "follow", _restored_again),)),
    LifeBug(
        "archives a machine when one of its workspaces is saved",
        (
            (archiving, "_may_go", _true),
            (phases, "archive", _archived_for_one),
            (Resting, "_archive", _archived_unseen),
        ),
    ),
    LifeBug("forgets what it owes when a workspace leaves", ((claiming, "owing", _owing_nothing),)),
    LifeBug("writes an interval twice", ((ledger, "key_of", _named_anew),), dies_at="PutObject"),
    LifeBug("counts an interval twice", ((resting, "usage_after", _counted_again),), operators=2),
    LifeBug("decides a quota without the pool's actor", ((OwnerQuota, "_draw", _drawn_alone),)),
)
