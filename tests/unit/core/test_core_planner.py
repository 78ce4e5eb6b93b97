"""One pass: what is done about a pool, and what is never done to it."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factories import (
    NOW,
    after,
    buffer_of,
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
from hotdesk.api.v1alpha1 import CapacityCall
from hotdesk.core.actions import (
    Action,
    DetachMachines,
    ForgetMachine,
    HoldPool,
    LetPoolGo,
    ProtectMembers,
    ReapMachine,
    RegisterMachine,
    RepairGroup,
    ReportMachine,
    ReportPool,
    ReportWorkspace,
    SetDesired,
    SetMaxSize,
    TagMachines,
    TerminateInstance,
    TerminateMember,
)
from hotdesk.core.eligibility import Surroundings
from hotdesk.core.facts import FailureCause, InstanceState, LaunchFailure
from hotdesk.core.group.capacity import Rise
from hotdesk.core.planner import Memory, Upkeep, is_moving, plan_upkeep
from hotdesk.core.pool_facts import PoolFacts

MEMORY = Memory(rise=Rise(machines=0, at=NOW))
CHANGES_AWS = (
    SetDesired,
    SetMaxSize,
    RepairGroup,
    ProtectMembers,
    TagMachines,
    DetachMachines,
    TerminateMember,
    TerminateInstance,
)
LATE = replace(MEMORY, capacity_call=CapacityCall(sent_at=NOW, desired=5))
WRONG = {"desired": 9, "max_size": 50, "protects_new": False, "tags": {}}


def upkeep(known: PoolFacts, memory: Memory = MEMORY, *, seconds: float = 2) -> Upkeep:
    return plan_upkeep(known, memory, now=after(seconds))


def kinds(known: PoolFacts, memory: Memory = MEMORY) -> list[type[Action]]:
    return [type(action) for action in upkeep(known, memory).actions]


def busy(**fields) -> PoolFacts:
    """A pool in which everything is to be done."""
    return facts(
        machine(1),
        machine(2, claims=[claim("a")]),
        machine(3, reap="Used"),
        machine(4, reap="Surplus"),
        machine(5, phase="Quarantined", ready_at=None),
        inside=[6],
        detached=[3],
        members={1: member(1, protected=False)},
        workspaces=[workspace("w")],
        **{**WRONG, **fields},
    )


def test_a_pool_as_it_should_be_needs_nothing_but_its_counts():
    known = facts(machine(1), machine(2), max_size=4)
    assert kinds(known) == [ReportPool]
    known.set_pool(make_pool(version=2, status=upkeep(known).actions[0].status))
    assert kinds(known) == []


def test_a_pool_that_is_new_is_held_first():
    assert HoldPool in kinds(facts(of=make_pool(finalizers=())))
    assert ReportPool not in kinds(facts(of=make_pool(finalizers=())))


class TestQuiet:
    def test_a_busy_pool_changes_aws(self):
        assert any(issubclass(kind, CHANGES_AWS) for kind in kinds(busy()))

    def test_a_paused_pool_changes_nothing_in_aws(self):
        planned = kinds(busy(of=make_pool(paused=True)))
        assert not any(issubclass(kind, (*CHANGES_AWS, ReapMachine)) for kind in planned)
        assert RegisterMachine in planned
        assert ReportPool in planned

    def test_the_later_of_two_pools_on_one_group_touches_neither_group_nor_machines(self):
        known = busy()
        known.set_surroundings(Surroundings(rival="elder"))
        planned = kinds(known)
        assert set(planned) <= {ReportPool, ReportWorkspace}
        assert ReportPool in planned

    def test_a_pool_without_a_group_changes_nothing_in_aws(self):
        known = busy()
        known.observe(observation(None, at=after(1)))
        assert not any(issubclass(kind, CHANGES_AWS) for kind in kinds(known))

    def test_before_the_first_look_nothing_is_changed(self):
        known = PoolFacts(name="pool")
        known.set_pool(make_pool())
        known.upsert_machine(machine(1, reap="Used"))
        assert not any(issubclass(kind, (*CHANGES_AWS, ReapMachine)) for kind in kinds(known))


class TestOrder:
    def test_nothing_is_launched_into_a_group_that_is_not_set_up(self):
        planned = kinds(facts(desired=0, max_size=0, protects_new=False))
        assert RepairGroup in planned
        assert SetMaxSize not in planned
        assert SetDesired not in planned

    def test_lowering_does_not_wait_for_the_set_up(self):
        assert SetDesired in kinds(facts(desired=9, protects_new=False))

    def test_a_repair_is_asked_for_once_a_look(self):
        known = facts(protects_new=False)
        known.acted(["desk"], at=1)
        assert RepairGroup not in kinds(known)

    def test_members_are_ended_only_once_desired_capacity_is_right(self):
        known = facts(machine(1, reap="Surplus"), machine(2), machine(3), desired=3, max_size=4)
        assert SetDesired in kinds(known)
        assert TerminateMember not in kinds(known)
        known.capacity_answered(at=0, desired=2)
        assert TerminateMember in kinds(known)

    def test_nothing_is_detached_before_the_fence_stands(self):
        claimed = machine(1, claims=[claim("w", at=after(-99))])
        at_ceiling = facts(claimed, machine(2), of=make_pool(max_machines=2), desired=2, max_size=2)
        assert DetachMachines not in kinds(at_ceiling)
        at_ceiling.observe(
            observation(group([member(1), member(2)], desired=1, max_size=1), [instance(1), instance(2)])
        )
        assert DetachMachines in kinds(at_ceiling)

    def test_after_an_unanswered_call_nothing_is_raised_and_lowering_goes_on(self):
        assert not {SetDesired, SetMaxSize} & set(kinds(facts(desired=0, max_size=4), LATE))
        assert SetDesired in kinds(facts(desired=9, max_size=9), LATE)

    def test_one_capacity_call_a_pass(self):
        planned = kinds(facts(desired=9, max_size=50, of=make_pool(max_machines=3)))
        assert sum(issubclass(kind, (SetDesired, SetMaxSize)) for kind in planned) == 1


class TestDeletion:
    DELETED = make_pool(deleted_at=NOW)

    def test_it_waits_for_claims_and_ends_the_rest(self):
        known = facts(machine(1, claims=[claim()]), machine(2), of=self.DELETED)
        planned = kinds(known)
        assert LetPoolGo not in planned
        (reap,) = (action for action in upkeep(known).actions if isinstance(action, ReapMachine))
        assert (reap.machine.metadata.name, reap.reason) == (machine_id(2), "PoolDeleted")

    def test_it_ends_when_nothing_is_left(self):
        assert LetPoolGo in kinds(facts(of=self.DELETED, desired=0))

    def test_it_waits_until_everybody_knows_that_his_machine_is_gone(self):
        told = workspace(phase="Archiving", machine=machine_id(1))
        assert LetPoolGo not in kinds(facts(of=self.DELETED, desired=0, workspaces=[told]))
        knows = workspace(phase="Archived")
        assert LetPoolGo in kinds(facts(of=self.DELETED, desired=0, workspaces=[knows]))

    def test_it_waits_for_members_that_have_no_record_yet(self):
        assert LetPoolGo not in kinds(facts(inside=[1], of=self.DELETED))

    def test_it_waits_until_desired_capacity_is_zero(self):
        assert LetPoolGo not in kinds(facts(of=self.DELETED, desired=1))

    def test_it_waits_for_a_look_at_aws(self):
        known = PoolFacts(name="pool")
        known.set_pool(self.DELETED)
        assert LetPoolGo not in kinds(known)

    def test_it_waits_for_a_look_that_shows_what_the_last_capacity_call_launched(self):
        known = facts(of=self.DELETED, desired=0)
        known.capacity_answered(at=5, desired=0)
        assert LetPoolGo not in kinds(known)
        known.observe(observation(group(desired=0), at=after(6)))
        assert LetPoolGo in kinds(known)

    def test_it_waits_while_a_raising_call_may_still_launch_something(self):
        assert LetPoolGo not in kinds(facts(of=self.DELETED, desired=0), LATE)

    def test_it_does_not_wait_for_a_group_that_is_gone(self):
        known = facts(of=self.DELETED)
        known.observe(observation(None))
        assert LetPoolGo in kinds(known)

    def test_a_stopped_pool_goes_at_once(self):
        known = facts(inside=[1], of=self.DELETED)
        known.set_surroundings(Surroundings(rival="elder"))
        assert LetPoolGo in kinds(known)

    def test_a_pool_held_by_others_only_is_left_to_them(self):
        known = facts(of=make_pool(deleted_at=NOW, finalizers=["foregroundDeletion"]))
        assert not {LetPoolGo, HoldPool} & set(kinds(known))


class TestMoving:
    def test_a_pool_at_rest_does_not_move(self):
        assert not is_moving(facts(machine(1), machine(2)))

    @pytest.mark.parametrize(
        "known",
        [
            facts(machine(1, ready_at=None)),
            facts(inside=[1]),
            facts(machine(1, claims=[claim()])),
            facts(machine(1, reap="Used")),
            facts(machine(1), desired=2),
            facts(machine(1), members={1: member(1, lifecycle="Terminating")}),
        ],
    )
    def test_while_aws_has_work_of_ours_it_moves(self, known: PoolFacts):
        assert is_moving(known)

    def test_a_pending_call_is_a_move(self):
        assert upkeep(facts(machine(1), machine(2), max_size=100)).is_moving


def test_why_nobody_is_served_faster_is_kept_for_the_metric():
    failure = LaunchFailure(at=NOW, cause=FailureCause.CAPACITY, message="no")
    assert upkeep(facts(), replace(MEMORY, failures=(failure,))).miss_cause == "LaunchFailed"


@settings(max_examples=80)
@given(
    st.lists(
        st.sampled_from(["idle", "booting", "claimed", "detached", "used", "surplus", "quarantined", "dead", "bare"]),
        max_size=7,
    ),
    st.integers(0, 3),
    st.integers(0, 8),
    st.integers(0, 3),
    st.booleans(),
)
def test_no_pass_ever_touches_a_claimed_machine_but_to_keep_it(
    states: list[str],
    waiting: int,
    desired: int,
    idle: int,
    deleted: bool,  # noqa: FBT001
):
    """Laws 2 and 3 in every pass: no claim is reaped, ended or forgotten; nothing is asked for beyond the room."""
    made = {
        "idle": {},
        "booting": {"ready_at": None},
        "used": {"reap": "Used"},
        "surplus": {"reap": "Surplus"},
        "quarantined": {"phase": "Quarantined"},
        "dead": {},
    }
    known = facts(
        *(
            machine(n, **made.get(state, {"claims": [claim(f"c{n}")]}))
            for n, state in enumerate(states)
            if state != "bare"
        ),
        inside=[n for n, state in enumerate(states) if state == "bare"],
        detached=[n for n, state in enumerate(states) if state == "detached"],
        instances={n: instance(n, state=InstanceState.TERMINATED) for n, s in enumerate(states) if s == "dead"},
        workspaces=[workspace(f"w{n}") for n in range(waiting)],
        of=make_pool(max_machines=5, buffer=buffer_of(idle), deleted_at=NOW if deleted else None),
        desired=desired,
    )
    held = {machine_id(n) for n, state in enumerate(states) if state in ("claimed", "detached")}
    found = upkeep(known)
    keys = [action.key for action in found.actions if isinstance(action, (SetDesired, SetMaxSize))]
    assert len(keys) <= 1
    for action in found.actions:
        match action:
            case ReapMachine(machine=victim) | ForgetMachine(machine=victim):
                assert victim.metadata.name not in held
            case TerminateMember(name=name) | TerminateInstance(name=name):
                assert known.machines[name].spec.reap is not None
            case SetDesired(desired=wanted) | SetMaxSize(max_size=wanted):
                assert wanted <= max(0, 5 - known.totals.outside)
            case ReportMachine(machine=victim, status=status) if victim.metadata.name in held:
                assert status.phase == "Claimed"
            case LetPoolGo():
                assert not known.machines
