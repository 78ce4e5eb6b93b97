"""Tells the stories of one seed in full: `python -m laws.telling SEED WORLDS STEPS`."""

import sys

from laws.machine import LawMachine
from laws.running import run


class _Told(LawMachine):
    """Tells of its world when it ends."""

    def teardown(self) -> None:
        try:
            super().teardown()
        finally:
            if self.world is not None:
                sys.stdout.write(self.world.trace.told() + "\n\n")


if __name__ == "__main__":
    seed, worlds, steps = map(int, sys.argv[1:])
    run(seed, steps=steps, worlds=worlds, machine=_Told)
