"""How many machines are wanted, and which call is safe; at the ceiling nothing that comes late may exceed it."""

from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

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
    number_of,
    observation,
    workspace,
)
from factories import pool as make_pool
from hotdesk.api.v1alpha1 import Machine, Schedule
from hotdesk.core.actions import SetDesired, SetMaxSize
from hotdesk.core.eligibility import Surroundings
from hotdesk.core.facts import Group
from hotdesk.core.group.capacity import Rise, Sizing, is_fenced, next_call, size
from hotdesk.core.pool_facts import PoolFacts

CALM = Rise(machines=0, at=NOW)


def sized(known: PoolFacts, *, waiting: int = 0, rise: Rise = CALM) -> Sizing:
    return size(known, waiting=waiting, rise=rise, now=NOW)[0]


def pool_of(*, desired: int = 0, max_size: int = 100, claimed: int = 0, idle: int = 0, **fields) -> PoolFacts:
    """A pool with so many machines detached for their users, and so many idle members."""
    made = [machine(n, claims=[claim(f"w{n}")], in_group=False) for n in range(claimed)]
    made += [machine(n) for n in range(claimed, claimed + idle)]
    return facts(*made, of=make_pool(**fields), detached=range(claimed), desired=desired, max_size=max_size)


class TestSizes:
    def test_what_waits_comes_on_top_of_the_buffer(self):
        assert sized(pool_of(), waiting=3).want == 5

    def test_slots_are_rounded_up_to_machines(self):
        known = pool_of(slots_per_machine=5)
        assert [sized(known, waiting=waiting).want for waiting in (0, 3, 4, 8, 9)] == [1, 1, 2, 2, 3]

    def test_free_slots_on_claimed_machines_are_supply(self):
        shared = machine(1, slots=5, claims=[claim()], in_group=False)
        known = facts(shared, of=make_pool(slots_per_machine=5, buffer=buffer_of(6)), detached=[1])
        assert sized(known).want == 1  # 6 slots less the 4 that are free already

    def test_the_room_is_what_claims_leave_of_the_ceiling(self):
        assert sized(pool_of(claimed=7, max_machines=10), waiting=9).want == 3
        assert sized(pool_of(claimed=10, max_machines=10), waiting=9) == Sizing(2, 0, 0, 0, 0, 0)

    def test_more_claims_than_the_ceiling_leave_no_negative_room(self):
        assert sized(pool_of(claimed=5, max_machines=2), waiting=1).room == 0

    def test_a_pool_that_is_deleted_wants_nothing(self):
        known = pool_of(idle=3, deleted_at=NOW)
        assert sized(known, waiting=5) == Sizing(target=0, room=10, want=0, desired=0, surplus=3, fence=2)

    def test_schedules_that_cannot_be_obeyed_are_left_out(self):
        noon = Schedule.model_validate({"name": "noon", "start": "0 12 * * *", "duration": "1h", "idle": 9})
        known = pool_of(buffer=buffer_of(2, schedules=(noon,)))
        assert sized(known).target == 9
        known.set_surroundings(Surroundings(schedule_fault="noon overlaps itself"))
        assert sized(known).target == 2

    def test_what_is_more_than_wanted_is_surplus(self):
        assert sized(pool_of(idle=5)).surplus == 3

    def test_while_somebody_waits_nothing_is_surplus(self):
        known = facts(*[machine(n, ready_at=None) for n in range(5)], workspaces=[workspace()])
        calculated = sized(known, waiting=1)
        assert calculated.surplus == 0
        assert calculated.desired == 5

    def test_above_the_ceiling_there_is_surplus_whoever_waits(self):
        known = facts(*[machine(n, ready_at=None) for n in range(5)], of=make_pool(max_machines=3))
        assert sized(known, waiting=4).surplus == 2


class TestScaleDownDelay:
    DELAY = timedelta(minutes=5)

    def test_up_at_once_and_down_only_after_the_delay(self):
        known = pool_of(idle=6, buffer=buffer_of(2, scale_down_delay=self.DELAY))
        rise = Rise(machines=6, at=NOW)
        for minutes, desired in ((0, 6), (4, 6), (5, 2)):
            calculated, rise = size(known, waiting=0, rise=rise, now=NOW + timedelta(minutes=minutes))
            assert (calculated.desired, calculated.surplus) == (desired, 6 - desired)

    def test_every_rise_starts_the_delay_anew(self):
        rise = Rise(machines=3, at=NOW)
        again = rise.renewed(3, now=after(200), delay=self.DELAY)
        assert again.renewed(1, now=after(400), delay=self.DELAY) == again
        assert again.renewed(1, now=after(500), delay=self.DELAY) == Rise(machines=1, at=after(500))

    def test_a_need_that_is_gone_launches_nothing(self):
        known = pool_of(idle=2, buffer=buffer_of(2, scale_down_delay=self.DELAY))
        assert sized(known, rise=Rise(machines=6, at=NOW)).desired == 2

    def test_deleting_a_pool_does_not_wait_for_it(self):
        known = pool_of(idle=2, deleted_at=NOW, buffer=buffer_of(2, scale_down_delay=self.DELAY))
        assert sized(known, rise=Rise(machines=2, at=NOW)).surplus == 2


class TestCalls:
    @pytest.mark.parametrize(
        ("desired", "max_size", "waiting", "max_machines", "expected"),
        [
            (2, 4, 0, 10, None),
            (0, 4, 0, 10, SetDesired(desired=2, raises=True)),
            (0, 0, 0, 10, SetMaxSize(max_size=4, raises=True)),  # MaxSize first: desired could not pass it
            (2, 4, 5, 10, SetMaxSize(max_size=9, raises=True)),
            (7, 9, 0, 10, SetDesired(desired=2, raises=False)),
            (2, 100, 0, 10, SetMaxSize(max_size=4, raises=False)),
            (2, 6, 0, 10, None),  # a little more than needed is not worth a call
            (4, 100, 5, 3, SetDesired(desired=3, raises=False)),  # both fall: desired first
            (3, 100, 5, 3, SetMaxSize(max_size=3, raises=False)),
        ],
    )
    def test_one_call_at_a_time_leads_to_what_is_wanted(
        self, desired: int, max_size: int, waiting: int, max_machines: int, expected
    ):
        known = pool_of(desired=desired, max_size=max_size, max_machines=max_machines)
        assert next_call(known, sized(known, waiting=waiting), may_raise=True) == expected

    def test_while_a_raising_call_may_still_arrive_nothing_is_raised(self):
        known = pool_of(desired=0, max_size=1)
        assert next_call(known, sized(known), may_raise=False) is None

    def test_while_a_raising_call_may_still_arrive_lowering_goes_on(self):
        known = pool_of(desired=7, max_size=9)
        assert next_call(known, sized(known), may_raise=False) == SetDesired(desired=2, raises=False)

    def test_an_unmanaged_groups_max_size_is_left_alone(self):
        known = pool_of(desired=2, max_size=3, manage_group=False)
        assert next_call(known, sized(known, waiting=9), may_raise=True) == SetDesired(desired=3, raises=True)
        known = pool_of(desired=2, max_size=100, manage_group=False, max_machines=2)
        assert next_call(known, sized(known), may_raise=True) is None

    def test_a_group_nobody_has_seen_gets_no_call(self):
        known = PoolFacts(name="pool")
        known.set_pool(make_pool())
        assert next_call(known, sized(known, waiting=3), may_raise=True) is None

    @given(
        st.integers(0, 12), st.integers(0, 15), st.integers(0, 8), st.integers(0, 4), st.integers(0, 4), st.booleans()
    )
    def test_no_call_asks_for_more_than_the_room_and_none_rises_when_forbidden(
        self,
        desired: int,
        max_size: int,
        waiting: int,
        claimed: int,
        idle: int,
        may_raise: bool,  # noqa: FBT001
    ):
        known = pool_of(desired=min(desired, max_size), max_size=max_size, claimed=claimed, idle=idle, max_machines=6)
        assert known.group is not None
        calculated = sized(known, waiting=waiting)
        match next_call(known, calculated, may_raise=may_raise):
            case SetDesired(desired=wanted, raises=raises):
                assert wanted <= calculated.room
                assert wanted <= known.group.max_size
                assert raises == (wanted > known.group.desired)
                assert may_raise or not raises
            case SetMaxSize(max_size=wanted, raises=raises):
                assert known.group.desired <= wanted <= calculated.room
                assert raises == (wanted > known.group.max_size)
                assert may_raise or not raises

    @given(st.integers(0, 9), st.integers(0, 9), st.integers(0, 8), st.integers(0, 6))
    def test_calls_that_arrive_lead_to_the_goal_and_then_end(
        self, desired: int, max_size: int, waiting: int, claimed: int
    ):
        known = pool_of(desired=min(desired, max_size), max_size=max_size, claimed=claimed, max_machines=6)
        calculated = sized(known, waiting=waiting)
        for _ in range(6):
            call = next_call(known, calculated, may_raise=True)
            if call is None:
                break
            wanted = {"desired": call.desired} if isinstance(call, SetDesired) else {"max_size": call.max_size}
            known.capacity_answered(at=0, **wanted)
        else:
            pytest.fail("the calls never end")
        assert known.group is not None
        assert known.group.desired == calculated.desired
        assert calculated.desired <= known.group.max_size <= max(calculated.room, calculated.desired)


class TestFence:
    def fenced(self, known: PoolFacts) -> bool:
        return is_fenced(known, sized(known))

    def test_it_stands_when_a_look_shows_both_within_the_room(self):
        assert self.fenced(pool_of(desired=2, max_size=10, max_machines=10))

    @pytest.mark.parametrize(("desired", "max_size"), [(2, 11), (11, 11)])
    def test_it_does_not_stand_while_either_is_above(self, desired: int, max_size: int):
        assert not self.fenced(pool_of(desired=desired, max_size=max_size, max_machines=10))

    def test_an_answer_is_not_a_look(self):
        known = pool_of(desired=2, max_size=11, max_machines=10)
        known.capacity_answered(at=5, max_size=4)
        assert not self.fenced(known)
        known.observe(observation(group(desired=2, max_size=4), at=after(4)))
        assert not self.fenced(known)
        known.observe(observation(group(desired=2, max_size=4), at=after(6)))
        assert self.fenced(known)

    def test_an_unmanaged_group_is_fenced_by_its_desired_capacity_alone(self):
        assert self.fenced(pool_of(desired=2, max_size=100, max_machines=10, manage_group=False))


@dataclass
class _Aws:
    """What AWS would do, in its plainest form: calls, members, and machines that left."""

    desired: int = 0
    max_size: int = 0
    booting: set[int] = field(default_factory=set)
    serving: set[int] = field(default_factory=set)
    detached: set[int] = field(default_factory=set)
    late: list[SetDesired | SetMaxSize] = field(default_factory=list)
    launched: int = 0

    def apply(self, call: SetDesired | SetMaxSize) -> None:
        match call:
            case SetDesired(desired=wanted):
                self.desired = wanted if wanted <= self.max_size else self.desired
            case SetMaxSize(max_size=wanted):
                self.max_size = wanted
                self.desired = min(self.desired, wanted)
        self.fill()

    def fill(self) -> None:
        while len(self.booting | self.serving) < self.desired:
            self.launched += 1
            self.booting.add(self.launched)
        while len(self.booting | self.serving) > self.desired and self.booting:
            self.booting.pop()  # the protected ones stay

    def live(self) -> int:
        return len(self.booting | self.serving | self.detached)

    def shown(self) -> Group:
        members = [member(n, lifecycle="Pending", protected=False) for n in self.booting]
        return group([*members, *(member(n) for n in self.serving)], desired=self.desired, max_size=self.max_size)


class LateAnswers(RuleBasedStateMachine):
    """Claims, releases, detaches and capacity calls in any order, one call of each kind possibly late or lost.

    One raising call may be outstanding and arrive at any time, as may any lowering one; looks may be of long ago.
    """

    CEILING = 3

    @initialize(desired=st.integers(0, 3), idle=st.integers(0, 2))
    def begin(self, desired: int, idle: int) -> None:
        self.aws = _Aws(desired=0, max_size=self.CEILING)
        self.aws.desired = desired
        self.aws.fill()
        self.known = PoolFacts(name="pool")
        self.known.set_pool(make_pool(max_machines=self.CEILING, buffer=buffer_of(idle)))
        self.records: dict[int, Machine] = {}
        self.version = 1
        self.seconds = 0
        self.waiting = 0
        self.look()

    @rule()
    def look(self) -> None:
        self.seconds += 1
        everybody = self.aws.booting | self.aws.serving | self.aws.detached
        self.known.observe(observation(self.aws.shown(), [instance(n) for n in everybody], at=after(self.seconds)))
        for number in everybody - self.records.keys():
            self.record(number)
        for number in self.records.keys() - everybody:
            del self.records[number]
            self.known.remove_machine(machine_id(number))

    def record(self, number: int, **fields) -> None:
        self.version += 1
        self.records[number] = machine(number, version=self.version, **fields)
        self.known.upsert_machine(self.records[number])

    @rule()
    def boot(self) -> None:
        self.aws.serving |= self.aws.booting
        self.aws.booting = set()

    @rule(waiting=st.sampled_from([0, 1, 6]))
    def people_come_and_go(self, waiting: int) -> None:
        self.waiting = waiting

    @precondition(lambda self: self.known.offers)
    @rule()
    def claim_one(self) -> None:
        name = self.known.offers.take()
        number = number_of(name or "")
        self.record(number, claims=[claim(f"w{number}")])

    @precondition(lambda self: any(made.spec.claims for made in self.records.values()))
    @rule(data=st.data())
    def release_one(self, data) -> None:
        held = sorted(n for n, made in self.records.items() if made.spec.claims)
        self.record(data.draw(st.sampled_from(held)), reap="Used")

    @rule()
    def detach_behind_the_fence(self) -> None:
        if not is_fenced(self.known, self.calculate()):
            return
        for number, made in self.records.items():
            if made.spec.claims and number in self.aws.serving and machine_id(number) in self.known.members:
                self.aws.serving.discard(number)
                self.aws.detached.add(number)
        self.aws.fill()

    @rule()
    def end_the_reaped(self) -> None:
        calculated = self.calculate()
        if next_call(self.known, calculated, may_raise=False) is not None:
            return
        for number, made in self.records.items():
            if made.spec.reap is not None:
                self.aws.detached.discard(number)
                self.aws.serving.discard(number)
        self.aws.fill()

    @rule(fate=st.sampled_from(["answered", "answer lost", "late"]))
    def call(self, fate: str) -> None:
        calculated = self.calculate()
        outstanding = any(made.raises for made in self.aws.late)
        made = next_call(self.known, calculated, may_raise=not outstanding)
        if made is None:
            return
        self.seconds += 1
        if fate == "late":
            self.aws.late.append(made)
            self.known.capacity_answered(at=self.seconds)
            return
        self.aws.apply(made)
        if fate == "answer lost":
            self.known.capacity_answered(at=self.seconds)
        elif isinstance(made, SetDesired):
            self.known.capacity_answered(at=self.seconds, desired=made.desired)
        else:
            self.known.capacity_answered(at=self.seconds, max_size=made.max_size)

    @precondition(lambda self: self.aws.late)
    @rule(data=st.data())
    def a_late_call_arrives(self, data) -> None:
        self.aws.apply(self.aws.late.pop(data.draw(st.integers(0, len(self.aws.late) - 1))))

    def calculate(self) -> Sizing:
        self.seconds += 1
        return size(self.known, waiting=self.waiting, rise=CALM, now=after(self.seconds))[0]

    @invariant()
    def live_machines_never_exceed_the_ceiling(self) -> None:
        assert self.aws.live() <= self.CEILING


TestLateAnswers = LateAnswers.TestCase
TestLateAnswers.settings = settings(max_examples=100, stateful_step_count=40)


@settings(max_examples=60)
@given(st.integers(0, 6), st.integers(1, 3), st.integers(1, 6))
def test_one_need_is_launched_for_once_however_often_it_is_planned(waiting: int, slots: int, passes: int):
    """A slow Describe shows nothing of what is under way: capacity is absolute, so asking again changes nothing."""
    known = pool_of(slots_per_machine=slots, max_machines=50, desired=0, max_size=100)
    calls = []
    for _ in range(passes + 3):
        made = next_call(known, sized(known, waiting=waiting), may_raise=True)
        if made is not None:
            calls.append(made)
            wanted = {"desired": made.desired} if isinstance(made, SetDesired) else {"max_size": made.max_size}
            known.capacity_answered(at=10, **wanted)
        known.observe(observation(group(desired=0, max_size=100), at=after(5)))  # began before the call
    raised = [made for made in calls if made.raises]
    assert len(raised) == 1
    assert isinstance(raised[0], SetDesired)
    assert raised[0].desired == -(-(waiting + 2) // slots)
