"""Ends what tests have started once their runner is gone, however it went: `guard.py FOLDER`, its input held open.

Programs of a local stack outlive whoever starts them, on purpose. A test run that is killed must not leave them.
"""

import sys
from contextlib import suppress
from pathlib import Path

from hotdesk_local.errors import LocalStackError
from hotdesk_local.state import State


def main() -> None:
    """Wait for the end of the input, then end every process recorded in a stack's folder below FOLDER."""
    sys.stdin.read()
    for depth in ("*", "*/*"):
        for record in Path(sys.argv[1]).glob(f"{depth}/state.json"):
            # A test wrote it on purpose so that it cannot be read; the others still count.
            with suppress(LocalStackError):
                State(record.parent).end_all()


if __name__ == "__main__":
    main()
