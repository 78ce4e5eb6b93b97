"""While people are being served, what nobody waits for stands back: writes that can wait, and looks at AWS."""

import asyncio
from collections.abc import Iterable
from types import SimpleNamespace

import pytest

from component.desk import RunningClock
from factories import NOW, facts, machine, machine_id, member, workspace
from hotdesk.actors.effects import Effects
from hotdesk.actors.observer import Observer
from hotdesk.actors.world import Pace
from hotdesk.core.actions import Action, ClaimSlots, ForgetMachine, RegisterMachine, ReportMachine, Seat
from hotdesk.core.pool_facts import PoolFacts

CLAIM = ClaimSlots(machine=machine(1), seats=(Seat(slot=0, workspace=workspace(), hit=True),))
FORGET = ForgetMachine(machine=machine(3))
READY = ReportMachine(machine=machine(2), status=machine(2).status)
CLAIMED = ReportMachine(machine=machine(2), status=machine(2, phase="Claimed").status)


def register(number: int) -> RegisterMachine:
    return RegisterMachine(name=machine_id(number), zone="eu-west-1a", slots=1)


def started(known: PoolFacts, actions: Iterable[Action], *, later: float = 0.0) -> list[Action]:
    """Return which actions begin when they are planned in this order, the last one `later` seconds after the others."""
    seconds = 0.0
    clock = SimpleNamespace(now=lambda: NOW, monotonic=lambda: seconds)
    world = SimpleNamespace(clock=clock, store=None, metrics=None, teller=None)
    begun: list[Action] = []
    *first, last = actions

    async def scenario() -> None:
        nonlocal seconds
        effects = Effects(known, world, changed=lambda: None, aws_changed=lambda: None)
        effects._spawn = lambda _key, action: begun.append(action)
        for action in first:
            effects.start(action)
        seconds += later
        effects.start(last)

    asyncio.run(scenario())
    return begun


@pytest.mark.parametrize("action", [FORGET, CLAIMED, register(9)])
def test_one_write_that_can_wait_is_let_through_while_claims_are_made(action: Action):
    known = facts(members={9: member(9, lifecycle="Pending")}, inside=[9])
    assert started(known, [CLAIM, action, FORGET]) == [CLAIM, action]
    assert started(known, [CLAIM, action, FORGET], later=0.4) == [CLAIM, action]


def test_everything_goes_on_when_no_more_claims_come():
    assert started(facts(), [CLAIM, FORGET, CLAIMED], later=0.6) == [CLAIM, FORGET, CLAIMED]


def test_it_stands_back_as_long_as_a_claim_is_under_way():
    known = facts(machine(1))
    known.begin_claim(machine_id(1), ["uid-demo"])
    assert started(known, [CLAIM, FORGET, CLAIMED], later=0.6) == [CLAIM, FORGET]


def test_nothing_stands_back_while_somebody_waits_for_a_machine():
    known = facts(workspaces=[workspace("waiting")])
    assert started(known, [CLAIM, FORGET, CLAIMED]) == [CLAIM, FORGET, CLAIMED]


@pytest.mark.parametrize("action", [READY, register(9)])
def test_what_brings_a_machine_into_service_never_stands_back(action: Action):
    known = facts(members={9: member(9)}, inside=[9])
    assert started(known, [CLAIM, FORGET, action]) == [CLAIM, FORGET, action]


class Subject:
    """A pool whose group just changed."""

    def __init__(self, *, is_waited_for: bool, size: int) -> None:
        self.name, self.group_name, self.is_moving = "pool", "desk", True
        self.is_waited_for, self.size = is_waited_for, size


@pytest.mark.parametrize(
    ("is_waited_for", "size", "seconds"), [(True, 1, 0.3), (False, 1, 1.0), (True, 1000, 0.6), (False, 1000, 2.0)]
)
def test_a_change_is_looked_at_soonest_where_somebody_waits_for_it(*, is_waited_for: bool, size: int, seconds: float):
    clock = RunningClock()
    clock.monotonic = lambda: 50.0
    observer = Observer(None, SimpleNamespace(clock=clock, pace=Pace()))
    subject = Subject(is_waited_for=is_waited_for, size=size)
    observer.watch(subject)
    schedule = observer._schedules["pool"]
    schedule.looked = 50.0
    observer.hurry(subject)
    assert observer._wait_of(schedule) == pytest.approx(seconds)
