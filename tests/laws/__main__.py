"""The soak: the law machine on random seeds for so long. `python -m laws [--minutes N] [--seed S] [--steps K]`."""

import argparse
import os
import secrets
import sys
import time

from laws.running import Tally, run


def main() -> int:
    """Run until the time is over or a law is broken; the seed that broke it is printed."""
    asked = _arguments()
    until = time.monotonic() + 60 * asked.minutes
    tally = Tally()
    while True:
        number = asked.seed if asked.seed is not None else secrets.randbelow(2**32)
        _say(f"seed {number}")
        try:
            run(number, steps=asked.steps, shrink=asked.shrink, tally=tally)
        except BaseException as error:  # noqa: BLE001  # a group of failures, or one
            _say(str(tally))
            sys.stdout.write("\n".join([str(error), *_notes(error), _replay(number, asked.steps)]) + "\n")
            return 1
        if asked.seed is not None or time.monotonic() > until:
            _say(f"{tally}, {time.process_time():.0f} s of CPU: no law was broken")
            return 0


def _replay(number: int, steps: int) -> str:
    return f"To see it again: PYTHONPATH=tests python -m laws --seed {number} --steps {steps}"


def _notes(error: BaseException) -> list[str]:
    return [str(note) for note in getattr(error, "__notes__", ())]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="laws", description=__doc__)
    parser.add_argument("--minutes", type=float, default=float(os.environ.get("SOAK_MINUTES", "30")))
    parser.add_argument("--seed", type=int, help="run the worlds of this seed alone")
    parser.add_argument("--steps", type=int, default=40, help="what happens in each world at most")
    parser.add_argument("--shrink", action="store_true", help="look for a shorter story when a law is broken")
    return parser.parse_args()


def _say(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
