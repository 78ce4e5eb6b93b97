"""A quota holds back the youngest of an owner, says so in numbers, takes nothing away, and costs what changed."""

from typing import Any

import pytest

from factories import NOW, after, bound, claim, facts, instance, machine, machine_id, pool, workspace
from hotdesk.api.v1alpha1 import Machine, MachinePool, Quota, Stop, Workspace
from hotdesk.core import workspace_status
from hotdesk.core.actions import CheckClaims, PublishFound, ReportWorkspace, WakeMachine
from hotdesk.core.facts import InstanceState
from hotdesk.core.group.capacity import Rise
from hotdesk.core.lifecycle.phases import plan_lives
from hotdesk.core.planner import Memory, plan_upkeep
from hotdesk.core.pool_facts import PoolFacts
from hotdesk.core.seating import plan_claims, plan_seats


def limited(version: int = 1, *, most: int | None = None, running: int | None = None) -> MachinePool:
    quota = Quota(max_workspaces_per_owner=most, max_running_per_owner=running)
    return pool(version=version, quota=quota)


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
