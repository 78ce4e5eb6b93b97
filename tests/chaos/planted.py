"""An operator with a bug of `laws.planted`, which the judge must find: `python -m chaos.planted NAME`."""

import sys

from hotdesk.main import run
from laws.planted import BUGS

if __name__ == "__main__":
    bug = next(bug for bug in BUGS if bug.name == sys.argv[1])
    with bug.planted():
        run()
