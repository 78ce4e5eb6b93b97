"""The soak: both law machines by turns, on random seeds. `python -m laws [--minutes N] [--of NAME] [--seed S]`."""

import argparse
import os
import secrets
import sys
import time
from itertools import cycle

from laws.life_machine import LifeMachine
from laws.machine import LawMachine
from laws.running import Tally, run

_MACHINES = {"claims": LawMachine, "life": LifeMachine}


def main() -> int:
    """Run until the time is over or a law is broken; the seed that broke it is printed."""
    asked = _arguments()
    until = time.monotonic() + 60 * asked.minutes
    names = [asked.of] if asked.of else list(_MACHINES)
    tallies = {name: Tally() for name in names}
    for name in cycle(names):
        number = asked.seed if asked.seed is not None else secrets.randbelow(2**32)
        _say(f"{name}, seed {number}")
        try:
            run(number, steps=asked.steps, shrink=asked.shrink, tally=tallies[name], machine=_MACHINES[name])
        except BaseException as error:  # noqa: BLE001  # a group of failures, or one
            _say_all(tallies)
            sys.stdout.write("\n".join([str(error), *_notes(error), _replay(name, number, asked.steps)]) + "\n")
            return 1
        is_last = name == names[-1]
        if is_last and (asked.seed is not None or time.monotonic() > until):
            break
    _say_all(tallies)
    _say(f"{time.process_time():.0f} s of CPU: no law was broken")
    return 0


def _say_all(tallies: dict[str, Tally]) -> None:
    for name, tally in tallies.items():
        _say(f"{name}: {tally}")


def _replay(name: str, number: int, steps: int) -> str:
    return f"To see it again: PYTHONPATH=tests python -m laws --of {name} --seed {number} --steps {steps}"


def _notes(error: BaseException) -> list[str]:
    return [str(note) for note in getattr(error, "__notes__", ())]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="laws", description=__doc__)
    parser.add_argument("--minutes", type=float, default=float(os.environ.get("SOAK_MINUTES", "30")))
    parser.add_argument("--of", choices=_MACHINES, help="run one machine alone: what claims are, or what comes after")
    parser.add_argument("--seed", type=int, help="run the worlds of this seed alone")
    parser.add_argument("--steps", type=int, default=40, help="what happens in each world at most")
    parser.add_argument("--shrink", action="store_true", help="look for a shorter story when a law is broken")
    return parser.parse_args()


def _say(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
