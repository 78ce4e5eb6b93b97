"""Which machines AWS will take: announcements in any order and number come to the same, and a restart voids them."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factories import NOW, after, claim, facts, instance, machine, machine_id, member
from hotdesk.api.v1alpha1 import Interruption
from hotdesk.core import doomed, machines
from hotdesk.core.announcements import Announced, Announcement
from hotdesk.core.group.capacity import Rise, size
from hotdesk.core.machines import BootRecord
from hotdesk.core.standing import Standing

SPOT = Interruption(reason="SpotInterruption", announced_at=NOW, at=after(120))
RUNNING = instance()


def warning(seconds: float = 0, *, due: float = 120, what: Announced = Announced.SPOT_INTERRUPTION) -> Announcement:
    at = after(seconds)
    return Announcement(receipt="", what=what, instance=machine_id(1), at=at, due=at + timedelta(seconds=due))


announcements = st.builds(
    warning,
    st.integers(-3600, 3600),
    due=st.integers(0, 3600),
    what=st.sampled_from([Announced.SPOT_INTERRUPTION, Announced.MAINTENANCE]),
)


def recorded(*told: Announcement) -> Interruption | None:
    """Return what a record says after all of these, each recorded as it came."""
    record = machine()
    for announcement in told:
        doom = doomed.noted(record, RUNNING, announcement)
        if doom is not None:
            record = record.model_copy(update={"status": record.status.model_copy(update={"interruption": doom})})
    return record.status.interruption


@given(st.lists(announcements, max_size=5), st.randoms())
def test_whatever_comes_twice_or_in_another_order_the_first_to_come_true_counts(told, random):
    shuffled = told + told[:2]
    random.shuffle(shuffled)
    due = [one.due for one in told if one.at >= RUNNING.launched_at]
    for said in (told, shuffled):
        record = recorded(*said)
        assert (record.at if record is not None else None) == min(due, default=None)


def test_a_rebalance_recommendation_dooms_nobody():
    rebalance = replace(warning(), what=Announced.REBALANCE)
    assert not doomed.is_doom(rebalance)
    assert recorded(rebalance) is None


def test_a_start_after_the_announcement_voids_it():
    record, restarted = machine(interruption=SPOT), instance(launched_at=after(1))
    assert doomed.doom_of(record, RUNNING) == SPOT
    assert doomed.doom_of(record, None) == SPOT
    assert doomed.doom_of(record, restarted) is None
    assert doomed.noted(machine(), restarted, warning()) is None
    anew = doomed.noted(record, restarted, warning(10, due=3600))
    assert anew is not None
    assert anew.at == after(3610)


def test_a_machine_that_is_reaped_already_needs_no_record():
    assert doomed.noted(machine(reap="Used"), RUNNING, warning()) is None


@pytest.mark.parametrize("ready_at", [NOW, None])
def test_an_unclaimed_doomed_machine_is_reaped_and_neither_offered_nor_counted(ready_at):
    known = facts(machine(1, interruption=SPOT, ready_at=ready_at), machine(2))
    assert known.standings[machine_id(1)] is Standing.DOOMED
    assert machine_id(1) not in known.offers
    assert (known.totals.idle, known.totals.booting, known.totals.supply, known.totals.live) == (1, 0, 1, 2)
    sizing, _ = size(known, waiting=0, rise=Rise(machines=0, at=NOW), now=NOW)
    (reap,) = machines.plan_reaps(known, sizing, BootRecord(), now=NOW)
    assert (reap.machine.metadata.name, reap.reason) == (machine_id(1), "Interrupted")


def test_a_claimed_doomed_machine_keeps_its_claim_and_offers_no_free_slot():
    known = facts(machine(1, slots=2, claims=[claim()], interruption=SPOT), detached=[1])
    assert known.doomed == {machine_id(1)}
    assert known.standings[machine_id(1)] is Standing.CLAIMED
    assert (known.totals.claimed, known.totals.spare, len(known.offers)) == (1, 0, 0)


def test_what_is_on_its_way_out_is_doomed_no_more():
    known = facts(machine(1, interruption=SPOT, reap="Interrupted"))
    assert not known.doomed
    known = facts(machine(1, interruption=SPOT), members={1: member(1, lifecycle="Terminating:Wait")})
    assert not known.doomed


def test_a_doomed_machine_that_is_being_claimed_is_left_alone():
    known = facts(machine(1, interruption=SPOT))
    known.begin_claim(machine_id(1), ())
    sizing, _ = size(known, waiting=0, rise=Rise(machines=0, at=NOW), now=NOW)
    assert not list(machines.plan_reaps(known, sizing, BootRecord(), now=NOW))
