"""An interval has a start and an end that survive restarts, and is counted exactly once."""

from datetime import datetime, timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factories import NOW, after, claim, instance, machine, machine_id
from hotdesk.api.v1alpha1 import Claim, Machine, Usage
from hotdesk.core.facts import Instance, InstanceState
from hotdesk.core.usage import Interval, claim_time, interval_of, run_end, usage_after, used_of, with_ends

SECONDS = st.floats(min_value=0, max_value=1e6, allow_nan=False)

POSITIONS = st.integers(0, 6)


def interval(start: float = 0, end: float = 60, **fields) -> Interval:
    known = {
        "pool": "pool",
        "namespace": "team",
        "workspace": "demo",
        "uid": "uid-demo",
        "owner": "ada",
        "machine": machine_id(1),
        "slot": 0,
    }
    return Interval(**{**known, **fields}, started_at=after(start), ended_at=after(end))


def owned(at: datetime = NOW) -> Claim:
    return claim("a", at=at).model_copy(update={"owner": "ada"})


class TestInterval:
    @pytest.mark.parametrize(
        ("seconds", "minutes"), [(0, 0), (1e-6, 1), (59, 1), (60, 1), (60.000001, 2), (3600, 60), (-5, 0)]
    )
    def test_billed_minutes_are_rounded_up_and_never_zero_for_what_ran(self, seconds: float, minutes: int):
        assert interval(0, seconds).billed_minutes == minutes

    def test_clocks_that_disagree_make_it_empty_and_never_negative(self):
        assert interval(10, 0).length == timedelta()

    def test_it_is_the_same_whenever_it_is_said_to_have_ended(self):
        assert interval(0, 60).identity == interval(0, 90).identity
        assert len({interval(0).identity, interval(1).identity, interval(0, slot=1).identity}) == 3

    def test_its_day_is_that_of_its_end_in_utc(self):
        assert interval(0, 12 * 3600).day.isoformat() == "2026-03-03"
        assert interval(0, 12 * 3600 - 1).day.isoformat() == "2026-03-02"


class TestTimes:
    def test_it_ends_when_ec2_says_and_else_when_it_was_first_seen_ended(self):
        assert run_end(ended(10), now=after(25)) == after(10)
        assert run_end(instance(1, state=InstanceState.TERMINATED), now=after(25)) == after(25)

    @pytest.mark.parametrize("state", [InstanceState.PENDING, InstanceState.RUNNING])
    def test_what_runs_has_no_end(self, state: InstanceState):
        assert run_end(instance(1, state=state, ended_at=NOW), now=after(25)) is None

    def test_no_clock_that_is_behind_makes_a_run_end_before_it_began(self):
        lost = instance(1, state=InstanceState.TERMINATED, launched_at=after(300))
        assert run_end(lost, now=NOW) == after(300)

    def test_a_claim_is_later_than_all_that_was_counted_though_the_clock_stepped_back(self):
        counted = Usage(last_interval=after(3600))
        assert claim_time(counted, now=NOW) > after(3600)
        assert claim_time(counted, now=after(4000)) == after(4000)
        assert claim_time(None, now=NOW) == claim_time(Usage(), now=NOW) == NOW


class TestUsed:
    def test_what_was_used_becomes_the_interval_when_the_machine_has_ended(self):
        seen = machine(1, claims=[owned()], instance_type="t3.large", lifecycle="spot")
        assert interval_of(seen, used_of(seen, seen.spec.claims[0], None)) is None
        (used,) = on_record(seen, ended(90)).spec.used
        assert interval_of(seen, used) == interval(
            0, 90, workspace="a", uid="uid-a", instance_type="t3.large", zone="eu-west-1a", spot=True
        )

    def test_it_begins_with_the_latest_start_of_the_machine(self):
        woken = machine(1, claims=[owned()], launched_at=after(3600))
        assert used_of(woken, woken.spec.claims[0], None).since == after(3600)
        assert used_of(woken, woken.spec.claims[0], instance(1, launched_at=after(7200))).since == after(7200)

    def test_nothing_is_closed_while_it_runs(self):
        seen = machine(1, claims=[owned()])
        assert on_record(seen, instance(1)) == seen

    def test_an_end_on_record_is_not_replaced_by_that_of_a_later_run(self):
        seen = machine(1, claims=[owned()])
        first = on_record(seen, ended(30))
        assert on_record(first, ended(30)) == first
        second = on_record(first, ended(90, launched_at=after(60)))
        assert [(used.since, used.until) for used in second.spec.used] == [(NOW, after(30)), (after(60), after(90))]
        assert on_record(second, ended(90, launched_at=after(60))) == second

    def test_a_run_that_is_accounted_for_is_not_put_on_record_again(self):
        seen = on_record(machine(1, claims=[owned()]), ended(30))
        settled = seen.model_copy(update={"spec": seen.spec.model_copy(update={"used": ()})})
        assert on_record(settled, ended(30)) == settled
        assert len(on_record(settled, ended(90, launched_at=after(60))).spec.used) == 1

    def test_a_claim_from_a_clock_that_was_ahead_is_wrong_for_its_first_run_alone(self):
        seen = on_record(machine(1, claims=[owned(at=after(3600))]), ended(30))
        second = on_record(seen, ended(90, launched_at=after(60)))
        assert [(used.since, used.until) for used in second.spec.used] == [
            (after(30), after(30)),
            (after(60), after(90)),
        ]

    def test_an_end_before_the_start_makes_an_empty_interval_and_is_not_lost(self):
        seen = machine(1, claims=[owned(at=after(60))])
        (used,) = on_record(seen, ended(0)).spec.used
        made = interval_of(seen, used)
        assert made is not None
        assert (made.started_at, made.ended_at) == (NOW, NOW)

    def test_the_end_that_was_seen_counts_where_ec2_tells_none(self):
        seen = machine(1, claims=[owned()])
        (used,) = on_record(seen, instance(1, state=InstanceState.TERMINATED)).spec.used
        assert used.until == after(99)


def ended(seconds: float, **fields) -> Instance:
    return instance(1, state=InstanceState.STOPPED, ended_at=after(seconds), **fields)


def on_record(known: Machine, seen: Instance) -> Machine:
    return known.model_copy(update={"spec": with_ends(known, seen, now=after(99))})


class TestCounting:
    @given(lengths=st.lists(SECONDS, min_size=1, max_size=6), steps=st.lists(st.tuples(POSITIONS, POSITIONS)))
    def test_each_is_counted_once_however_often_and_in_whatever_groups_it_is_given(self, lengths, steps):
        intervals = [interval(number * 2e6, number * 2e6 + length) for number, length in enumerate(lengths)]
        told, counted = None, 0
        for first, last in (*steps, (0, len(intervals))):
            # What is not settled yet is given again, together with some of what follows.
            told = usage_after(told, *intervals[min(first, counted) : max(last, counted)])
            counted = max(last, counted)
        assert told == Usage(
            running_seconds=sum((one.length + timedelta(seconds=0.5)) // timedelta(seconds=1) for one in intervals),
            billed_minutes=sum(one.billed_minutes for one in intervals),
            last_interval=intervals[-1].started_at,
        )

    def test_the_order_in_which_they_are_given_does_not_matter(self):
        intervals = [interval(0, 10), interval(20, 50), interval(60, 61)]
        assert len({usage_after(None, *some).model_dump_json() for some in permutations(intervals)}) == 1

    def test_nothing_given_changes_nothing(self):
        assert usage_after(None) == Usage()
        assert usage_after(Usage(running_seconds=5)) == Usage(running_seconds=5)
