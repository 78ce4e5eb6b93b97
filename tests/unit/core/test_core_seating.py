"""Who gets which slot, and what becomes of claims and seats that were found."""

from collections.abc import Iterable

from hypothesis import given, settings
from hypothesis import strategies as st

from factories import NOW, after, bound, claim, facts, group, instance, machine, machine_id, observation, workspace
from hotdesk.core.actions import CheckClaims, CheckSeat, ClaimSlots, PublishFound, ReapMachine, ReportWorkspace
from hotdesk.core.facts import InstanceState
from hotdesk.core.pool_facts import PoolFacts
from hotdesk.core.seating import SeatAction, plan_claims, plan_seats

DEAD = {1: instance(1, state=InstanceState.TERMINATED)}


def seats(claims: Iterable[ClaimSlots]) -> dict[str, tuple[str, int]]:
    return {
        seat.workspace.metadata.name: (made.machine.metadata.name, seat.slot) for made in claims for seat in made.seats
    }


def planned(known: PoolFacts) -> list[SeatAction]:
    return list(plan_seats(known, now=NOW))


class TestClaims:
    def test_the_oldest_machine_goes_to_the_first_in_the_queue(self):
        known = facts(
            machine(1, ready_at=after(-1)),
            machine(2, ready_at=after(-2)),
            workspaces=[workspace("late"), workspace("early", created_at=after(-9))],
        )
        assert seats(plan_claims(known, now=NOW)) == {"early": (machine_id(2), 0), "late": (machine_id(1), 0)}

    def test_several_claims_on_one_machine_ride_in_one_write(self):
        known = facts(machine(1, slots=3), machine(2, slots=3), workspaces=[workspace(name) for name in "abcd"])
        claims = plan_claims(known, now=NOW)
        assert [len(made.seats) for made in claims] == [3, 1]

    def test_slots_that_are_taken_are_left_alone(self):
        known = facts(machine(1, slots=3, claims=[claim("x", slot=1)]), workspaces=[workspace("a"), workspace("b")])
        assert seats(plan_claims(known, now=NOW)) == {"a": (machine_id(1), 0), "b": (machine_id(1), 2)}

    def test_what_is_planned_is_not_planned_again(self):
        known = facts(machine(1), machine(2), workspaces=[workspace()])
        assert plan_claims(known, now=NOW)
        assert not plan_claims(known, now=NOW)
        assert machine_id(2) in known.offers

    def test_who_is_seen_for_the_first_time_and_served_at_once_is_a_hit(self):
        known = facts(machine(1), machine(2), workspaces=[workspace("new"), workspace("old", observed_generation=1)])
        hits = {seat.workspace.metadata.name: seat.hit for made in plan_claims(known, now=NOW) for seat in made.seats}
        assert hits == {"new": True, "old": False}

    def test_nobody_waits_while_a_slot_is_idle(self):
        known = facts(machine(1), workspaces=[workspace("a"), workspace("b")])
        plan_claims(known, now=NOW)
        assert len(known.waiting) == 1
        assert not known.offers

    @settings(max_examples=60)
    @given(
        st.lists(st.tuples(st.integers(1, 4), st.integers(0, 4)), max_size=5),
        st.lists(st.integers(0, 3), max_size=12),
        st.integers(1, 3),
    )
    def test_no_slot_and_no_workspace_is_ever_given_twice(
        self, machines: list[tuple[int, int]], ages: list[int], passes: int
    ):
        known = facts(
            *(
                machine(n, slots=slots, claims=[claim(f"x{n}{s}", slot=s) for s in range(min(used, slots))])
                for n, (slots, used) in enumerate(machines)
            ),
            workspaces=[workspace(f"w{n}", created_at=after(-age)) for n, age in enumerate(ages)],
        )
        waiting, free = set(known.waiting), known.offers.slots
        claims = [made for _ in range(passes) for made in plan_claims(known, now=NOW)]
        given_slots = [(made.machine.metadata.name, seat.slot) for made in claims for seat in made.seats]
        served = [seat.workspace.metadata.uid for made in claims for seat in made.seats]
        assert len(set(given_slots)) == len(given_slots) == min(free, len(waiting))
        assert len(set(served)) == len(served)
        assert set(served) <= waiting
        for made in claims:
            taken = {c.slot for c in made.machine.spec.claims}
            assert not taken & {seat.slot for seat in made.seats}
            assert all(seat.slot < made.machine.spec.slots for seat in made.seats)


class TestFoundClaims:
    def test_a_claim_of_an_unpublished_workspace_is_published(self):
        waits = workspace()
        known = facts(machine(1, claims=[claim()]), workspaces=[waits])
        assert planned(known) == [PublishFound(machine=known.machines[machine_id(1)], claim=claim(), workspace=waits)]

    def test_a_claim_of_a_workspace_that_nobody_knows_is_checked(self):
        known = facts(machine(1, claims=[claim("ghost")]))
        (check,) = planned(known)
        assert check == CheckClaims(machine=known.machines[machine_id(1)], uids=frozenset({"uid-ghost"}))

    def test_a_claim_of_a_workspace_that_is_published_elsewhere_is_checked(self):
        known = facts(
            machine(1, claims=[claim()]),
            machine(2, claims=[claim()]),
            workspaces=[bound(machine=machine_id(2))],
        )
        (check,) = planned(known)
        assert check == CheckClaims(machine=known.machines[machine_id(1)], uids=frozenset({"uid-demo"}))

    def test_a_seat_that_is_as_it_should_be_is_looked_at_once(self):
        known = facts(machine(1, claims=[claim()]), workspaces=[bound(machine=machine_id(1))])
        assert planned(known) == []
        assert not known.unsettled_machines
        assert not known.unsettled_workspaces

    def test_a_claim_that_is_being_written_is_left_alone(self):
        known = facts(machine(1, slots=2), workspaces=[workspace()])
        plan_claims(known, now=NOW)
        known.upsert_machine(machine(1, slots=2, version=2, claims=[claim()]))
        assert planned(known) == []

    def test_what_cannot_be_settled_now_is_planned_again(self):
        known = facts(machine(1, claims=[claim("ghost")]))
        assert planned(known) == planned(known) != []


class TestLostMachines:
    def test_its_user_is_told_before_the_claim_is_dropped(self):
        known = facts(machine(1, claims=[claim()]), workspaces=[bound(machine=machine_id(1))], instances=DEAD)
        (told,) = (action for action in planned(known) if isinstance(action, ReportWorkspace))
        assert told.status.machine is None
        assert told.status.conditions[0].reason == "MachineLost"
        assert not any(isinstance(action, ReapMachine) for action in planned(known))

    def test_once_its_users_are_told_it_is_reaped(self):
        known = facts(machine(1, claims=[claim()]), workspaces=[workspace()], instances=DEAD)
        assert planned(known) == [ReapMachine(machine=known.machines[machine_id(1)], reason="Lost")]
        assert list(known.waiting) == ["uid-demo"]

    def test_a_claimant_that_nobody_knows_is_asked_for_first(self):
        known = facts(machine(1, claims=[claim("ghost")]), instances=DEAD)
        assert planned(known) == [CheckClaims(machine=known.machines[machine_id(1)], uids=frozenset({"uid-ghost"}))]

    def test_a_lost_machine_without_a_claim_needs_nothing(self):
        assert planned(facts(machine(1), instances=DEAD)) == []


class TestSeats:
    def test_a_seat_on_a_machine_without_the_claim_is_checked(self):
        seated = bound(machine=machine_id(1))
        known = facts(machine(1), workspaces=[seated])
        assert planned(known) == [CheckSeat(workspace=seated, instance=known.instances[machine_id(1)])]

    def test_a_seat_on_a_machine_nobody_has_heard_of_is_checked(self):
        seated = bound(machine=machine_id(9))
        assert planned(facts(workspaces=[seated])) == [CheckSeat(workspace=seated, instance=None)]

    def test_until_aws_was_looked_at_a_missing_machine_means_nothing(self):
        known = PoolFacts(name="pool")
        known.upsert_workspace(bound(machine=machine_id(1)))
        assert planned(known) == []
        known.observe(observation(group()))
        assert [type(action) for action in planned(known)] == [CheckSeat]

    def test_who_is_archived_has_not_lost_the_machine_that_goes(self):
        leaving = bound(machine=machine_id(1), phase="Archiving")
        assert planned(facts(workspaces=[leaving])) == []
        assert planned(facts(machine(1, reap="Archived"), workspaces=[leaving])) == []

    def test_a_record_that_vanished_while_the_machine_lives_is_asked_for_whatever_the_phase(self):
        leaving = bound(machine=machine_id(1), phase="Archiving")
        known = facts(workspaces=[leaving], inside=[1])
        assert [type(action) for action in planned(known)] == [CheckSeat]
