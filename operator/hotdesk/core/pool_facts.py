"""All facts of one pool, indexed as they arrive, so that a pass costs what changed and not how much exists."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from hotdesk.api.v1alpha1 import Machine, MachinePool, Workspace
from hotdesk.core.doomed import doom_of
from hotdesk.core.eligibility import Obstacle, Surroundings, obstacle_of
from hotdesk.core.facts import Group, Instance, Member, Observation
from hotdesk.core.life_book import LifeBook
from hotdesk.core.names import Names
from hotdesk.core.offers import Offers
from hotdesk.core.orphans import Orphans
from hotdesk.core.question_book import QuestionBook
from hotdesk.core.queue import Ticket
from hotdesk.core.quota import OwnerQuota, Rank
from hotdesk.core.rest import is_moving
from hotdesk.core.standing import NOTHING, Share, Standing, is_exposed, is_leaving, is_sharable, share_of, standing_of
from hotdesk.core.stretches import Stretch, key_of, stretches_of
from hotdesk.core.tags import GROUP_TAG, POOL_TAG, missing_tags
from hotdesk.core.terms import wants_machine
from hotdesk.core.today import is_counted
from hotdesk.core.usage import is_accountable

LOST = frozenset({Standing.LEAVING, Standing.GONE})
_ENDING = LOST | {Standing.REAPING}

# EC2 may not know an instance for moments after its launch, and forgets a terminated one after about an hour.
_ABSENT_LOOKS = 3
_ABSENT_FOR = timedelta(minutes=5)


@dataclass(slots=True)
class _Absence:
    since: datetime
    looks: int = 1


@dataclass(frozen=True, slots=True)
class _Arrival:
    number: int  # order in which this process saw the workspaces
    version: int  # of the workspace when it was first seen


@dataclass(slots=True)
class PoolFacts:
    """What is known of one pool. The methods take news in; the rest is read by the planner."""

    name: str
    pool: MachinePool | None = None
    surroundings: Surroundings = field(default_factory=Surroundings)
    workspaces: dict[str, Workspace] = field(default_factory=dict)  # by UID
    machines: dict[str, Machine] = field(default_factory=dict)  # by instance id, as are all below
    members: Mapping[str, Member] = field(default_factory=dict)
    instances: dict[str, Instance] = field(default_factory=dict)
    standings: dict[str, Standing] = field(default_factory=dict)
    by_standing: dict[Standing, Names] = field(default_factory=lambda: defaultdict(Names))
    group: Group | None = None
    observation: Observation | None = None
    is_surveyed: bool = False  # whether a complete look at AWS has been had
    capacity_answered_at: datetime | None = None
    acted_at: dict[str, datetime] = field(default_factory=dict)  # by instance or group: when AWS was asked to change it
    totals: Share = NOTHING
    offers: Offers = field(default_factory=Offers)
    waiting: dict[str, Ticket] = field(default_factory=dict)  # by UID: may be served, and is not
    held: dict[str, Obstacle] = field(default_factory=dict)  # by UID: may not be served, and why
    counted: int = 0  # members that desired capacity counts, claimed ones included
    unprotected: Names = field(default_factory=Names)  # members in service that scale-in could end
    unlabelled: Names = field(default_factory=Names)  # members without the pool's tag
    unregistered: Names = field(default_factory=Names)  # members that have no record yet
    unsecured: Names = field(default_factory=Names)  # claimed, and not yet known to be tagged and out of the group
    detached: Names = field(default_factory=Names)  # claimed and out of the group, which their record does not say yet
    doomed: Names = field(default_factory=Names)  # announced to be taken by AWS, alive, and not being reaped
    orphans: Orphans = field(default_factory=Orphans)
    claims_of: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))  # UID -> machines
    seats: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))  # machine -> UIDs published on it
    unsettled_machines: Names = field(default_factory=Names)  # whose claims are to be looked at
    unsettled_workspaces: Names = field(default_factory=Names)  # whose seat is to be looked at
    unreported: Names = field(default_factory=Names)  # UIDs whose status may be out of date
    serving: set[str] = field(default_factory=set)  # UIDs that a claim under way will publish
    busy: set[str] = field(default_factory=set)  # machines that a claim under way writes to
    resting: Names = field(default_factory=Names)  # UIDs that have no machine and want none
    asleep: dict[str, Obstacle] = field(default_factory=dict)  # by UID: has a stopped machine, and why it is not woken
    ended: dict[str, Stretch] = field(default_factory=dict)  # by key: time on machines' records that has ended
    accountable: Names = field(default_factory=Names)  # machines with time used that is not in the ledger yet
    life: LifeBook = field(default_factory=LifeBook)
    questions: QuestionBook = field(default_factory=QuestionBook)
    quota: OwnerQuota = field(init=False)
    _stretches: dict[str, frozenset[str]] = field(default_factory=dict)  # by machine: keys of time it runs, or ran
    _shares: dict[str, Share] = field(default_factory=dict)
    _absences: dict[str, _Absence] = field(default_factory=dict)
    _arrivals: dict[str, _Arrival] = field(default_factory=dict)
    _arrived: int = 0

    def __post_init__(self) -> None:
        self.quota = OwnerQuota(pool=self.name)

    @property
    def slots_per_machine(self) -> int:
        """Slots on machines launched now."""
        return self.pool.spec.slots_per_machine if self.pool is not None else 1

    def turn(self, now: datetime) -> None:
        """Let it be now: an owner may have used up its minutes of the day, or a new day begins."""
        self._admit_all(self.quota.turn(now))

    # -- news of Kubernetes -----------------------------------------------------------------------------------------

    def set_pool(self, pool: MachinePool | None) -> None:
        """Take in the pool as it is now; None when it does not exist."""
        if pool is not None and self.pool is not None and _is_old(pool, self.pool):
            return
        before, slots = self.pool, self.slots_per_machine
        self.pool = pool
        if before is not None and (pool is None or pool.spec.aws != before.spec.aws):
            self.forget_aws()
        if slots != self.slots_per_machine:
            for name in self.members.keys() - self.machines.keys():
                self._weigh(name)
        if before is None or pool is None or _rules(before) != _rules(pool):
            self.quota.limit(pool.spec.quota if pool is not None else None)
            for name in self.machines:
                self._clock(name)
            self._reconsider_everybody()
        self._admit_all(self.quota.take_today(pool.status.today if pool is not None else None))
        if before is None or pool is None or _life(before) != _life(pool):
            for name in self.machines:
                self._weigh(name)
            self.life.astir |= Names(self.workspaces)

    def set_surroundings(self, surroundings: Surroundings) -> None:
        """Take in namespaces, priorities and the pool's rival."""
        if surroundings != self.surroundings:
            if surroundings.rival != self.surroundings.rival:
                self.forget_aws()  # what was seen while another pool managed the group is no ground to act on
            self.surroundings = surroundings
            self._reconsider_everybody()

    def upsert_workspace(self, workspace: Workspace) -> None:
        """Take in a workspace; news older than what is known is ignored."""
        uid = workspace.metadata.uid
        known = self.workspaces.get(uid)
        if known is not None and _is_old(workspace, known):
            return
        if known is None:
            self._arrived += 1
            self._arrivals[uid] = _Arrival(self._arrived, int(workspace.metadata.resource_version))
        self.workspaces[uid] = workspace
        self.life.saw(workspace)
        if workspace.status.machine is not None:
            self.questions.doubt(workspace.status.machine)
        self._seat(known, workspace)
        self._settle(workspace)

    def remove_workspace(self, uid: str) -> None:
        """Take in that a workspace is gone, as far as the sender knows."""
        known = self.workspaces.pop(uid, None)
        if known is None:
            return
        self._seat(known, None)
        self._arrivals.pop(uid, None)
        self.waiting.pop(uid, None)
        self.held.pop(uid, None)
        self.asleep.pop(uid, None)
        self.unreported.discard(uid)
        self.resting.discard(uid)
        self.life.forget(uid)
        self.unsettled_workspaces.discard(uid)
        self.unsettled_machines |= Names(sorted(self.claims_of.get(uid, ())))
        self._admit_all(self.quota.leave(uid))

    def upsert_machine(self, machine: Machine) -> None:
        """Take in a machine; news older than what is known is ignored."""
        name = machine.metadata.name
        if machine.spec.pool != self.name:  # read by its name, and made for another pool meanwhile
            self.remove_machine(name)
            return
        known = self.machines.get(name)
        if known is not None and known.metadata.uid == machine.metadata.uid and _is_old(machine, known):
            return
        affected = _claimants(known) | _claimants(machine)
        self._forget_claims(known)
        self.machines[name] = machine
        self.orphans.forget(name)
        for claim in machine.spec.claims:
            self.claims_of[claim.workspace.uid].add(name)
        self._weigh(name)
        if machine.spec.claims:
            self.unsettled_machines.add(name)
        self._settle_all(affected)

    def remove_machine(self, name: str) -> None:
        """Take in that a machine's record is gone."""
        known = self.machines.pop(name, None)
        if known is None:
            return
        self._forget_claims(known)
        self.unsettled_machines.discard(name)
        self._absences.pop(name, None)
        self.life.forget_machine(name)
        self._weigh(name)
        self._settle_all(_claimants(known) | self.seats.get(name, set()))

    # -- claims under way -------------------------------------------------------------------------------------------

    def begin_claim(self, name: str, uids: Iterable[str]) -> None:
        """Take a machine and the workspaces it shall serve out of the planner's sight, before anything is awaited."""
        self.busy.add(name)
        self.offers.drop(name)
        for uid in uids:
            self.serving.add(uid)
            self.waiting.pop(uid, None)
            self._hold(uid)

    def end_claim(self, name: str, uids: Iterable[str]) -> None:
        """Put them back into sight, however the claim ended; call it after the news it brought."""
        self.busy.discard(name)
        ended = set(uids)
        self.serving -= ended
        self._weigh(name)
        if name in self.machines and self.machines[name].spec.claims:
            self.unsettled_machines.add(name)
        self._settle_all(ended)

    # -- news of AWS ------------------------------------------------------------------------------------------------

    def observe(self, observation: Observation) -> None:
        """Take in what a look at AWS showed."""
        before_members, before_instances = self.members, dict(self.instances)
        group = observation.group
        known = self.group
        is_stale = self.capacity_answered_at is not None and observation.started_at < self.capacity_answered_at
        if group is not None and known is not None and is_stale:
            group = replace(group, desired=known.desired, max_size=known.max_size)
        self.group = group
        self.members = group.members if group is not None else {}
        self.observation = observation
        self.acted_at = {name: at for name, at in self.acted_at.items() if at > observation.started_at}
        self.counted = sum(member.is_counted for member in self.members.values())
        if observation.complete:
            self.is_surveyed = True
            expected = set(self.instances) | set(self.machines)
            self.instances = dict(observation.instances)
            absent = sorted(expected - observation.instances.keys())
            self.instances |= {
                name: before_instances[name] for name in absent if self._has_ended(before_instances, name)
            }
        else:
            expected = set(observation.asked)
            self.instances.update(observation.instances)
        if observation.complete:
            unknown = observation.instances.keys() - self.machines.keys() - self.members.keys()
            self.orphans.look((name for name in unknown if self.is_orphan(name)), at=observation.started_at)
        self._count_absences(expected - set(observation.instances), observation.started_at)
        for name in observation.instances:
            self._absences.pop(name, None)
        # Only what looks different costs more than a comparison; an absent one may have become GONE by waiting.
        for name in Names((*before_members, *self.members)):
            if before_members.get(name) != self.members.get(name):
                self._weigh(name)
        for name in Names((*before_instances, *self.instances, *self._absences)):
            if name in self._absences or before_instances.get(name) != self.instances.get(name):
                self._weigh(name)

    def capacity_answered(self, *, at: datetime, desired: int | None = None, max_size: int | None = None) -> None:
        """Take in that AWS accepted a capacity call; looks that began before `at` do not know it yet."""
        self.capacity_answered_at = at
        if self.group is not None:
            self.group = replace(
                self.group,
                desired=self.group.desired if desired is None else desired,
                max_size=self.group.max_size if max_size is None else max_size,
            )

    def acted(self, ids: Iterable[str], *, at: datetime) -> None:
        """Take in that AWS was asked to change these instances, whatever it answered."""
        self.acted_at.update(dict.fromkeys(ids, at))

    def is_stale(self, name: str) -> bool:
        """Tell whether the latest look began before the last change of an instance: it may not show it yet."""
        acted = self.acted_at.get(name)
        return acted is not None and (self.observation is None or self.observation.started_at < acted)

    def is_orphan(self, name: str) -> bool:
        """Tell whether an instance lives, was launched for this pool, and has neither record, group nor user."""
        instance = self.instances.get(name)
        if instance is None or not instance.state.is_live or instance.tags.get(POOL_TAG) != self.name:
            return False
        is_known = name in self.machines or name in self.members or name in self.seats
        return not is_known and GROUP_TAG not in instance.tags

    def tagged(self, ids: Iterable[str], tags: Mapping[str, str]) -> None:
        """Take in that AWS accepted these tags."""
        for name in ids:
            if name in self.instances:
                instance = self.instances[name]
                self.instances[name] = replace(instance, tags={**instance.tags, **tags})
                self._weigh(name)

    def forget_aws(self) -> None:
        """Drop what was seen: the pool is gone or looks elsewhere from now on, or another replica looks after it."""
        seen = Names((*self.members, *self.instances, *self.machines))
        self.group, self.members, self.observation, self.is_surveyed = None, {}, None, False
        self.capacity_answered_at = None
        for kept in (self.instances, self._absences, self.acted_at, self.orphans.seen):
            kept.clear()
        for name in seen:
            self._weigh(name)

    # -- the indices ------------------------------------------------------------------------------------------------

    def _weigh(self, name: str) -> None:
        """Bring standing, offers and sums of one instance up to date."""
        machine, member, instance = self.machines.get(name), self.members.get(name), self.instances.get(name)
        self.questions.doubt(name)
        before = self.standings.pop(name, None)
        after = None
        if machine is not None:
            after = standing_of(machine, member=member, instance=instance, gone=self._is_gone(name))
            self.standings[name] = after
        if before is not after:
            if before is not None:
                self.by_standing[before].discard(name)
            if after is not None:
                self.by_standing[after].add(name)
            if machine is not None and (before in LOST) is not (after in LOST):
                self.unsettled_machines.add(name)
                self._settle_all(_claimants(machine))
        _sort(self.unprotected, name, member is not None and is_exposed(member) and after is not Standing.REAPING)
        has_label = instance is None or instance.tags.get(POOL_TAG) == self.name
        _sort(self.unlabelled, name, member is not None and not has_label)
        is_new = machine is None and member is not None and name not in self.seats
        is_new = is_new and not is_leaving(member=member, instance=instance)
        _sort(self.unregistered, name, is_new)
        is_used = after in (Standing.CLAIMED, Standing.OWING)
        is_out = is_used and member is None and instance is not None
        has_tags = machine is not None and instance is not None and not missing_tags(machine, instance)
        is_doomed = machine is not None and after not in _ENDING and doom_of(machine, instance) is not None
        _sort(self.doomed, name, is_doomed)
        _sort(self.unsecured, name, is_used and not (is_out and has_tags))
        _sort(
            self.detached,
            name,
            is_out and after is Standing.CLAIMED and machine is not None and machine.status.in_group is not False,
        )
        _sort(self.life.moving, name, machine is not None and is_moving(machine, instance, self.pool))
        _sort(self.accountable, name, machine is not None and is_accountable(machine, instance))
        for uid in self.seats.get(name, ()):
            self.life.stir(uid)
        self._add_up(name, machine, after)
        self._clock(name)
        self._offer(name, machine, after)

    def _clock(self, name: str) -> None:
        """Keep for how long a machine runs, and ran, for its owners, where a quota asks for it."""
        machine, known = self.machines.get(name), self._stretches.pop(name, frozenset[str]())
        found: dict[str, Stretch] = {}
        if machine is not None and self.observation is not None and self.quota.minutes.limit is not None:
            seen = stretches_of(machine, self.instances.get(name), now=self.observation.started_at)
            found = {stretch.key: stretch for stretch in seen}
        if found:
            self._stretches[name] = frozenset(found)
        on_record = {key_of(machine, used) for used in machine.spec.used} if machine is not None else set[str]()
        today = self.pool.status.today if self.pool is not None else None
        for key in sorted(known - found.keys()):
            self.ended.pop(key, None)
            self._admit_all(self.quota.drop(key))
        for key, stretch in found.items():
            if key in on_record and stretch.until is not None:
                self.ended[key] = stretch
            if not is_counted(today, key):
                self._admit_all(self.quota.put(stretch))

    def _add_up(self, name: str, machine: Machine | None, standing: Standing | None) -> None:
        share = share_of(
            machine,
            standing=standing,
            member=self.members.get(name),
            instance=self.instances.get(name),
            slots_per_machine=self.slots_per_machine,
        )
        before = self._shares.get(name, NOTHING)
        if share == before:
            return
        self.totals = self.totals - before + share
        if share == NOTHING:
            self._shares.pop(name, None)
        else:
            self._shares[name] = share

    def _offer(self, name: str, machine: Machine | None, standing: Standing | None) -> None:
        has_room = machine is not None and (
            standing is Standing.IDLE
            or (
                standing is Standing.CLAIMED
                and len(machine.spec.claims) + len(machine.spec.owed) < machine.spec.slots
                and is_sharable(machine, self.members.get(name), self.instances.get(name))
            )
        )
        # Somebody published there without a claim: the record was lost, and is restored before anybody else gets in.
        is_taken = machine is not None and not self.seats.get(name, set()) <= _claimants(machine)
        if machine is not None and has_room and not is_taken and name not in self.busy:
            self.offers.put(machine)
        else:
            self.offers.drop(name)

    def _seat(self, before: Workspace | None, after: Workspace | None) -> None:
        """Keep who is published where; what that changes for a machine is weighed anew."""
        left = before.status.machine if before is not None else None
        taken = after.status.machine if after is not None else None
        if left == taken:
            return
        if before is not None and left is not None:
            self.seats[left].discard(before.metadata.uid)
            if not self.seats[left]:
                del self.seats[left]
            self._weigh(left)
        if after is not None and taken is not None:
            self.seats[taken].add(after.metadata.uid)
            self._weigh(taken)

    def _settle_all(self, uids: Iterable[str]) -> None:
        for uid in sorted(uids):
            if uid in self.workspaces:
                self._settle(self.workspaces[uid])

    def _settle(self, workspace: Workspace) -> None:
        """Sort one workspace: seated, waiting, held, or to be looked at."""
        uid = workspace.metadata.uid
        self.waiting.pop(uid, None)
        self.held.pop(uid, None)
        self.asleep.pop(uid, None)
        self.resting.discard(uid)
        is_leaving = workspace.metadata.deletion_timestamp is not None
        if uid in self.serving or workspace.status.machine is not None:
            self._settle_holding(workspace)
            if uid not in self.serving and not is_leaving:
                self._settle_seated(workspace)
        elif is_leaving:
            self._admit_all(self.quota.leave(uid))
        elif not wants_machine(workspace) and not self._holders(uid):
            self.resting.add(uid)
            was_served = workspace.status.stopped_at is not None
            owner = workspace.spec.owner
            self._admit_all(self.quota.rest(uid, owner=owner) if was_served else self.quota.leave(uid))
        else:
            self._settle_asking(workspace)

    def _settle_holding(self, workspace: Workspace) -> None:
        """Count a workspace that has a machine: it runs or is about to, rests, or asks to be woken."""
        uid, owner = workspace.metadata.uid, workspace.spec.owner
        machine = self.machines.get(workspace.status.machine or "")
        is_stopped = machine is not None and machine.spec.stop is not None and machine.status.phase == "Stopped"
        if uid in self.serving or not is_stopped:
            self._hold(uid)
        elif wants_machine(workspace):
            self._admit_all({uid} | self.quota.ask(self._rank(workspace, is_new=False), owner=owner))
        else:
            self._admit_all(self.quota.rest(uid, owner=owner))

    def _settle_seated(self, workspace: Workspace) -> None:
        self.unsettled_workspaces.add(workspace.metadata.uid)
        if workspace.status.observed_generation != workspace.metadata.generation:
            self.unreported.add(workspace.metadata.uid)

    def _settle_asking(self, workspace: Workspace) -> None:
        uid = workspace.metadata.uid
        holders = self._holders(uid)
        obstacle = None if holders else obstacle_of(workspace, pool=self.pool, surroundings=self.surroundings)
        if obstacle is not None:
            self.unreported.add(uid)
            self.held[uid] = obstacle
            self._admit_all(self.quota.leave(uid))
            return
        rank = self._rank(workspace, is_new=not holders)
        self._admit_all({uid} | self.quota.ask(rank, owner=workspace.spec.owner))

    def _rank(self, workspace: Workspace, *, is_new: bool) -> Rank:
        uid = workspace.metadata.uid
        return Rank(
            is_newcomer=workspace.status.stopped_at is None,
            is_new=is_new,
            created_at=created_at(workspace),
            version=self._arrivals[uid].version,
            uid=uid,
        )

    def _admit_all(self, uids: AbstractSet[str]) -> None:
        """Sort workspaces that nothing but the quota may keep from being served."""
        for uid in sorted((uids & self.workspaces.keys()) - self.serving):
            self.waiting.pop(uid, None)
            self.held.pop(uid, None)
            if self.workspaces[uid].status.machine is not None:
                self._let_wake(uid)
                continue
            obstacle, holders = self.quota.obstacle(uid), self._holders(uid)
            self.unsettled_machines |= Names(sorted(holders))
            if obstacle is not None:
                self.held[uid] = obstacle
            elif not holders:
                self.waiting[uid] = self._ticket(self.workspaces[uid])
            if obstacle is not None or not holders:
                self.unreported.add(uid)

    def _let_wake(self, uid: str) -> None:
        """Let a workspace with a stopped machine be woken, unless the quota keeps it from that."""
        obstacle = self.quota.obstacle(uid)
        if obstacle is None:
            self.asleep.pop(uid, None)
        else:
            self.asleep[uid] = obstacle
        self.life.stir(uid)

    def _hold(self, uid: str) -> None:
        """Count a workspace that has a machine, or is getting one, with those of its owner."""
        if uid in self.workspaces:
            self._admit_all(self.quota.hold(uid, owner=self.workspaces[uid].spec.owner))

    def _holders(self, uid: str) -> set[str]:
        """Return the living machines on which a workspace has a claim."""
        return {name for name in self.claims_of.get(uid, ()) if self.standings.get(name) not in LOST}

    def _ticket(self, workspace: Workspace) -> Ticket:
        return Ticket(
            uid=workspace.metadata.uid,
            priority=self.surroundings.priorities.of(workspace),
            created_at=created_at(workspace),
            arrival=self._arrivals[workspace.metadata.uid].number,
        )

    def _reconsider_everybody(self) -> None:
        for workspace in self.workspaces.values():
            self._settle(workspace)

    def _forget_claims(self, machine: Machine | None) -> None:
        if machine is None:
            return
        for uid in _claimants(machine):
            names = self.claims_of[uid]
            names.discard(machine.metadata.name)
            if not names:
                del self.claims_of[uid]

    def _count_absences(self, absent: set[str], at: datetime) -> None:
        for name in sorted(absent):
            if not self._has_ended(self.instances, name):
                self.instances.pop(name, None)
            absence = self._absences.get(name)
            if absence is not None:
                absence.looks += 1
            elif name in self.machines:
                self._absences[name] = _Absence(since=at)

    def _has_ended(self, instances: Mapping[str, Instance], name: str) -> bool:
        """Tell whether a machine was seen ending: that stays true when EC2 shows it no more."""
        return name in self.machines and name in instances and not instances[name].state.is_live

    def _is_gone(self, name: str) -> bool:
        absence = self._absences.get(name)
        if absence is None or self.observation is None:
            return False
        return absence.looks >= _ABSENT_LOOKS and self.observation.started_at - absence.since >= _ABSENT_FOR


def _sort(names: Names, name: str, belongs: bool) -> None:  # noqa: FBT001  # reads as a sentence
    """Put a name into a set, or take it out."""
    if belongs:
        names.add(name)
    else:
        names.discard(name)


def created_at(workspace: Workspace) -> datetime:
    """Return the creation time that every stored object has."""
    moment = workspace.metadata.creation_timestamp
    if moment is None:
        raise ValueError(f"workspace {workspace.metadata.name} carries no creationTimestamp")
    return moment


def _claimants(machine: Machine | None) -> set[str]:
    return {claim.workspace.uid for claim in machine.spec.claims} if machine is not None else set()


def _rules(pool: MachinePool) -> tuple[object, ...]:
    """Return what of a pool decides who may be served."""
    return pool.spec.allowed_namespaces, pool.spec.quota, pool.spec.paused, pool.metadata.deletion_timestamp is None


def _life(pool: MachinePool) -> tuple[object, ...]:
    """Return what of a pool decides how long machines in use run, and how their files are kept."""
    return pool.spec.lifecycle, pool.spec.backup, pool.spec.activity


def _is_old(new: Workspace | Machine | MachinePool, known: Workspace | Machine | MachinePool) -> bool:
    """Tell whether news of the same object says nothing new; versions of one kind only ever rise."""
    return int(new.metadata.resource_version) <= int(known.metadata.resource_version)
