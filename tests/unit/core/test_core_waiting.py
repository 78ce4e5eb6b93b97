"""What those who wait are told, and when it is worth a write."""

from datetime import timedelta

import pytest

from factories import after, claim, facts, instance, machine, machine_id, workspace
from factories import pool as make_pool
from hotdesk.api.v1alpha1 import Access
from hotdesk.core import workspace_reports, workspace_status
from hotdesk.core.actions import ReportWorkspace
from hotdesk.core.eligibility import Surroundings
from hotdesk.core.group.capacity import Rise, Sizing, size
from hotdesk.core.pool_facts import PoolFacts
from hotdesk.core.waiting import REPORTS_AT_ONCE, Outlook, outlook, plan_queue_reports

CALM = Rise(machines=0, at=after(0))
MINUTE = timedelta(minutes=1)


def sized(known: PoolFacts) -> Sizing:
    return size(known, waiting=len(known.waiting), rise=CALM, now=after(0))[0]


def view_of(known: PoolFacts, *, trouble: str | None = None, boot_time: timedelta | None = None) -> Outlook:
    return outlook(known, sized(known), trouble=trouble, boot_time=boot_time, now=after(0))


def reports(
    known: PoolFacts, *, boot_time: timedelta | None = None, trouble: str | None = None
) -> list[ReportWorkspace]:
    view = view_of(known, trouble=trouble, boot_time=boot_time)
    return list(plan_queue_reports(known, view, sized(known), now=after(0)))


def take_in(known: PoolFacts, told: list[ReportWorkspace], *, version: int = 2) -> None:
    for report in told:
        meta = report.workspace.metadata
        known.upsert_workspace(
            workspace(meta.name, version=version, created_at=meta.creation_timestamp, status=report.status)
        )


def queue_of(length: int, **fields) -> PoolFacts:
    return facts(workspaces=[workspace(f"w{n:03}", created_at=after(n - 1000)) for n in range(length)], **fields)


class TestPlaces:
    def test_everybody_is_told_their_place_from_the_front(self):
        told = reports(queue_of(3))
        assert [(r.workspace.metadata.name, r.status.queue.position, r.status.queue.ahead) for r in told] == [
            ("w000", 1, 0),
            ("w001", 2, 1),
            ("w002", 3, 2),
        ]

    def test_what_was_told_is_not_told_again(self):
        known = queue_of(3)
        take_in(known, reports(known))
        assert reports(known) == []

    def test_when_the_first_is_served_those_near_the_front_are_told(self):
        known = queue_of(3)
        take_in(known, reports(known))
        known.remove_workspace("uid-w000")
        assert [(r.workspace.metadata.name, r.status.queue.position) for r in reports(known)] == [
            ("w001", 1),
            ("w002", 2),
        ]

    def test_far_back_a_place_may_be_off_by_a_tenth(self):
        known = queue_of(40)
        take_in(known, reports(known))
        known.remove_workspace("uid-w000")
        told = [r.workspace.metadata.name for r in reports(known)]
        assert told == [f"w{n:03}" for n in range(1, 19)]  # position 20 and on may be off by two

    def test_a_long_queue_is_told_from_the_front_in_portions(self):
        known = queue_of(REPORTS_AT_ONCE + 10)
        told = reports(known)
        assert len(told) == REPORTS_AT_ONCE
        take_in(known, told)
        assert [r.status.queue.position for r in reports(known)] == list(range(51, 61))

    def test_a_changed_spec_is_told_even_if_the_place_is_the_same(self):
        known = queue_of(1)
        take_in(known, reports(known))
        status = known.workspaces["uid-w000"].status
        known.upsert_workspace(workspace("w000", version=3, generation=2, created_at=after(-1000), status=status))
        (told,) = reports(known)
        assert told.status.observed_generation == 2

    def test_a_new_reason_is_told(self):
        known = queue_of(1)
        take_in(known, reports(known))
        (told,) = reports(known, trouble="AWS has no capacity.")
        assert "AWS has no capacity." in told.status.conditions[0].message

    def test_who_lost_a_machine_is_still_told_so_in_the_queue(self):
        lost = workspace("w", status=workspace_status.lost(workspace("w"), now=after(0)))
        (told,) = reports(facts(workspaces=[lost]))
        assert told.status.conditions[0].reason == "MachineLost"


class TestWaits:
    def test_before_the_first_boot_nothing_is_guessed(self):
        assert reports(queue_of(1))[0].status.queue.estimated_wait is None

    def test_a_machine_on_its_way_is_nearer_by_the_time_it_is_under_way(self):
        booting = machine(1, ready_at=None, phase="Booting")
        known = facts(booting, workspaces=[workspace()], instances={1: instance(1, launched_at=after(-40))})
        (told,) = reports(known, boot_time=MINUTE)
        assert told.status.queue.estimated_wait == timedelta(seconds=20)
        assert "about 20 s to go" in told.status.conditions[0].message

    def test_a_late_machine_is_never_said_to_have_come_already(self):
        booting = machine(1, ready_at=None, phase="Booting")
        known = facts(booting, workspaces=[workspace()], instances={1: instance(1, launched_at=after(-300))})
        assert reports(known, boot_time=MINUTE)[0].status.queue.estimated_wait == timedelta(seconds=1)

    def test_at_the_ceiling_it_depends_on_how_long_claims_last(self):
        held = [machine(n, claims=[claim(f"h{n}", at=after(-3600))], in_group=False) for n in (1, 2)]
        known = facts(
            *held,
            detached=[1, 2],
            of=make_pool(max_machines=2),
            workspaces=[workspace(f"w{n}", created_at=after(n - 9)) for n in range(3)],
        )
        waits = [r.status.queue.estimated_wait for r in reports(known, boot_time=MINUTE)]
        assert waits == [timedelta(minutes=31), timedelta(minutes=61), timedelta(minutes=91)]

    @pytest.mark.parametrize("boot_time", [MINUTE, timedelta(seconds=-30)])
    def test_clocks_that_differ_never_make_a_wait_negative(self, boot_time: timedelta):
        held = machine(1, claims=[claim("h", at=after(7200))], in_group=False)
        known = facts(held, detached=[1], of=make_pool(max_machines=1), workspaces=[workspace()])
        (told,) = reports(known, boot_time=boot_time)
        assert told.status.queue.estimated_wait > timedelta()
        assert type(told.status).model_validate(told.status.wire()) == told.status

    def test_a_little_more_or_less_is_not_worth_a_write(self):
        known = queue_of(1)
        take_in(known, reports(known, boot_time=timedelta(seconds=100)))
        assert reports(known, boot_time=timedelta(seconds=120)) == []
        assert reports(known, boot_time=timedelta(seconds=130))
        assert reports(known), "that nothing is known any more is news"


class TestCauses:
    @pytest.mark.parametrize(
        ("known", "trouble", "cause"),
        [
            (queue_of(1), None, "BufferEmpty"),
            (queue_of(1), "no capacity", "LaunchFailed"),
            (queue_of(1, of=make_pool(max_machines=0)), None, "AtMaxMachines"),
            (queue_of(1, of=make_pool(max_machines=2)), None, "BufferEmpty"),
        ],
    )
    def test_the_cause_is_what_everybody_waits_for(self, known: PoolFacts, trouble: str | None, cause: str):
        assert view_of(known, trouble=trouble).cause == cause

    def test_at_the_ceiling_its_number_is_named(self):
        known = facts(
            machine(1, claims=[claim("x")], in_group=False),
            detached=[1],
            of=make_pool(max_machines=1),
            workspaces=[workspace()],
        )
        assert "all 1 machines that maxMachines allows" in view_of(known).because


class TestHeldAndSeated:
    def test_who_is_held_is_told_why_once(self):
        known = facts(of=make_pool(paused=True), workspaces=[workspace()])
        (told,) = workspace_reports.plan_held(known, now=after(0))
        assert told.status.conditions[0].reason == "PoolPaused"
        known.upsert_workspace(workspace(version=2, status=told.status))
        assert not list(workspace_reports.plan_held(known, now=after(9)))
        assert not known.unreported

    def test_who_is_held_for_another_reason_is_told(self):
        known = facts(of=make_pool(paused=True), workspaces=[workspace()])
        (told,) = workspace_reports.plan_held(known, now=after(0))
        known.upsert_workspace(workspace(version=2, status=told.status))
        known.set_surroundings(Surroundings(rival="elder"))
        (told,) = workspace_reports.plan_held(known, now=after(1))
        assert told.status.conditions[0].reason == "PoolStopped"

    def test_a_changed_owner_is_seen_in_the_url_of_who_has_a_machine(self):
        seated = workspace(
            generation=2,
            owner="bob",
            machine=machine_id(1),
            slot=0,
            phase="Running",
            observed_generation=1,
            claimed_at=after(-9),
            ready_at=after(-8),
        )
        known = facts(
            machine(1, claims=[claim()]),
            of=make_pool(access=Access(url_template="http://{privateIP}/{owner}")),
            workspaces=[seated],
        )
        (told,) = workspace_reports.plan_refreshed(known)
        assert (told.status.url, told.status.observed_generation) == ("http://10.0.0.1/bob", 2)
        assert (told.status.claimed_at, told.status.ready_at) == (after(-9), after(-8))
        known.upsert_workspace(workspace(version=2, generation=2, owner="bob", status=told.status))
        assert not list(workspace_reports.plan_refreshed(known))
        assert not known.unreported
