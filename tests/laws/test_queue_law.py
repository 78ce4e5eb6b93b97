"""The judge of the queue: who may be served before whom."""

from collections.abc import Iterator

import pytest

from simworld.queueing import QueueLaw
from simworld.world import SimWorld

_WAITED = 200.0  # seconds: everybody knows of everybody


@pytest.fixture
def world() -> Iterator[SimWorld]:
    with SimWorld() as world:
        yield world


class Desk:
    """One pool, and what is stored about it, told to the judge."""

    def __init__(self, world: SimWorld) -> None:
        self.broken: list[str] = []
        self._world = world
        self._law = QueueLaw(world, lambda law, what: self.broken.append(f"{law}: {what}"))
        self.pool()

    def pool(self, *, paused: bool = False) -> None:
        self._law.pool({"metadata": {"name": "desk"}, "spec": {"paused": paused}}, is_gone=False)

    def come(self, name: str) -> None:
        meta = {"name": name, "uid": name, "creationTimestamp": self._world.timeline.moment.isoformat()}
        self._law.workspace({"metadata": meta, "spec": {"pool": "desk"}}, is_gone=False)

    def serve(self, name: str) -> None:
        claims = [{"slot": 0, "workspace": {"uid": name}}]
        self._law.machine({"metadata": {"name": f"i-{name}"}, "spec": {"claims": claims}}, is_gone=False)

    def wait(self, seconds: float = _WAITED) -> None:
        self._world.pass_time(seconds)


@pytest.fixture
def desk(world: SimWorld) -> Desk:
    desk = Desk(world)
    desk.come("first")
    desk.wait(5)
    desk.come("second")
    desk.wait()
    return desk


def test_who_came_first_must_be_served_first(desk: Desk):
    desk.serve("second")
    desk.wait()
    assert len(desk.broken) == 1


def test_the_right_order_is_no_breach(desk: Desk):
    desk.serve("first")
    desk.wait()
    desk.serve("second")
    desk.wait()
    assert not desk.broken


def test_two_claims_of_one_pass_may_arrive_in_any_order(desk: Desk):
    desk.serve("second")
    desk.wait(0.01)
    desk.serve("first")
    desk.wait()
    assert not desk.broken


def test_who_is_served_soon_after_was_passed_over_all_the_same(desk: Desk):
    desk.serve("second")
    desk.wait(10)
    desk.serve("first")
    desk.wait()
    assert len(desk.broken) == 1


def test_nobody_is_judged_while_news_of_a_pool_is_on_its_way(desk: Desk):
    desk.pool(paused=True)
    desk.wait()
    desk.pool(paused=False)
    desk.serve("second")
    desk.wait()
    assert not desk.broken


def test_a_pool_whose_news_is_old_is_judged(desk: Desk):
    desk.pool(paused=True)
    desk.wait()
    desk.pool(paused=False)
    desk.wait()
    desk.serve("second")
    desk.wait()
    assert len(desk.broken) == 1


def test_a_pool_that_is_written_again_as_it_was_is_no_news(desk: Desk):
    desk.pool()
    desk.serve("second")
    desk.wait()
    assert len(desk.broken) == 1
