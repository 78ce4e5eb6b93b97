"""Judge a run again: `python -m chaos.judge FOLDER`."""

import pickle
import sys
from pathlib import Path

from chaos.checker import check
from chaos.report import report

if __name__ == "__main__":
    history = pickle.loads(Path(sys.argv[1], "history.pickle").read_bytes())  # noqa: S301  # written by `make chaos`
    for line in report(history, check(history)):
        sys.stdout.write(f"{line}\n")
