"""`make chaos`: faults on the real stack for some minutes, then the verdict; exit 1 if a promise was broken."""

import os
import pickle
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from chaos.checker import check
from chaos.clocks import missing
from chaos.faults import ANYWHERE
from chaos.nets import go_inside, is_inside
from chaos.rare_faults import CLOCKED, INSIDE
from chaos.report import report
from chaos.run import Plan, run


def main() -> int:
    """Run as the environment says: CHAOS_SEED, CHAOS_MINUTES, CHAOS_FAULTS (names, parted by commas), CHAOS_BUG.

    CHAOS_WITHOUT names what is left out knowingly: `namespaces`, `clocks`.
    """
    without = os.environ.get("CHAOS_WITHOUT", "").split(",")
    problems = [] if "namespaces" in without or is_inside() else [go_inside(["-m", "chaos"])]
    problems += [missing()] if "clocks" not in without and missing() else []
    if problems:
        return _refuse(problems)
    seed = int(os.environ.get("CHAOS_SEED", "1"))
    seconds = 60 * float(os.environ.get("CHAOS_MINUTES", "10"))
    wanted = os.environ.get("CHAOS_FAULTS")
    faults = ANYWHERE | (INSIDE if is_inside() else {}) | ({} if "clocks" in without else CLOCKED)
    faults = faults if not wanted else {name: faults[name] for name in wanted.split(",")}
    folder = Path(tempfile.mkdtemp(prefix="hotdesk-chaos-"))
    say(f"seed {seed}, everything in {folder}")
    plan = Plan(
        seed=seed,
        seconds=seconds,
        faults=faults,
        say=say,
        isolated=is_inside(),
        clocked="clocks" not in without,
        bug=os.environ.get("CHAOS_BUG", ""),
    )
    history = run(plan, folder)
    (folder / "history.pickle").write_bytes(pickle.dumps(history))
    breaches = check(history)
    for line in report(history, breaches):
        say(line)
    return 1 if breaches else 0


def _refuse(problems: Sequence[str]) -> int:
    for problem in problems:
        say(f"missing: {problem}")
    say("To run without these faults, say so: CHAOS_WITHOUT=namespaces,clocks make chaos")
    return 2


def say(text: str) -> None:
    """Tell a person at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
