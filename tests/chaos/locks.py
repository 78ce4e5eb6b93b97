"""Whether takings and lettings-go of one lock can be put in an order: the linearizability of a mutex."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class Hold:
    """One holding of a lock: it was taken within the first two moments, and let go within the last two."""

    holder: str
    asked: float
    told: float
    letting_go: float = float("inf")
    gone: float = float("inf")


def clash(holds: Iterable[Hold]) -> tuple[Hold, Hold] | None:
    """Return two holds that no order can part, or None if there is an order in which each had the lock alone.

    Who was told first must have had it first: otherwise the other would have let go before it was told. So one order
    is possible at most, and taking every moment as early as it can be decides whether it is.
    """
    ordered = sorted(holds, key=lambda hold: (hold.told, hold.letting_go))
    now = float("-inf")
    for before, after in pairwise([None, *ordered]):
        assert after is not None
        taken = max(now, after.asked)
        if taken > after.told:
            return before or after, after
        now = max(taken, after.letting_go)
        if now > after.gone:
            return before or after, after
    return None
