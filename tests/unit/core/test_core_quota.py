"""A quota holds back the youngest of an owner, says so in numbers, takes nothing away, and costs what changed."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factories import NOW, after, bound, claim, facts, instance, machine, machine_id, pool, workspace
from hotdesk.api.v1alpha1 import (
    Lifecycle,
    Machine,
    MachinePool,
    MachinePoolStatus,
    Next,
    OwnerSeconds,
    Quota,
    Stop,
    Today,
    Used,
    Workspace,
)
from hotdesk.api.wire import NEVER
from hotdesk.core import workspace_status
from hotdesk.core.actions import CheckClaims, PublishFound, ReportPool, ReportWorkspace, WakeMachine
from hotdesk.core.facts import InstanceState
from hotdesk.core.group.capacity import Rise
from hotdesk.core.lifecycle.following import verdict_on
from hotdesk.core.lifecycle.idleness import Active, Due, Warn
from hotdesk.core.lifecycle.phases import plan_lives
from hotdesk.core.planner import Memory, plan_upkeep
from hotdesk.core.pool_facts import PoolFacts
from hotdesk.core.quota.owners import OwnerQuota, Rank
from hotdesk.core.quota.stretches import Stretch
from hotdesk.core.seating import plan_claims, plan_seats


def limited(version: int = 1, *, most: int | None = None, running: int | None = None) -> MachinePool:
    quota = Quota(max_workspaces_per_owner=most, max_running_per_owner=running)
    return pool(version=version, quota=quota)


def rank(number: int, *, created_at: datetime = NOW) -> Rank:
    return Rank(is_new=True, created_at=created_at, version=number, uid=f"uid-{number}")


def served(known: PoolFacts) -> set[str]:
    claims = plan_claims(known, now=NOW)
    return {seat.workspace.metadata.name for made in claims for seat in made.seats}


def aged(*names: str, **fields: str) -> list[Workspace]:
    """Return workspaces of which each is older than the next."""
    return [workspace(name, created_at=after(number - 100), **fields) for number, name in enumerate(names)]


class TestAdmission:
    def test_no_more_are_claimed_for_than_the_quota_allows_however_many_slots_are_free(self):
        known = facts(*(machine(n) for n in range(1, 6)), of=limited(running=2), workspaces=aged("a", "b", "c", "d"))
        assert served(known) == {"a", "b"}
        assert served(known) == set()

    def test_claims_under_way_count(self):
        known = facts(machine(1), machine(2), of=limited(running=1), workspaces=aged("a"))
        assert served(known) == {"a"}
        known.upsert_workspace(workspace("a", version=2, created_at=after(-100)))
        known.upsert_workspace(workspace("older", created_at=after(-200)))
        assert served(known) == set()

    def test_claims_that_failed_give_their_room_back(self):
        known = facts(machine(1), of=limited(running=1), workspaces=aged("a", "b"))
        assert served(known) == {"a"}
        known.remove_workspace("uid-a")
        known.end_claim(machine_id(1), ["uid-a"])
        assert known.waiting.keys() == {"uid-b"}

    def test_owners_do_not_count_for_each_other(self):
        known = facts(
            *(machine(n) for n in range(1, 5)),
            of=limited(most=1),
            workspaces=[*aged("a", "b"), *aged("c", "d", owner="eve"), *aged("e", owner="Ada")],
        )
        assert served(known) == {"a", "c", "e"}

    def test_the_oldest_is_served_whatever_the_priority_of_the_others(self):
        known = facts(machine(1), of=limited(running=1), workspaces=aged("old", "new"))
        assert served(known) == {"old"}

    def test_of_one_second_the_first_to_be_stored_is_served_whoever_was_heard_of_first(self):
        known = facts(
            machine(1), of=limited(running=1), workspaces=[workspace("b", version=9), workspace("a", version=8)]
        )
        assert served(known) == {"a"}

    def test_who_cannot_be_served_anyway_takes_no_room(self):
        known = facts(machine(1), of=limited(most=1), workspaces=aged("a", priority_class_name="gone"))
        known.upsert_workspace(workspace("b"))
        assert served(known) == {"b"}

    def test_who_is_being_deleted_without_a_machine_takes_no_room(self):
        known = facts(machine(1), of=limited(most=1), workspaces=[workspace("a", deleted_at=NOW), workspace("b")])
        assert served(known) == {"b"}

    def test_who_is_being_deleted_with_a_machine_takes_room_until_it_is_gone(self):
        leaving = bound("a", machine=machine_id(1), deleted_at=NOW)
        known = facts(
            machine(1, claims=[claim("a")]), machine(2), of=limited(most=1), workspaces=[leaving, workspace("b")]
        )
        assert served(known) == set()
        known.remove_workspace("uid-a")
        assert served(known) == {"b"}

    def test_the_lower_limit_holds(self):
        known = facts(machine(1), machine(2), of=limited(most=2, running=1), workspaces=aged("a", "b"))
        assert served(known) == {"a"}

    def test_the_held_ask_for_no_machines(self):
        known = facts(of=limited(most=1), workspaces=aged(*"abcdefgh"))
        upkeep = plan_upkeep(known, Memory(rise=Rise(machines=0, at=NOW)), now=NOW)
        assert upkeep.sizing.want == 3, "one for who waits, and the buffer of two"


class TestChanges:
    def test_a_lowered_quota_takes_no_machine_away_and_serves_nobody_until_enough_have_left(self):
        known = facts(
            *(machine(n, claims=[claim(f"s{n}")]) for n in (1, 2, 3)),
            machine(4),
            workspaces=[*(bound(f"s{n}", machine=machine_id(n)) for n in (1, 2, 3)), *aged("next")],
            of=limited(running=3),
        )
        known.set_pool(limited(2, running=2))
        assert list(plan_seats(known, now=NOW)) == []
        for name, use in (("s1", 2), ("s2", 1)):
            assert f"uses {use + 1} of the 2 " in known.held["uid-next"].message
            known.remove_workspace(f"uid-{name}")
        assert served(known) == {"next"}

    @pytest.mark.parametrize("to", [limited(2, running=2), limited(2, most=9), pool(version=2)])
    def test_a_raised_or_removed_quota_serves_at_once(self, to: MachinePool):
        known = facts(machine(1), machine(2), of=limited(running=1), workspaces=aged("a", "b"))
        assert served(known) == {"a"}
        known.set_pool(to)
        assert served(known) == {"b"}

    def test_an_owner_that_changes_counts_for_the_new_one(self):
        known = facts(of=limited(most=1), workspaces=aged("a", "b"))
        known.upsert_workspace(workspace("a", version=2, owner="eve"))
        assert known.waiting.keys() == {"uid-a", "uid-b"}

    def test_who_lost_its_machine_comes_before_those_that_are_held(self):
        old, young = workspace("old", created_at=after(-9)), workspace("young")
        known = facts(machine(1), of=limited(most=1), workspaces=[young])
        assert served(known) == {"young"}
        known.upsert_workspace(old)
        known.upsert_workspace(bound("young", version=2, machine=machine_id(1)))
        known.end_claim(machine_id(1), ["uid-young"])
        assert known.held.keys() == {"uid-old"}
        known.upsert_workspace(workspace("young", version=3))
        assert known.held.keys() == {"uid-young"}, "it is the younger of the two that ask"


class TestFoundClaims:
    def test_a_claim_that_arrives_when_the_quota_is_used_up_is_not_published_but_dropped(self):
        known = facts(
            machine(1, claims=[claim("a")]),
            machine(2, claims=[claim("b")]),
            workspaces=[bound("a", machine=machine_id(1)), workspace("b", created_at=after(-9))],
            of=limited(running=1),
        )
        refused = frozenset({"uid-b"})
        assert list(plan_seats(known, now=NOW)) == [
            CheckClaims(machine=known.machines[machine_id(2)], uids=refused, refused=refused)
        ]

    def test_a_found_claim_comes_before_an_older_workspace_that_has_none(self):
        known = facts(
            machine(1, claims=[claim("b")]),
            machine(2),
            of=limited(running=1),
            workspaces=[workspace("a", created_at=after(-9)), workspace("b")],
        )
        assert served(known) == set()
        (publish,) = plan_seats(known, now=NOW)
        assert isinstance(publish, PublishFound)

    def test_a_refused_claim_is_published_after_all_when_room_appears(self):
        known = facts(
            machine(1, claims=[claim("a")]),
            machine(2, claims=[claim("b")]),
            workspaces=[bound("a", machine=machine_id(1)), workspace("b")],
            of=limited(running=1),
        )
        known.remove_workspace("uid-a")
        published = [action for action in plan_seats(known, now=NOW) if isinstance(action, PublishFound)]
        assert [action.workspace.metadata.name for action in published] == ["b"]


class TestSentence:
    def test_it_says_the_limit_the_use_and_what_to_do_and_gives_no_place_in_the_queue(self):
        known = facts(of=limited(most=2), workspaces=aged("a", "b", "c"))
        upkeep = plan_upkeep(known, Memory(rise=Rise(machines=0, at=NOW)), now=NOW)
        (status,) = (
            action.status
            for action in upkeep.actions
            if isinstance(action, ReportWorkspace) and action.workspace.metadata.name == "c"
        )
        ready, stalled = status.conditions
        assert (status.phase, status.queue, ready.status, ready.reason) == ("Pending", None, "False", "QuotaExceeded")
        assert (stalled.type, stalled.status) == ("Stalled", "True")
        assert ready.message == (
            'Owner "ada" uses 2 of the 2 workspaces that MachinePool pool allows one owner '
            "(spec.quota.maxWorkspacesPerOwner): delete one of them, or have the quota raised. "
            "The oldest that is held back is served next."
        )

    def test_it_names_the_limit_that_holds(self):
        known = facts(of=limited(most=2, running=1), workspaces=aged("a", "b", "c"))
        for uid in ("uid-b", "uid-c"):
            assert "uses 1 of the 1 running workspaces " in known.held[uid].message
            assert "(spec.quota.maxRunningPerOwner)" in known.held[uid].message

    def test_who_is_held_and_told_so_is_told_once(self):
        known = facts(of=limited(most=1), workspaces=aged("a", "b"))
        status = workspace_status.held(known.workspaces["uid-b"], known.held["uid-b"], now=NOW)
        known.upsert_workspace(workspace("b", version=2, created_at=after(-99), status=status))
        upkeep = plan_upkeep(known, Memory(rise=Rise(machines=0, at=NOW)), now=NOW)
        told = [a.workspace.metadata.name for a in upkeep.actions if isinstance(a, ReportWorkspace)]
        assert told == ["a"]


class Model:
    """Who is within the quota, counted from scratch."""

    def __init__(self) -> None:
        self.places: dict[str, tuple[str, str | Rank]] = {}
        self.limits = Quota()
        self.minutes: dict[str, tuple[str, datetime]] = {}
        self.now = NOW

    def of(self, owner: str, kind: str) -> set[str]:
        return {uid for uid, place in self.places.items() if place == (owner, kind)}

    def admitted(self, owner: str) -> set[str]:
        """Return who of those that ask may have a machine: one after the other, as long as the limits allow."""
        asking = sorted(place[1] for place in self.places.values() if place[0] == owner and isinstance(place[1], Rank))
        running, limits = len(self.of(owner, "runs")), self.limits
        places = running + len(self.of(owner, "rests")) + sum(not rank.is_newcomer for rank in asking)
        admitted: set[str] = set()
        for rank in asking if not self.is_used_up(owner) else ():
            is_full = rank.is_newcomer and places >= (limits.max_workspaces_per_owner or 99)
            if running >= (limits.max_running_per_owner or 99) or is_full:
                break
            running += 1
            places += rank.is_newcomer
            admitted.add(rank.uid)
        return admitted

    def is_used_up(self, owner: str) -> bool:
        used = sum((self.now - since for who, since in self.minutes.values() if who == owner), timedelta())
        limit = self.limits.max_minutes_per_owner_per_day
        return limit is not None and used >= timedelta(minutes=limit)


UIDS = st.sampled_from([f"uid-{number}" for number in range(7)])
OWNERS = st.sampled_from(["ada", "eve"])
LIMITS = st.none() | st.integers(1, 4)
RANKS = st.builds(
    Rank,
    uid=UIDS,
    is_newcomer=st.booleans(),
    is_new=st.booleans(),
    created_at=st.sampled_from([NOW, after(1)]),
    version=st.integers(1, 3),
)
NEWS = st.one_of(
    st.tuples(st.sampled_from(["runs", "rests"]), UIDS, OWNERS),
    st.tuples(st.just("asks"), RANKS, OWNERS),
    st.tuples(st.just("asks"), RANKS, OWNERS),
    st.tuples(st.just("leaves"), UIDS),
    st.tuples(st.just("used"), st.integers(0, 3), OWNERS),
    st.tuples(st.just("turn"), st.integers(0, 3)),
    st.tuples(st.just("limit"), LIMITS, LIMITS, LIMITS),
)


def tell(counted: OwnerQuota, model: Model, item: tuple) -> tuple[set[str], str | None]:
    """Give a piece of news to both; return whom it concerns, as far as was told, and whom it is about."""
    match item:
        case ("runs", uid, owner):
            model.places[uid] = (owner, "runs")
            return counted.hold(uid, owner=owner), uid
        case ("rests", uid, owner):
            model.places[uid] = (owner, "rests")
            return counted.rest(uid, owner=owner), uid
        case ("asks", rank, owner):
            model.places[rank.uid] = (owner, rank)
            return counted.ask(rank, owner=owner), rank.uid
        case ("leaves", uid):
            model.places.pop(uid, None)
            return counted.leave(uid), uid
        case ("used", number, owner):
            model.minutes[f"s{number}"] = (owner, model.now)
            return counted.put(Stretch(f"s{number}", owner, model.now)), None
        case ("turn", minutes):
            model.now += timedelta(minutes=minutes)
            return counted.turn(model.now), None
        case ("limit", most, running, minutes):
            model.limits = Quota(
                max_workspaces_per_owner=most, max_running_per_owner=running, max_minutes_per_owner_per_day=minutes
            )
            counted.limit(model.limits)
            return set(model.places), None
    raise AssertionError(item)


def obstacles(counted: OwnerQuota, model: Model) -> dict[str, str | None]:
    found = {uid: counted.obstacle(uid) for uid in model.places}
    return {uid: obstacle.message if obstacle is not None else None for uid, obstacle in found.items()}


class TestEveryOrder:
    @given(news=st.lists(NEWS, max_size=25))
    def test_it_admits_whom_counting_from_scratch_admits_and_tells_everybody_whom_that_concerns(self, news):
        model, counted = Model(), OwnerQuota(pool="dev")
        counted.turn(NOW)
        before = obstacles(counted, model)
        for item in news:
            concerned, about = tell(counted, model, item)
            after_ = obstacles(counted, model)
            asking = {uid for uid, place in model.places.items() if isinstance(place[1], Rank)}
            admitted = {uid for uid in asking if after_[uid] is None}
            assert admitted == {uid for owner in ("ada", "eve") for uid in model.admitted(owner)}
            assert all(after_[uid] is None for uid in model.places.keys() - asking)
            changed = {uid for uid in asking - {about} if uid in before and before[uid] != after_[uid]}
            assert changed <= concerned | {about}
            before = after_

    @given(news=st.lists(NEWS.filter(lambda item: item[0] != "turn"), max_size=15), data=st.data())
    def test_two_operators_that_heard_the_same_in_another_order_admit_the_same(self, news, data):
        final = {item[1].uid if item[0] == "asks" else item[1]: item for item in news if item[0] in _ABOUT_ONE}
        limits = next((item for item in reversed(news) if item[0] == "limit"), ("limit", 2, 1, None))
        first, second = OwnerQuota(pool="dev"), OwnerQuota(pool="dev")
        model = Model()
        for counted, items in (
            (first, list(final.values())),
            (second, data.draw(st.permutations(list(final.values())))),
        ):
            counted.turn(NOW)
            for item in (limits, *items):
                tell(counted, model, item)
        assert obstacles(first, model) == obstacles(second, model)


_ABOUT_ONE = frozenset({"runs", "rests", "asks"})


class TestStopped:
    def test_who_is_stopped_leaves_room_to_run_and_keeps_its_place(self):
        counted = OwnerQuota(pool="dev")
        counted.limit(Quota(max_running_per_owner=1, max_workspaces_per_owner=2))
        counted.hold("uid-1", owner="ada")
        for number in (2, 3):
            counted.ask(rank(number), owner="ada")
        assert counted.rest("uid-1", owner="ada") == {"uid-2", "uid-3"}
        assert counted.obstacle("uid-2") is None
        beyond = counted.obstacle("uid-3")
        assert beyond is not None
        assert "uses 2 of the 2 workspaces" in beyond.message

    def test_who_was_stopped_comes_before_who_is_new_and_needs_no_place_of_its_own(self):
        counted = OwnerQuota(pool="dev")
        counted.limit(Quota(max_running_per_owner=1, max_workspaces_per_owner=1))
        counted.ask(rank(1), owner="ada")
        woken = replace(rank(2), is_newcomer=False)
        assert counted.ask(woken, owner="ada") == {"uid-1"}
        assert counted.obstacle("uid-2") is None
        beyond = counted.obstacle("uid-1")
        assert beyond is not None
        assert "uses 1 of the 1 workspaces" in beyond.message

    def test_who_wants_to_wake_waits_until_another_one_rests(self):
        counted = OwnerQuota(pool="dev")
        counted.limit(Quota(max_running_per_owner=1))
        counted.hold("uid-1", owner="ada")
        counted.ask(replace(rank(2), is_newcomer=False), owner="ada")
        told = counted.obstacle("uid-2")
        assert told is not None
        assert "uses 1 of the 1 running workspaces" in told.message
        assert "stop or delete one of them" in told.message
        assert counted.rest("uid-1", owner="ada") == {"uid-2"}
        assert counted.obstacle("uid-2") is None


def asleep(name: str, number: int, **fields: Any) -> tuple[Machine, Workspace]:
    """Build a machine that was stopped for its workspace, and the workspace."""
    stopped = machine(number, claims=[claim(name)], phase="Stopped", stopped_at=after(-50))
    spec = stopped.spec.model_copy(update={"stop": Stop(reason="Idle", at=after(-60), final=True)})
    told = {"phase": "Stopped", "stopped_at": after(-60), "created_at": after(-100)}
    return stopped.model_copy(update={"spec": spec}), bound(name, machine=machine_id(number), **{**told, **fields})


class TestAsleep:
    def test_a_stopped_workspace_leaves_its_place_among_the_running_to_another_one(self):
        stopped, sleeper = asleep("a", 1)
        known = facts(stopped, machine(2), of=limited(running=1), workspaces=[sleeper, workspace("b")])
        assert served(known) == {"b"}

    def test_a_stopped_workspace_keeps_its_place_among_all(self):
        stopped, sleeper = asleep("a", 1)
        known = facts(stopped, machine(2), of=limited(most=1), workspaces=[sleeper, workspace("b")])
        assert served(known) == set()

    def test_so_does_an_archived_one(self):
        archived = workspace("a", phase="Archived", stopped_at=after(-60))
        known = facts(machine(2), of=limited(most=1), workspaces=[archived, workspace("b")])
        assert served(known) == set()

    def test_one_that_was_never_served_and_is_halted_takes_no_place(self):
        halted = workspace("a")
        halted = halted.model_copy(update={"spec": halted.spec.model_copy(update={"run_strategy": "Halted"})})
        known = facts(machine(2), of=limited(most=1), workspaces=[halted, workspace("b")])
        assert served(known) == {"b"}

    def test_while_it_is_being_stopped_it_counts_as_running(self):
        stopped, sleeper = asleep("a", 1)
        stopping = stopped.model_copy(update={"status": stopped.status.model_copy(update={"phase": "Stopping"})})
        known = facts(stopping, machine(2), of=limited(running=1), workspaces=[sleeper, workspace("b")])
        assert served(known) == set()

    def test_who_comes_back_beyond_the_quota_is_not_woken_until_there_is_room(self):
        stopped, sleeper = asleep("a", 1, last_activity_time=NOW)
        runs = machine(2, claims=[claim("b")])
        known = facts(stopped, runs, of=limited(running=1), workspaces=[sleeper, bound("b", machine=machine_id(2))])
        assert "uses 1 of the 1 running workspaces" in known.asleep["uid-a"].message
        assert known.held == known.waiting == {}, "it is no workspace without a machine"
        assert list(plan_seats(known, now=NOW)) == [], "and its claim stays"
        known.life.astir.clear()
        known.remove_workspace("uid-b")
        assert known.asleep == {}
        assert "uid-a" in known.life.astir

    def test_who_comes_back_goes_before_who_is_new(self):
        stopped, sleeper = asleep("a", 1, last_activity_time=NOW)
        known = facts(
            stopped, machine(2), of=limited(running=1), workspaces=[workspace("b", created_at=after(-999)), sleeper]
        )
        assert known.asleep == {}
        assert served(known) == set()

    def test_it_is_told_why_and_keeps_its_machine(self):
        stopped, sleeper = asleep("a", 1, last_activity_time=NOW)
        runs = machine(2, claims=[claim("b")])
        known = facts(
            stopped,
            runs,
            of=limited(running=1),
            workspaces=[sleeper, bound("b", machine=machine_id(2))],
            detached=[1, 2],
            instances={1: instance(1, state=InstanceState.STOPPED), 2: instance(2)},
        )
        told = [a for a in plan_lives(known, now=NOW) if isinstance(a, ReportWorkspace) and a.workspace == sleeper]
        (status,) = (action.status for action in told)
        ready = next(c for c in status.conditions if c.type == "Ready")
        assert (status.phase, status.machine, ready.reason) == ("Stopped", machine_id(1), "QuotaExceeded")
        assert not [a for a in plan_lives(known, now=NOW) if isinstance(a, WakeMachine)]


class TestMinutesOfAPool:
    def limited(self, minutes: int, version: int = 1, **fields: Any) -> MachinePool:
        return pool(version=version, quota=Quota(max_minutes_per_owner_per_day=minutes), **fields)

    def running(self, minutes: int = 60) -> PoolFacts:
        owned = claim("a").model_copy(update={"owner": "ada"})
        known = facts(
            machine(1, claims=[owned]), of=self.limited(minutes), workspaces=[bound("a", machine=machine_id(1))]
        )
        known.turn(NOW)
        return known

    def test_a_machine_that_runs_uses_them_up_and_new_ones_wait_until_midnight(self):
        known = self.running()
        known.upsert_workspace(workspace("b"))
        known.turn(after(3599))
        assert known.waiting.keys() == {"uid-b"}
        known.turn(after(3600))
        assert "used up the 60 minutes" in known.held["uid-b"].message
        assert known.quota.minutes.used_up_at("ada") == after(3600)
        known.turn(after(12 * 3600))
        assert known.waiting.keys() == {"uid-b"}

    def test_what_the_pools_status_tells_of_the_day_counts_after_a_restart(self):
        known = self.running()
        known.upsert_workspace(workspace("b"))
        today = Today(date="2026-03-02", owners=(OwnerSeconds(owner="ada", seconds=3000),))
        known.set_pool(self.limited(60, version=2, status=MachinePoolStatus(today=today)))
        known.turn(after(599))
        assert known.waiting.keys() == {"uid-b"}
        known.turn(after(600))
        assert known.held.keys() == {"uid-b"}

    def test_time_on_record_goes_into_the_pools_status_and_counts_once_at_every_moment(self):
        known = self.running()
        used = Used(
            slot=0,
            workspace=claim("gone").workspace,
            owner="ada",
            since=after(-1800),
            until=NOW,
        )
        left = machine(2, reap="Used")
        left = left.model_copy(update={"spec": left.spec.model_copy(update={"used": (used,)})})
        known.upsert_machine(left)
        assert known.quota.minutes.used("ada") == timedelta(minutes=30)
        (report,) = [a for a in plan_upkeep(known, _memory(), now=NOW).actions if isinstance(a, ReportPool)]
        today = report.status.today
        assert today is not None
        assert today.owners == (OwnerSeconds(owner="ada", seconds=1800),)
        known.set_pool(self.limited(60, version=2, status=report.status))
        assert known.quota.minutes.used("ada") == timedelta(minutes=30)
        newer = left.metadata.model_copy(update={"resource_version": "2"})
        known.upsert_machine(left.model_copy(update={"metadata": newer}))
        assert known.quota.minutes.used("ada") == timedelta(minutes=30)
        known.remove_machine(machine_id(2))
        assert known.quota.minutes.used("ada") == timedelta(minutes=30)
        (report,) = [a for a in plan_upkeep(known, _memory(), now=NOW).actions if isinstance(a, ReportPool)]
        assert report.status.today == today.model_copy(update={"counted": ()})

    def test_who_runs_is_looked_at_when_they_are_used_up_and_is_no_candidate_for_another_machine(self):
        known = self.running()
        known.life.astir.clear()
        known.turn(after(3600))
        assert "uid-a" in known.life.astir
        assert known.waiting == known.held == known.asleep == {}

    def test_who_runs_is_warned_and_stopped_where_the_pool_has_a_lifecycle_and_nowhere_else(self):
        known = self.running()
        known.turn(after(3590))
        seated = known.workspaces["uid-a"]
        assert isinstance(verdict_on(known, seated, now=after(3590)), Active)
        known.set_pool(self.limited(60, version=2, lifecycle=Lifecycle(idle_timeout=NEVER)))
        verdict = verdict_on(known, seated, now=after(3590))
        assert isinstance(verdict, Warn)
        assert verdict.stop_at == after(3590) + timedelta(minutes=10)
        ahead = Next(action="Stop", at=after(3600), reason="", warned_at=after(2990), since=verdict.since)
        told = seated.status.model_copy(update={"next": ahead})
        warned = workspace("a", version=2, status=told)
        known.life.uptime = timedelta(hours=1)
        known.upsert_workspace(warned)
        known.life.uptime = timedelta(hours=2)
        assert verdict_on(known, warned, now=after(3600)) == Due("Quota")

    def test_without_such_a_quota_no_day_is_kept(self):
        known = facts(of=limited(most=1))
        (report,) = [a for a in plan_upkeep(known, _memory(), now=NOW).actions if isinstance(a, ReportPool)]
        assert report.status.today is None

    def test_a_quota_that_comes_later_counts_what_runs_already(self):
        owned = claim("a").model_copy(update={"owner": "ada"})
        known = facts(machine(1, claims=[owned]), workspaces=[bound("a", machine=machine_id(1))])
        known.turn(NOW)
        known.set_pool(self.limited(10, version=2))
        known.turn(after(600))
        assert known.quota.minutes.is_used_up("ada")


def _memory() -> Memory:
    return Memory(rise=Rise(machines=0, at=NOW))


class TestMinutes:
    def used_up(self) -> OwnerQuota:
        counted = OwnerQuota(pool="dev")
        counted.limit(Quota(max_minutes_per_owner_per_day=60))
        counted.turn(NOW)
        counted.put(Stretch("m/0", "ada", NOW))
        counted.hold("uid-1", owner="ada")
        counted.ask(rank(2), owner="ada")
        counted.ask(rank(3), owner="eve")
        return counted

    def test_who_has_used_them_up_is_held_until_midnight_and_others_are_not(self):
        counted = self.used_up()
        assert counted.turn(after(3599)) == set()
        assert counted.turn(after(3600)) == {"uid-1", "uid-2"}, "who runs is to be looked at, too"
        told = counted.obstacle("uid-2")
        assert told is not None
        assert (told.reason, told.stalled) == ("QuotaExceeded", False)
        assert told.message == (
            'Owner "ada" has used up the 60 minutes a day that MachinePool dev allows one owner '
            "(spec.quota.maxMinutesPerOwnerPerDay). It is served again at 2026-03-03 00:00 UTC, "
            "or when the quota is raised."
        )
        assert counted.obstacle("uid-1") is None, "a quota takes no machine away at once"
        assert counted.obstacle("uid-3") is None
        assert counted.turn(after(12 * 3600)) == {"uid-1", "uid-2"}
        assert counted.obstacle("uid-2") is None

    def test_time_that_moves_from_a_machine_into_the_record_of_the_day_is_counted_once_at_every_moment(self):
        counted = self.used_up()
        counted.turn(after(1800))
        done = Stretch("m/0/1", "ada", NOW, after(1800))
        counted.drop("m/0")
        counted.put(done)
        today = Today(date="2026-03-02", owners=(OwnerSeconds(owner="ada", seconds=1800),), counted=("m/0/1",))
        counted.take_today(today)
        assert counted.minutes.used("ada") == timedelta(minutes=30)
        counted.take_today(today.model_copy(update={"counted": ()}))
        assert counted.minutes.used("ada") == timedelta(minutes=30)


class TestCost:
    def test_a_change_concerns_those_on_the_border_however_many_are_held(self):
        counted = OwnerQuota(pool="dev")
        counted.limit(Quota(max_running_per_owner=2))
        for number in range(500):
            assert counted.ask(rank(number), owner="ada") == set()
        assert counted.hold("uid-0", owner="ada") == set()
        assert counted.leave("uid-0") == {"uid-2"}
        assert counted.leave("uid-400") == set()
        assert counted.ask(rank(0), owner="ada") == {"uid-2"}

    def test_those_that_are_held_are_told_anew_only_when_the_use_changes(self):
        counted = OwnerQuota(pool="dev")
        for number in range(3):
            counted.hold(f"uid-{number}", owner="ada")
        counted.limit(Quota(max_running_per_owner=1))
        for number in range(3, 6):
            counted.ask(rank(number), owner="ada")
        assert counted.leave("uid-0") == {"uid-3", "uid-4", "uid-5"}
        assert counted.leave("uid-1") == {"uid-3", "uid-4", "uid-5"}
        assert counted.leave("uid-2") == {"uid-3"}
