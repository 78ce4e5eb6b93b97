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
    observation,
    workspace,
)
from factories import pool as make_pool
from hotdesk.core.eligibility import Priorities, Surroundings
from hotdesk.core.facts import InstanceState
from hotdesk.core.offers import free_slots
from hotdesk.core.pool_facts import LOST, PoolFacts
from hotdesk.core.standing import NOTHING, Share, Standing, is_exposed, is_leaving, is_sharable, share_of, standing_of
from hotdesk.core.tags import missing_tags

MACHINES = st.integers(1, 4)
NAMES = st.sampled_from(["ann", "bob", "cyd", "dan"])


class PoolNews(RuleBasedStateMachine):
    """Any news in any order; after each piece the indices equal what is computed from the facts alone."""

    @initialize(slots=st.integers(1, 3))
    def begin(self, slots: int) -> None:
        self.version = 1
        self.seconds = 0
        self.known = PoolFacts(name=POOL)
        self.known.set_pool(make_pool(slots_per_machine=slots))
        self.claiming: dict[str, list[str]] = {}

    def tick(self) -> int:
        self.version += 1
        return self.version

    @rule(slots=st.integers(1, 3), paused=st.booleans())
    def change_pool(self, slots: int, paused: bool) -> None:  # noqa: FBT001
        self.known.set_pool(make_pool(version=self.tick(), slots_per_machine=slots, paused=paused))

    @rule()
    def lose_pool(self) -> None:
        self.known.set_pool(None)

    @rule(rival=st.sampled_from([None, "elder"]), priority=st.integers(0, 3))
    def change_surroundings(self, rival: str | None, priority: int) -> None:
        self.known.set_surroundings(Surroundings(rival=rival, priorities=Priorities(default=priority)))

    @rule(name=NAMES, on=st.none() | MACHINES, deleted=st.booleans())
    def upsert_workspace(self, name: str, on: int | None, deleted: bool) -> None:  # noqa: FBT001
        told = {"machine": machine_id(on), "slot": 0} if on is not None else {}
        gone = NOW if deleted else None
        self.known.upsert_workspace(workspace(name, version=self.tick(), deleted_at=gone, **told))

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
        self.known.capacity_answered(at=after(self.seconds - earlier), desired=desired)

    @rule(number=MACHINES)
    def acted(self, number: int) -> None:
        self.known.acted([machine_id(number)], at=after(self.seconds))

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
TestPoolNews.settings = settings(max_examples=40, stateful_step_count=25)


def test_what_was_seen_beside_a_rival_is_forgotten_when_it_goes():
    known = facts(inside=[1, 2])
    known.set_surroundings(Surroundings(rival="elder"))
    known.observe(observation(group([member(1), member(2)])))
    known.set_surroundings(Surroundings())
    assert known.observation is None
    assert not known.unregistered, "a member may have been ended by the elder since it was seen"
