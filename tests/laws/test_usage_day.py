"""The ledger against what really ran, on the real actors and adapters: restarts, lost answers, wrong clocks."""

import pytest

from laws.day import DAY, Day
from simworld.world import SimWorld

_HOUR = 3600.0


def _judged(seed: int, *, length: float, restarts: int, clocks: bool) -> Day:
    """Tell a day, and assert that the ledger holds each run once, within a second, and that workspaces know it."""
    with SimWorld(seed=seed, shares=False, keeps_books=True) as world:
        day = Day(world, length=length, restarts=restarts, clocks=clocks)
        day.run()
        usage = day.witness.usage
        wrong = [*usage.at_rest(), *usage.off()]
        assert not wrong, "\n".join(wrong)
        return day


@pytest.mark.parametrize("clocks", [False, True], ids=["clocks right", "clocks step"])
def test_some_hours_are_on_record_within_a_second_and_once(clocks: bool):  # noqa: FBT001
    day = _judged(2, length=2 * _HOUR, restarts=12, clocks=clocks)
    assert day.restarts >= 8
    assert len(day.witness.usage.recorded()) >= 5, "too little ran to compare"


@pytest.mark.laws
@pytest.mark.parametrize("clocks", [False, True], ids=["clocks right", "clocks step"])
@pytest.mark.parametrize("seed", [1, 2])
def test_a_day_with_fifty_restarts_is_on_record_within_a_second_and_once(seed: int, clocks: bool):  # noqa: FBT001
    day = _judged(seed, length=DAY, restarts=60, clocks=clocks)
    assert day.restarts >= 50
    assert len(day.witness.usage.recorded()) >= 50, "too little ran to compare"
