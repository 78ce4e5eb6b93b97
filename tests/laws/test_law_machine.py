"""The short run of the law machine; `make soak` is the long one."""

import pytest

from laws.machine import LawMachine
from laws.running import run

pytestmark = pytest.mark.laws
_WORLDS = 4
_STEPS = 40


class _Told(LawMachine):
    """Keeps what was told of every world."""

    stories: list[str] = []  # noqa: RUF012  # Hypothesis makes the machines; they have only their class in common

    def teardown(self) -> None:
        super().teardown()
        if self.world is not None:
            self.stories.append(self.world.trace.told())


@pytest.mark.parametrize("number", range(1, 7))
def test_no_law_is_broken_whatever_happens(number: int):
    run(number, steps=_STEPS, worlds=_WORLDS)


def test_the_same_seed_tells_the_same_story_twice():
    told = []
    for _ in range(2):
        _Told.stories = []
        run(7, steps=15, worlds=3, machine=_Told)
        told.append(_Told.stories)
    assert told[0] == told[1]
    assert sum(story.count("\n") for story in told[0]) > 200, "too little happened to compare"
