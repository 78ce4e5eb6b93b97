"""The one place where tests poll: wait for a condition, with a deadline, and say what was seen last."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
_PAUSE = 0.05


def wait_for(condition: Callable[[], T], *, what: str, within: float = 30.0) -> T:
    """Return the first truthy value of `condition`; fail after `within` seconds with the last value seen.

    An AssertionError raised by `condition` counts as "not yet" and is shown at the end.
    """
    deadline = time.monotonic() + within
    last: object
    while True:
        try:
            if value := condition():
                return value
            last = value
        except AssertionError as error:
            last = error
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within:g} s: {what}; last seen: {last!r}")
        time.sleep(_PAUSE)
