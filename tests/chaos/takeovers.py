"""How long pools waited for their next claim when their replica was taken from them, and whether others noticed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from chaos.history import Deed, History, LeaseSeen

_PLANNED = frozenset({"end"})
_SUDDEN = frozenset({"kill", "pause"})
_MEASURED = frozenset({"kill", "pause", "hand over", ""})
"""Faults that leave a replica away for long enough."""
_AFFECTED = 8.0
"""Seconds after such a deed in which claims of other replicas' pools are compared with those of calm times."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """One workspace's wait, from its user's request to the machine."""

    pool: str
    asked: float
    told: float

    @property
    def took(self) -> float:
        """Seconds."""
        return self.told - self.asked


@dataclass(frozen=True, slots=True)
class Takeover:
    """What a deed cost the pools of the replica that it was done to, and the others."""

    deed: Deed
    waited: dict[str, float]
    """Pool of that replica -> seconds from the deed to the next machine told to a workspace asked for after it."""
    others: tuple[float, ...]
    """How long claims took that were asked for meanwhile on pools of other replicas, in seconds."""

    @property
    def is_planned(self) -> bool:
        """Whether the replica was told to end."""
        return self.deed.what in _PLANNED


def takeovers(history: History) -> Iterator[Takeover]:
    """Measure every deed that took pools from a replica while nothing else was wrong."""
    claimed, fault = claims(history), ""
    for deed in history.deeds:
        fault = deed.whom if deed.what == "begin" else fault
        if deed.what not in _PLANNED | _SUDDEN or fault not in _MEASURED:
            continue
        owned = _owned(history.leases, deed.whom, at=deed.at) & history.probed
        others = history.probed - owned
        after = [claim for claim in claimed if claim.asked >= deed.at]
        waited = {
            pool: min((c.told for c in after if c.pool == pool), default=float("inf")) - deed.at for pool in owned
        }
        meanwhile = [c.took for c in after if c.pool in others and c.asked < deed.at + _AFFECTED]
        yield Takeover(deed, waited, tuple(meanwhile))


def calm(history: History) -> Sequence[float]:
    """Return how long claims took that were asked for and told while nothing was wrong."""
    spans = [
        (b.at, o.at) for b, o in pairwise(d for d in history.deeds if d.what in {"begin", "over"}) if b.what == "begin"
    ]
    return [
        claim.took
        for claim in claims(history)
        if not any(begins < claim.told and claim.asked < ends for begins, ends in spans)
    ]


def claims(history: History) -> list[Claimed]:
    """Return how long every workspace of a probed pool waited for its first machine, in the order of asking."""
    asked = {o.name: o for o in history.orders if o.what == "create" and o.pool in history.probed}
    found: dict[str, Claimed] = {}
    for state in history.workspaces:
        order = asked.get(state.name)
        if state.seat is not None and order is not None and state.name not in found:
            found[state.name] = Claimed(state.pool, order.began, state.at)
    return sorted(found.values(), key=lambda claim: claim.asked)


def _owned(leases: Sequence[LeaseSeen], replica: str, *, at: float) -> set[str]:
    latest = {state.name: state for state in leases if state.at <= at and state.name.startswith(("pool-", "replica-"))}
    mine = latest.get(f"replica-{replica}")
    if mine is None or mine.is_gone:
        return set()
    identity = f"{replica}_{mine.uid}"
    return {
        state.name.removeprefix("pool-")
        for state in latest.values()
        if state.name.startswith("pool-") and state.holder == identity and not state.is_gone
    }
