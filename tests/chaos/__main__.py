"""`make chaos`: faults on the real stack for some minutes, then the verdict; exit 1 if a promise was broken."""

import os
import pickle
import sys
import tempfile
from pathlib import Path

from chaos.checker import check
from chaos.faults import ANYWHERE
from chaos.report import report
from chaos.run import Plan, run


def main() -> int:
    """Run as the environment says: CHAOS_SEED, CHAOS_MINUTES, CHAOS_FAULTS (names, parted by commas)."""
    seed = int(os.environ.get("CHAOS_SEED", "1"))
    seconds = 60 * float(os.environ.get("CHAOS_MINUTES", "10"))
    wanted = os.environ.get("CHAOS_FAULTS")
    faults = ANYWHERE if not wanted else {name: ANYWHERE[name] for name in wanted.split(",")}
    folder = Path(tempfile.mkdtemp(prefix="hotdesk-chaos-"))
    say(f"seed {seed}, everything in {folder}")
    history = run(Plan(seed=seed, seconds=seconds, faults=faults, say=say), folder)
    (folder / "history.pickle").write_bytes(pickle.dumps(history))
    breaches = check(history)
    for line in report(history, breaches):
        say(line)
    return 1 if breaches else 0


def say(text: str) -> None:
    """Tell a person at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
