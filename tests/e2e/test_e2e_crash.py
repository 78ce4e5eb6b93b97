"""The operator is killed at any moment of a burst, and started again: everything is as if nothing had happened."""

import random
import threading
import time

import pytest

from e2e import laws
from e2e.stage import PACE

pytestmark = pytest.mark.stack

WORKSPACES = 100
LEAVING = 10
"""Workspaces that are created with the others and deleted while the operator is away, or not."""
_SEEDS = [*range(10), *(pytest.param(seed, marks=pytest.mark.laws) for seed in range(10, 20))]


@pytest.mark.parametrize("seed", _SEEDS)
def test_burst_is_served_whenever_the_operator_is_killed(scene, seed):
    chance = random.Random(seed)  # noqa: S311  # seeded, so that a failure can be repeated
    slots = 1 if seed % 10 == 0 else chance.choice((2, 4, 10))
    idle = chance.choice((0, 5, 10))
    ceiling = -(-WORKSPACES // slots) + -(-idle // slots) + chance.choice((0, 3))
    pool = scene.pool(slots=slots, idle=idle, max_machines=ceiling)
    if chance.random() < 0.5:
        pool.wait_idle(-(-idle // slots) * slots)
    burst = _Burst(pool, chance)
    burst.start()
    for _ in range(chance.choice((1, 1, 1, 2))):
        time.sleep(chance.uniform(0, 2))  # when to crash, not a wait for anything
        scene.stack.kill_operator()
        scene.stack.start_operator(extra_env=PACE)
    burst.join()
    assert not burst.failed, burst.failed
    pool.wait_bound(*burst.staying)
    laws.is_at_rest(pool, idle=idle, spare=LEAVING + slots)
    laws.live_machines_stay_within(pool, ceiling)


class _Burst(threading.Thread):
    """Creates all workspaces as fast as it can, and deletes the leaving ones at any time after."""

    def __init__(self, pool, chance) -> None:
        super().__init__(name="burst", daemon=True)
        self.pool = pool
        self.staying = [f"stays-{number}" for number in range(WORKSPACES)]
        self.failed: Exception | None = None
        leaving = [f"leaves-{number}" for number in range(LEAVING)]
        everyone = [*self.staying, *leaving]
        chance.shuffle(everyone)
        self.steps = [(self.pool.create, name) for name in everyone]
        for name in leaving:
            after = self.steps.index((self.pool.create, name)) + 1
            self.steps.insert(chance.randrange(after, len(self.steps) + 1), (self.pool.delete, name))

    def run(self) -> None:
        try:
            for act, name in self.steps:
                act(name)
        except Exception as error:  # noqa: BLE001  # shown by the test, which waits for this thread
            self.failed = error
