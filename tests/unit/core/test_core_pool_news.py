"""Any news of a pool in any order: its indices always say what a count from scratch would say."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from factories import (
    NOW,
    POOL,
    POOL_TAGS,
    after,
    claim,
    facts,
    group,
    instance,
    machine,
    machine_id,
    member,
    number_of,
    observation,
    workspace,
)
from factories import pool as make_pool
from hotdesk.api.v1alpha1 import Quota
from hotdesk.core.eligibility import Priorities, Surroundings, obstacle_of
from hotdesk.core.facts import InstanceState
from hotdesk.core.offers import free_slots
from hotdesk.core.pool_facts import PoolFacts
from hotdesk.core.seating import plan_claims
from hotdesk.core.standing import (
    LOST,
    NOTHING,
    Share,
    Standing,
    is_exposed,
    is_leaving,
    is_sharable,
    share_of,
    standing_of,
)
from hotdesk.core.tags import missing_tags

MACHINES = st.integers(1, 4)
NAMES = st.sampled_from(["ann", "bob", "cyd", "dan"])
LIMITS = st.sampled_from([None, 1, 1, 2])


class PoolNews(RuleBasedStateMachine):
    """Any news in any order; after each piece the indices equal what is computed from the facts alone."""

    @initialize(slots=st.integers(1, 3), most=LIMITS)
    def begin(self, slots: int, most: int | None) -> None:
        self.version = 1
        self.seconds = 0
        self.known = PoolFacts(name=POOL)
        self.known.set_pool(make_pool(slots_per_machine=slots, quota=Quota(max_workspaces_per_owner=most)))
        self.claiming: dict[str, list[str]] = {}
        self.first_seen: dict[str, int] = {}

    def tick(self) -> int:
        self.version += 1
        return self.version

    @rule(slots=st.integers(1, 3), paused=st.sampled_from([False, False, False, True]), most=LIMITS, running=LIMITS)
    def change_pool(self, slots: int, paused: bool, most: int | None, running: int | None) -> None:  # noqa: FBT001
        quota = Quota(max_workspaces_per_owner=most, max_running_per_owner=running)
        self.known.set_pool(
            make_pool(
                version=self.tick(), slots_per_machine=slots, paused=paused, quota=quota if most or running else None
            )
        )

    @rule()
    def lose_pool(self) -> None:
        self.known.set_pool(None)

    @rule(rival=st.sampled_from([None, None, None, "elder"]), priority=st.integers(0, 3))
    def change_surroundings(self, rival: str | None, priority: int) -> None:
        self.known.set_surroundings(Surroundings(rival=rival, priorities=Priorities(default=priority)))

    @rule(
        name=NAMES,
        on=st.sampled_from([None, None, None, 1, 2, 3, 4]),
        deleted=st.sampled_from([False, False, False, False, True]),
        owner=st.sampled_from(["ada", "ada", "eve"]),
        age=st.integers(0, 2),
    )
    def upsert_workspace(self, name: str, on: int | None, deleted: bool, owner: str, age: int) -> None:  # noqa: FBT001
        told = {"machine": machine_id(on), "slot": 0} if on is not None else {}
        gone, version = NOW if deleted else None, self.tick()
        if f"uid-{name}" not in self.known.workspaces:
            self.first_seen[f"uid-{name}"] = version
        self.known.upsert_workspace(
            workspace(name, version=version, deleted_at=gone, owner=owner, created_at=after(-age), **told)
        )

    @rule(names=st.sets(NAMES, min_size=2))
    def many_ask(self, names: set[str]) -> None:
        for name in sorted(names):
            self.upsert_workspace(name=name, on=None, deleted=False, owner="ada", age=0)

    @rule(numbers=st.sets(MACHINES, min_size=1), are_given_out=st.booleans())
    def some_stand_ready(self, numbers: set[int], are_given_out: bool) -> None:  # noqa: FBT001
        for number in sorted(numbers):
            self.known.upsert_machine(machine(number, version=self.tick(), slots=2))
        running = sorted({*numbers} | {number_of(name) for name in self.known.machines})
        seen = group([member(number) for number in running]), [instance(number) for number in running]
        self.known.observe(observation(*seen, at=after(self.seconds)))
        for made in plan_claims(self.known, now=NOW) if are_given_out else ():
            self.claiming[made.machine.metadata.name] = [seat.workspace.metadata.uid for seat in made.seats]

    @rule(name=NAMES)
    def remove_workspace(self, name: str) -> None:
        self.known.remove_workspace(f"uid-{name}")

    @rule(
        number=MACHINES,
        holders=st.lists(NAMES, max_size=3, unique=True),
        reap=st.sampled_from([None, None, None, "Used", "Surplus"]),
        ready=st.booleans(),
        phase=st.sampled_from(["Idle", "Quarantined"]),
        in_group=st.sampled_from([None, True, False]),
    )
    def upsert_machine(self, number: int, holders: list[str], reap, ready: bool, phase: str, in_group) -> None:  # noqa: FBT001
        claims = [claim(name, slot=slot) for slot, name in enumerate(holders)] if reap is None else []
        seen = {"phase": phase, "in_group": in_group, "ready_at": NOW if ready else None}
        self.known.upsert_machine(machine(number, version=self.tick(), slots=3, claims=claims, reap=reap, **seen))

    @rule(number=MACHINES)
    def remove_machine(self, number: int) -> None:
        self.known.remove_machine(machine_id(number))

    @rule(
        members=st.dictionaries(
            MACHINES, st.tuples(st.sampled_from(["Pending", "InService", "Terminating", "Standby"]), st.booleans())
        ),
        instances=st.dictionaries(MACHINES, st.tuples(st.sampled_from(InstanceState), st.booleans())),
        asked=st.none() | st.sets(MACHINES),
        later=st.integers(0, 400),
        desired=st.integers(0, 5),
    )
    def look(self, members, instances, asked: set[int] | None, later: int, desired: int) -> None:
        self.seconds += later
        listed = [member(number, lifecycle=state, protected=safe) for number, (state, safe) in members.items()]
        tags = {True: POOL_TAGS, False: {}}
        shown = [instance(number, state=state, tags=tags[ours]) for number, (state, ours) in instances.items()]
        if asked is not None:
            shown = [found for found in shown if found.id in {machine_id(number) for number in asked}]
        self.known.observe(
            observation(
                group(listed, desired=desired),
                shown,
                at=after(self.seconds),
                complete=asked is None,
                asked=frozenset(machine_id(number) for number in asked or ()),
            )
        )

    @rule()
    def find_no_group(self) -> None:
        self.known.observe(observation(None, at=after(self.seconds)))

    @rule(number=MACHINES, slot=st.integers(0, 2))
    def tagged(self, number: int, slot: int) -> None:
        self.known.tagged([machine_id(number)], {f"hotdesk.dev/claim.{machine_id(number)}.{slot}": "x"})

    @rule(desired=st.integers(0, 5), earlier=st.integers(0, 5))
    def capacity_answered(self, desired: int, earlier: int) -> None:
        self.known.capacity_answered(at=self.seconds - earlier, desired=desired)

    @rule(number=MACHINES)
    def acted(self, number: int) -> None:
        self.known.acted([machine_id(number)], at=self.seconds)

    @precondition(lambda self: self.known.offers and self.known.waiting)
    @rule(data=st.data())
    def begin_claim(self, data) -> None:
        name = data.draw(st.sampled_from(sorted(self.known.machines)))
        if name in self.known.offers:
            uids = data.draw(st.lists(st.sampled_from(sorted(self.known.waiting)), unique=True, min_size=1))
            self.known.begin_claim(name, uids)
            self.claiming[name] = uids

    @precondition(lambda self: self.claiming)
    @rule(data=st.data())
    def end_claim(self, data) -> None:
        name = data.draw(st.sampled_from(sorted(self.claiming)))
        self.known.end_claim(name, self.claiming.pop(name))

    @invariant()
    def sums_are_the_sums_of_all(self) -> None:
        known, total = self.known, NOTHING
        for name in known.machines.keys() | known.members.keys() | known.instances.keys():
            total += self._share(name)
        assert known.totals == total

    @invariant()
    def every_machine_stands_in_one_place(self) -> None:
        known = self.known
        assert known.standings.keys() == known.machines.keys()
        for name, made in known.machines.items():
            standing = known.standings[name]
            fresh = standing_of(
                made, member=known.members.get(name), instance=known.instances.get(name), gone=standing is Standing.GONE
            )
            assert fresh is standing
        placed = [(name, standing) for standing, names in known.by_standing.items() for name in names]
        assert sorted(placed, key=str) == sorted(known.standings.items(), key=str)

    @invariant()
    def offers_are_what_may_be_handed_out(self) -> None:
        known = self.known
        offered = {name for name in known.machines if name in known.offers}
        assert offered == {name for name in known.machines if self._may_be_handed_out(name)}
        assert known.offers.slots == sum(len(free_slots(known.machines[name])) for name in offered)
        assert not offered & known.busy

    @invariant()
    def nobody_waits_and_holds_a_machine(self) -> None:
        known = self.known
        for uid in known.waiting:
            found = known.workspaces[uid]
            assert found.status.machine is None
            assert found.metadata.deletion_timestamp is None
            assert uid not in known.serving
            assert uid not in known.held
            assert known.claims_of.get(uid, set()) <= {n for n, where in known.standings.items() if where in LOST}

    @invariant()
    def everybody_is_sorted(self) -> None:
        """Nobody is forgotten: who neither waits nor is held has a machine, or a claim, or is to be looked at."""
        known = self.known
        for uid, found in known.workspaces.items():
            settled = found.metadata.deletion_timestamp is not None or uid in known.serving
            seated = uid in known.unsettled_workspaces or found.status.machine is not None
            assert settled or seated or uid in known.waiting or uid in known.held or known.claims_of.get(uid)

    @invariant()
    def the_quota_admits_the_oldest_beside_those_that_have_a_machine(self) -> None:
        known = self.known
        quota = known.pool.spec.quota if known.pool is not None else None
        set_ = (quota.max_workspaces_per_owner, quota.max_running_per_owner) if quota is not None else ()
        limit = min((most for most in set_ if most is not None), default=len(known.workspaces))
        for owner in ("ada", "eve"):
            theirs = {uid: found for uid, found in known.workspaces.items() if found.spec.owner == owner}
            holding = {uid for uid, found in theirs.items() if found.status.machine is not None or uid in known.serving}
            asking = sorted(theirs.keys() & self._asking() - holding, key=self._age)
            room = max(0, limit - len(holding))
            assert theirs.keys() & known.waiting.keys() == {uid for uid in asking[:room] if not self._found(uid)}
            held = {uid: reason for uid, reason in known.held.items() if reason.reason == "QuotaExceeded"}
            assert theirs.keys() & held.keys() == set(asking[room:])
            use = len(holding) + len(asking[:room])
            for uid in asking[room:]:
                assert f'Owner "{owner}" uses {use} of the {limit} ' in held[uid].message
                assert uid in known.unreported

    @invariant()
    def of_the_quota_nothing_is_kept_but_what_is_there(self) -> None:
        known = self.known
        assert known.quota._places.keys() <= known.workspaces.keys()
        assert known.quota._owners.keys() == {owner for owner, _ in known.quota._places.values()}

    @invariant()
    def claims_are_indexed(self) -> None:
        indexed = {(uid, name) for uid, names in self.known.claims_of.items() for name in names}
        machines = self.known.machines
        assert indexed == {(c.workspace.uid, name) for name, made in machines.items() for c in made.spec.claims}

    @invariant()
    def the_unregistered_are_members_without_a_record_that_nobody_is_published_on(self) -> None:
        known = self.known
        bare = known.members.keys() - known.machines.keys() - self._published_on().keys()
        assert known.unregistered == {
            name for name in bare if not is_leaving(member=known.members[name], instance=known.instances.get(name))
        }

    @invariant()
    def everything_that_a_look_showed_is_indexed(self) -> None:
        known = self.known
        assert known.counted == sum(entry.is_counted for entry in known.members.values()) or known.group is None
        assert known.unprotected == {
            name
            for name, entry in known.members.items()
            if is_exposed(entry) and known.standings.get(name) is not Standing.REAPING
        }
        assert known.unlabelled == {
            name
            for name in known.members.keys() & known.instances.keys()
            if known.instances[name].tags.get("hotdesk.dev/pool") != POOL
        }
        assert known.seats == self._published_on()

    @invariant()
    def the_unsecured_are_claimed_and_not_known_to_be_out_and_tagged(self) -> None:
        known = self.known
        assert known.unsecured == {
            name
            for name, standing in known.standings.items()
            if standing is Standing.CLAIMED and not self._is_secured(name)
        }

    def _asking(self) -> set[str]:
        known = self.known
        return {
            uid
            for uid, found in known.workspaces.items()
            if found.metadata.deletion_timestamp is None
            and (self._found(uid) or obstacle_of(found, pool=known.pool, surroundings=known.surroundings) is None)
        }

    def _found(self, uid: str) -> bool:
        return any(self.known.standings[name] not in LOST for name in self.known.claims_of.get(uid, ()))

    def _age(self, uid: str) -> tuple[bool, object, int]:
        return not self._found(uid), self.known.workspaces[uid].metadata.creation_timestamp, self.first_seen[uid]

    def _share(self, name: str) -> Share:
        known = self.known
        return share_of(
            known.machines.get(name),
            standing=known.standings.get(name),
            member=known.members.get(name),
            instance=known.instances.get(name),
            slots_per_machine=known.slots_per_machine,
        )

    def _may_be_handed_out(self, name: str) -> bool:
        known = self.known
        made, standing = known.machines[name], known.standings[name]
        holders = {held.workspace.uid for held in made.spec.claims}
        if name in known.busy or not free_slots(made) or self._published_on().get(name, set()) - holders:
            return False
        shared = standing is Standing.CLAIMED and is_sharable(made, known.members.get(name), known.instances.get(name))
        return standing is Standing.IDLE or shared

    def _published_on(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for uid, made in self.known.workspaces.items():
            if made.status.machine is not None:
                found.setdefault(made.status.machine, set()).add(uid)
        return found

    def _is_secured(self, name: str) -> bool:
        known = self.known
        made, seen = known.machines[name], known.instances.get(name)
        is_out = name not in known.members and made.status.in_group is False and seen is not None
        return is_out and seen is not None and not missing_tags(made, seen)


TestPoolNews = PoolNews.TestCase
TestPoolNews.settings = settings(max_examples=80, stateful_step_count=30)


def test_what_was_seen_beside_a_rival_is_forgotten_when_it_goes():
    known = facts(inside=[1, 2])
    known.set_surroundings(Surroundings(rival="elder"))
    known.observe(observation(group([member(1), member(2)])))
    known.set_surroundings(Surroundings())
    assert known.observation is None
    assert not known.unregistered, "a member may have been ended by the elder since it was seen"
