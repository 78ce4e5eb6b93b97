"""A machine's way outside of claims: registered, ready or quarantined, reaped, terminated, forgotten."""

from datetime import timedelta

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
)
from factories import pool as make_pool
from hotdesk.api.conditions import find_condition
from hotdesk.api.v1alpha1 import Readiness, TcpSocket
from hotdesk.core import machine_status
from hotdesk.core.actions import (
    ForgetMachine,
    ProbeMachine,
    ProtectMembers,
    RegisterMachine,
    ReportMachine,
    TagMachines,
    TerminateInstance,
    TerminateMember,
)
from hotdesk.core.facts import InstanceState
from hotdesk.core.group.capacity import Rise, size
from hotdesk.core.machines import (
    BootRecord,
    plan_pool_tags,
    plan_probes,
    plan_protection,
    plan_reaps,
    plan_records,
    plan_terminations,
)
from hotdesk.core.pool_facts import PoolFacts

PROBED = make_pool(readiness=Readiness(tcp_socket=TcpSocket(port=22), deadline=timedelta(minutes=5)))
BOOTING = {"ready_at": None, "phase": "Booting"}
TERMINATED = instance(1, state=InstanceState.TERMINATED)


def probes(known: PoolFacts, *ready: int, seconds: float = 0):
    names = frozenset(machine_id(number) for number in ready)
    return list(plan_probes(known, ready=names, now=after(seconds)))


def reaps(known: PoolFacts, boots: BootRecord | None = None, *, seconds: float = 0) -> dict[str, str]:
    calm = Rise(machines=0, at=NOW)
    sizing, _ = size(known, waiting=len(known.waiting), rise=calm, now=NOW)
    made = plan_reaps(known, sizing, boots or BootRecord(), now=after(seconds))
    return {action.machine.metadata.name: action.reason for action in made}


class TestRecords:
    def test_a_member_without_a_record_gets_one_with_todays_slots(self):
        known = facts(machine(1), inside=[2], of=make_pool(slots_per_machine=5))
        assert list(plan_records(known)) == [RegisterMachine(name=machine_id(2), zone="eu-west-1a", slots=5)]

    def test_a_member_that_ends_gets_none(self):
        assert not list(plan_records(facts(inside=[2], members={2: member(2, lifecycle="Terminating")})))

    def test_an_instance_outside_the_group_gets_none(self):
        known = facts()
        known.observe(observation(group(), [instance(3)]))
        assert not list(plan_records(known))

    @pytest.mark.parametrize("reap", ["Used", "Surplus", "Lost"])
    def test_a_record_goes_when_ec2_says_terminated(self, reap):
        known = facts(machine(1, reap=reap), instances={1: TERMINATED})
        assert [type(action) for action in plan_records(known)] == [ForgetMachine]

    @pytest.mark.parametrize("state", [state for state in InstanceState if state is not InstanceState.TERMINATED])
    def test_a_record_stays_until_ec2_says_terminated(self, state: InstanceState):
        known = facts(machine(1, reap="Used"), instances={1: instance(1, state=state)}, detached=[1])
        assert not list(plan_records(known))

    def test_a_record_with_claims_stays_whatever_ec2_says(self):
        assert not list(plan_records(facts(machine(1, claims=[claim()]), instances={1: TERMINATED})))


class TestProbes:
    def test_a_machine_in_service_is_asked_whether_it_is_ready(self):
        (probe,) = probes(facts(machine(1, **BOOTING), of=PROBED))
        assert probe == ProbeMachine(name=machine_id(1), ip="10.0.0.1", readiness=PROBED.spec.readiness)

    def test_a_machine_that_passed_its_probe_becomes_idle_with_all_a_claim_needs(self):
        (report,) = probes(facts(machine(1, **BOOTING), of=PROBED), 1)
        status = report.status
        assert (status.phase, status.ready_at, status.private_ip, status.in_group) == ("Idle", NOW, "10.0.0.1", True)
        assert find_condition(status.conditions, "Ready").status == "True"

    def test_without_a_probe_it_is_ready_when_the_group_says_in_service(self):
        (report,) = probes(facts(machine(1, **BOOTING)))
        assert report.status.ready_at == NOW

    @pytest.mark.parametrize(
        ("entry", "seen"),
        [
            (member(1, lifecycle="Pending", protected=False), instance(1)),
            (member(1), instance(1, state=InstanceState.PENDING)),
            (member(1), instance(1, state=InstanceState.STOPPED)),
        ],
    )
    def test_what_is_not_yet_in_service_is_not_asked_and_not_ready(self, entry, seen):
        known = facts(machine(1, **BOOTING), of=PROBED, members={1: entry}, instances={1: seen})
        assert not probes(known, 1)

    def test_one_that_was_ready_before_is_not_made_ready_anew(self):
        known = facts(machine(1), members={1: member(1, protected=False)})
        assert not probes(known)

    def test_past_its_deadline_it_is_quarantined(self):
        known = facts(machine(1, **BOOTING), of=PROBED)
        assert isinstance(probes(known, seconds=239)[0], ProbeMachine)
        (report,) = probes(known, seconds=240)  # it was launched a minute before NOW
        assert report.status.phase == "Quarantined"
        assert find_condition(report.status.conditions, "Ready").reason == "DeadlineExceeded"

    def test_at_the_deadline_a_passed_probe_still_counts(self):
        (report,) = probes(facts(machine(1, **BOOTING), of=PROBED), 1, seconds=9999)
        assert report.status.phase == "Idle"


class TestReaps:
    def test_a_claimed_machine_is_never_reaped(self):
        known = facts(*(machine(n, claims=[claim(f"w{n}")]) for n in range(5)), of=make_pool(buffer=buffer_of(0)))
        assert not reaps(known)

    def test_the_surplus_goes_booting_before_idle_and_newest_first(self):
        known = facts(
            machine(1, ready_at=after(-30)),
            machine(2, ready_at=after(-10)),
            machine(3, ready_at=after(-20)),
            machine(4, **BOOTING),
            of=make_pool(buffer=buffer_of(1)),
        )
        assert list(reaps(known)) == [machine_id(4), machine_id(2), machine_id(3)]

    def test_one_that_is_being_claimed_is_not_surplus(self):
        known = facts(machine(1), of=make_pool(buffer=buffer_of(0)))
        known.begin_claim(machine_id(1), [])
        assert not reaps(known)

    def test_while_one_is_being_reaped_no_other_is_reaped_for_it(self):
        known = facts(machine(1), machine(2), of=make_pool(buffer=buffer_of(1)))
        (first,) = reaps(known)
        known.begin_claim(first, [])  # the write is under way, and takes long
        assert not reaps(known)

    def test_a_deleted_pool_gives_everything_unclaimed_back(self):
        known = facts(machine(1), machine(2, claims=[claim()]), of=make_pool(deleted_at=NOW))
        assert reaps(known) == {machine_id(1): "PoolDeleted"}

    def test_a_stray_stays_until_its_pool_is_deleted(self):
        assert not reaps(facts(machine(1), detached=[1]))
        assert reaps(facts(machine(1), detached=[1], of=make_pool(deleted_at=NOW))) == {machine_id(1): "PoolDeleted"}

    def test_a_stray_that_is_not_ours_is_never_reaped(self):
        known = facts(machine(1), detached=[1], of=make_pool(deleted_at=NOW), instances={1: instance(1, tags={})})
        assert not reaps(known)
        assert [type(action) for action in plan_records(known)] == [ForgetMachine]

    def test_a_quarantined_machine_is_replaced(self):
        assert reaps(facts(machine(1, phase="Quarantined", ready_at=None))) == {machine_id(1): "NotReady"}

    def test_after_three_in_a_row_one_at_a_time_and_ever_more_slowly(self):
        known = facts(*(machine(n, phase="Quarantined", ready_at=None) for n in range(1, 4)), of=PROBED)
        five = BootRecord(failures=5, last_failure=NOW)  # patience: 5 min, doubled twice
        assert not reaps(known, five, seconds=20 * 60 - 1)
        assert len(reaps(known, five, seconds=20 * 60)) == 1

    @settings(max_examples=50)
    @given(st.lists(st.sampled_from(["idle", "booting", "claimed", "reaped", "stray"]), max_size=8), st.integers(0, 4))
    def test_the_surplus_and_nothing_else_is_given_back(self, kinds: list[str], idle: int):
        made = {
            "idle": {},
            "booting": BOOTING,
            "claimed": {"claims": [claim()]},
            "reaped": {"reap": "Surplus"},
            "stray": {},
        }
        known = facts(
            *(machine(n, **made[kind]) for n, kind in enumerate(kinds)),
            detached=[n for n, kind in enumerate(kinds) if kind == "stray"],
            of=make_pool(buffer=buffer_of(idle)),
        )
        supply = kinds.count("idle") + kinds.count("booting")
        names = {machine_id(n) for n, kind in enumerate(kinds) if kind in ("idle", "booting")}
        given_back = reaps(known)
        assert len(given_back) == max(0, supply - idle)
        assert given_back.keys() <= names


class TestBootRecord:
    def test_a_machine_that_becomes_ready_clears_the_failures(self):
        record = BootRecord().failed(NOW).failed(NOW).ready(timedelta(seconds=30))
        assert (record.failures, record.typical()) == (0, timedelta(seconds=30))

    def test_the_typical_boot_is_the_median_of_the_latest_twenty(self):
        record = BootRecord()
        for seconds in [1] * 30 + [50] * 11 + [90] * 9:
            record = record.ready(timedelta(seconds=seconds))
        assert record.typical() == timedelta(seconds=50)
        assert BootRecord().typical() is None

    @given(st.integers(0, 100))
    def test_patience_doubles_but_not_for_ever(self, failures: int):
        record = BootRecord(failures=failures, last_failure=NOW)
        deadline = timedelta(minutes=1)
        waits = [0, 0, 0, 0, 2, 4, 8, 16, 32, 64]
        patience = timedelta(minutes=waits[min(failures, 9)])
        assert record.may_replace(deadline=deadline, now=NOW + patience)
        assert not patience or not record.may_replace(deadline=deadline, now=NOW + patience - timedelta(seconds=1))


class TestTerminations:
    def ended(self, known: PoolFacts, *, is_settled: bool = True):
        return list(plan_terminations(known, is_settled=is_settled))

    def test_only_what_is_reaped_is_ended(self):
        known = facts(machine(1), machine(2, claims=[claim()]), machine(3, reap="Surplus"))
        assert self.ended(known) == [TerminateMember(name=machine_id(3))]

    def test_a_member_waits_until_desired_capacity_is_right(self):
        assert not self.ended(facts(machine(1, reap="Surplus")), is_settled=False)

    def test_one_outside_the_group_is_ended_at_once(self):
        known = facts(machine(1, reap="Used"), detached=[1])
        assert self.ended(known, is_settled=False) == [TerminateInstance(name=machine_id(1))]

    def test_one_outside_the_group_that_does_not_carry_our_tag_is_not_ended(self):
        assert not self.ended(facts(machine(1, reap="Used"), detached=[1], instances={1: instance(1, tags={})}))

    @pytest.mark.parametrize("lifecycle", ["Detaching", "Terminating", "Terminating:Wait"])
    def test_one_that_is_on_its_way_out_is_left_to_it(self, lifecycle: str):
        assert not self.ended(facts(machine(1, reap="Used"), members={1: member(1, lifecycle=lifecycle)}))

    def test_it_is_asked_for_once_a_look(self):
        known = facts(machine(1, reap="Used"))
        known.acted([machine_id(1)], at=5)
        assert not self.ended(known)
        known.observe(observation(group([member(1)]), [instance(1)], at=after(6)))
        assert self.ended(known)

    def test_what_ec2_does_not_show_is_not_ended(self):
        known = facts(machine(1, reap="Used"))
        known.observe(observation(group()))
        assert not self.ended(known)


class TestProtection:
    def test_members_in_service_are_protected_claimed_ones_first(self):
        exposed = {n: member(n, protected=False) for n in (1, 2, 3)}
        known = facts(machine(1), machine(2, claims=[claim()]), machine(3, reap="Surplus"), members=exposed)
        assert plan_protection(known) == ProtectMembers(ids=(machine_id(2), machine_id(1)))

    def test_one_without_a_record_is_protected_too(self):
        assert plan_protection(facts(inside=[1], members={1: member(1, protected=False)})) is not None

    def test_one_that_still_boots_is_not(self):
        assert plan_protection(facts(inside=[1], members={1: member(1, lifecycle="Pending", protected=False)})) is None

    def test_a_call_holds_at_most_fifty(self):
        many = range(1, 61)
        known = facts(inside=many, members={n: member(n, protected=False) for n in many})
        assert len(plan_protection(known).ids) == 50

    def test_one_call_for_all_pool_tags(self):
        bare = {n: instance(n, tags={}) for n in (1, 2)}
        known = facts(inside=[1, 2, 3], instances=bare)
        labels = plan_pool_tags(known)
        assert labels == TagMachines(ids=(machine_id(1), machine_id(2)), tags=(("hotdesk.dev/pool", "pool"),))
        assert plan_pool_tags(facts(inside=[1])) is None


class TestReports:
    def reported(self, known: PoolFacts) -> list[ReportMachine]:
        return list(machine_status.plan_reports(known, now=NOW))

    def test_a_claimed_machine_that_left_its_group_is_secured(self):
        (report,) = self.reported(facts(machine(1, claims=[claim()]), detached=[1]))
        assert report.status.in_group is False
        assert find_condition(report.status.conditions, "Secured").status == "True"

    def test_it_is_said_once(self):
        known = facts(machine(1, claims=[claim()], in_group=False), detached=[1])
        assert not self.reported(known)

    def test_one_still_in_its_group_is_not_secured(self):
        assert not self.reported(facts(machine(1, claims=[claim()])))

    def test_a_stray_is_told_what_to_do_about_it_once(self):
        known = facts(machine(1), detached=[1])
        (report,) = self.reported(known)
        condition = find_condition(report.status.conditions, "Ready")
        assert (condition.status, condition.reason) == ("False", "OutsideGroup")
        assert "attach it" in condition.message
        known.upsert_machine(machine(1, version=2, status=report.status))
        assert not self.reported(known)

    def test_a_reaped_machine_says_so_once(self):
        (report,) = self.reported(facts(machine(1, reap="Used")))
        assert report.status.phase == "Reaping"
        assert not self.reported(facts(machine(1, reap="Used", phase="Reaping")))


def test_the_surplus_of_a_pool_is_none_where_nothing_is_known():
    known = PoolFacts(name="pool")
    known.upsert_machine(machine(1))
    assert not reaps(known)
    assert not list(plan_probes(known, ready=frozenset(), now=NOW))
