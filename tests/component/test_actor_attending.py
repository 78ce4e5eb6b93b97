"""Who is asked when: evenly, seldom, soon where it is urgent, and never what nobody wants to know."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from factories import machine_id
from fakes.quicktime import START, QuickClock, in_quick_time
from hotdesk.actors.attending import Attending
from hotdesk.actors.world import Pace
from hotdesk.api.v1alpha1 import Activity, CodeServerProbe, CpuEvidence, HttpActivityProbe, JupyterProbe
from hotdesk.core.evidence import Evidence, Question

CODE_SERVER = Activity(code_server=CodeServerProbe(port=8080))
HOUR = timedelta(hours=1)


class Pool:
    """A pool whose questions a test sets."""

    def __init__(self, *machines: str, name: str = "pool", activity: Activity = CODE_SERVER) -> None:
        self.name = name
        self.known = {machine: question(machine, activity) for machine in machines}
        self.told: dict[str, Question] = {}
        self.heard: list[Evidence] = []
        self.trouble: Exception | None = None

    def questions(self, now: datetime) -> Sequence[Question]:
        assert now >= START
        if self.trouble is not None:
            raise self.trouble
        return tuple(self.known.values())

    def changed_questions(self, now: datetime) -> Mapping[str, Question | None]:
        assert now >= START
        if self.trouble is not None:
            raise self.trouble
        names = {*self.told, *self.known}
        changed = {name: self.known.get(name) for name in names if self.known.get(name) != self.told.get(name)}
        self.told = dict(self.known)
        return changed

    def take_evidence(self, evidence: Sequence[Evidence]) -> None:
        self.heard += evidence

    def change(self, machine: str, **changes: object) -> None:
        self.known[machine] = replace(self.known[machine], **changes)


class Ear:
    """Signals that note when each machine was asked; each answer takes a while."""

    def __init__(self, *, takes: float = 0.0) -> None:
        self.takes = takes
        self.asked: dict[str, list[float]] = {}
        self.batches: list[int] = []
        self.under_way = Counter[str]()
        self.awaited = self.most_at_once = 0
        self.overlapped = False
        self.trouble: Exception | None = None
        self.news = asyncio.Event()

    async def ask(self, questions: Sequence[Question]) -> Sequence[Evidence]:
        names = [asked.machine for asked in questions]
        self.batches.append(len(names))
        self.news.set()
        self.under_way.update(names)
        self.awaited += len(names)
        self.most_at_once = max(self.most_at_once, self.awaited)
        self.overlapped |= any(
            self.under_way[name] > 1 for name in names
        )  # an assertion here would be the pool's trouble
        for name in names:
            self.asked.setdefault(name, []).append(QuickClock().monotonic())
        if self.trouble is not None:
            trouble, self.trouble = self.trouble, None
            self._end(names)
            raise trouble
        await asyncio.sleep(self.takes)
        self._end(names)
        return [Evidence(machine=name, at=QuickClock().now()) for name in names]

    def _end(self, names: Sequence[str]) -> None:
        self.under_way.subtract(names)
        self.awaited -= len(names)

    def gaps(self, machine: str) -> list[float]:
        return [later - earlier for earlier, later in pairwise(self.asked[machine])]


def question(machine: str, activity: Activity = CODE_SERVER) -> Question:
    return Question(machine=machine, ip="10.0.0.1", activity=activity, region="eu-west-1", idle_timeout=HOUR)


@asynccontextmanager
async def attending(ear: Ear, *pools: Pool, **pace: timedelta) -> AsyncIterator[Attending]:
    made = Attending(ear, QuickClock(), Pace(**pace))
    for pool in pools:
        made.attend(pool)
    task = asyncio.create_task(made.run())
    try:
        yield made
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert not ear.overlapped


@in_quick_time
async def test_ten_thousand_machines_are_asked_evenly_and_each_once_a_minute():
    ear, pool = Ear(takes=2), Pool(*map(machine_id, range(10_000)))
    async with attending(ear, pool):
        await asyncio.sleep(60.5)
        assert len(ear.asked) == 10_000
        assert max(ear.batches) < 2.5 * 10_000 / 60 * 0.1  # an even tenth of a second holds 17
        await asyncio.sleep(60)
    assert all(59.9 <= gap <= 60.5 for machine in pool.known for gap in ear.gaps(machine))
    assert len(pool.heard) >= 19_000


@pytest.mark.parametrize(("idle_timeout", "every"), [(timedelta(minutes=5), 30), (HOUR, 60), (None, 60)])
@in_quick_time
async def test_no_machine_is_asked_more_seldom_than_a_tenth_of_its_idle_timeout(idle_timeout, every):
    ear, pool = Ear(), Pool("i-1")
    pool.change("i-1", idle_timeout=idle_timeout)
    async with attending(ear, pool):
        await asyncio.sleep(600)
    assert set(map(round, ear.gaps("i-1"))) == {every}


@in_quick_time
async def test_what_becomes_urgent_is_asked_within_five_seconds_and_then_as_often():
    ear, pool = Ear(), Pool("i-1", "i-2")
    async with attending(ear, pool):
        await asyncio.sleep(100)
        pool.change("i-1", is_urgent=True)
        began = QuickClock().monotonic()
        await asyncio.sleep(30)
        seen = [moment for moment in ear.asked["i-1"] if moment >= began]
        assert seen[0] - began <= 5.2
        assert all(4.9 <= later - earlier <= 5.5 for earlier, later in pairwise(seen))
        assert len([moment for moment in ear.asked["i-2"] if moment >= began]) <= 1


@in_quick_time
async def test_a_machine_that_is_urgent_from_the_start_is_asked_at_once():
    ear, pool = Ear(), Pool("i-1")
    pool.change("i-1", is_urgent=True)
    async with attending(ear, pool):
        await asyncio.sleep(0.1)
        assert ear.asked == {"i-1": [0.0]}


@in_quick_time
async def test_a_machine_is_not_asked_again_while_its_answer_is_awaited():
    ear, pool = Ear(takes=200), Pool("i-1")
    pool.change("i-1", is_urgent=True)
    async with attending(ear, pool):
        await asyncio.sleep(1000)
    assert all(199.9 <= gap <= 200.5 for gap in ear.gaps("i-1"))


@in_quick_time
async def test_a_bounded_number_of_answers_is_awaited_and_everybody_has_a_turn():
    ear, pool = Ear(takes=30), Pool(*map(machine_id, range(2_500)))
    async with attending(ear, pool):
        await asyncio.sleep(200)
    assert ear.most_at_once == 1000
    assert len(ear.asked) == 2_500


@pytest.mark.parametrize(
    ("activity", "is_asked"),
    [
        (Activity(), False),
        (CODE_SERVER, True),
        (Activity(jupyter=JupyterProbe(port=1)), True),
        (Activity(http=HttpActivityProbe(port=1)), True),
        (Activity(cpu=CpuEvidence()), True),
    ],
)
@in_quick_time
async def test_nothing_is_asked_where_the_pool_names_nothing_to_ask(activity, is_asked):
    ear, pool = Ear(), Pool("i-1", activity=activity)
    async with attending(ear, pool):
        await asyncio.sleep(100)
    assert bool(ear.asked) is is_asked


@in_quick_time
async def test_each_pool_hears_of_its_own_machines_and_one_that_left_hears_nothing():
    ear, one, other = Ear(takes=1), Pool("i-1", name="one"), Pool("i-2", name="other")
    one.change("i-1", is_urgent=True)
    async with attending(ear, one, other) as asking:
        await asyncio.sleep(90)
        assert {heard.machine for heard in one.heard} == {"i-1"}
        assert {heard.machine for heard in other.heard} == {"i-2"}
        ear.news.clear()
        await ear.news.wait()
        assert ear.under_way["i-1"]
        before = len(one.heard)
        asking.leave(one)
        await asyncio.sleep(300)
        assert len(one.heard) == before
        asked = len(ear.asked["i-1"])
        asking.attend(one)
        await asyncio.sleep(10)
        assert len(ear.asked["i-1"]) > asked


@in_quick_time
async def test_a_machine_that_is_no_longer_claimed_is_asked_no_more():
    ear, pool = Ear(), Pool("i-1", "i-2")
    async with attending(ear, pool):
        await asyncio.sleep(100)
        del pool.known["i-1"]
        await asyncio.sleep(6)
        asked = len(ear.asked["i-1"])
        await asyncio.sleep(300)
        assert len(ear.asked["i-1"]) == asked
        assert len(ear.asked["i-2"]) > 5


@in_quick_time
async def test_a_pool_in_trouble_and_signals_in_trouble_hold_up_nobody():
    ear, sick, well = Ear(), Pool("i-1", name="sick"), Pool("i-2", name="well")
    sick.trouble, ear.trouble = RuntimeError("oh"), RuntimeError("no")
    async with attending(ear, sick, well):
        await asyncio.sleep(300)
        assert len(well.heard) >= 3
        assert not sick.heard
        sick.trouble = None
        await asyncio.sleep(300)
        assert len(sick.heard) >= 3


@in_quick_time
async def test_without_a_pool_nothing_happens_until_there_is_one():
    ear, pool = Ear(), Pool("i-1")
    async with attending(ear) as asking:
        asyncio.get_running_loop().call_later(1000, asking.attend, pool)
        await asyncio.sleep(1100)
    assert min(ear.asked["i-1"]) >= 1000
