"""Which replica owns which pool: evenly spread, moved one at a time, taken over when a replica is gone."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Terms:
    """The times that all replicas of a version share; they are a protocol and no setting.

    `deadline` must be well below `lease`: between the two a replica that cannot renew has fallen silent, and nobody
    has taken its pools yet.
    """

    lease: timedelta = timedelta(seconds=6)  # without a change of its Lease, until a replica is taken for dead
    deadline: timedelta = timedelta(seconds=4)  # from the start of its last good renewal, until a replica acts no more
    renew: timedelta = timedelta(seconds=1.5)  # between two renewals
    attempt: timedelta = timedelta(seconds=1)  # for one try of a renewal
    settle: timedelta = timedelta(seconds=5)  # until pools are moved to a replica that has just come
    patience: timedelta = timedelta(seconds=3)  # until a pool is taken that another replica should have taken
    calm: timedelta = timedelta(seconds=60)  # after that, until pools are moved again


@dataclass(frozen=True, slots=True)
class Peer:
    """A replica that has a Lease, as this one sees it; times are this one's own monotonic seconds."""

    identity: str
    joined_at: float  # first seen
    changed_at: float  # its Lease was last seen to change
    is_leaving: bool = False  # it takes nothing any more and gives back what it has


@dataclass(frozen=True, slots=True)
class View:
    """What one replica knows, which may be old."""

    me: str
    pools: frozenset[str]  # that somebody names
    holders: Mapping[str, str]  # pool -> who holds its Lease, "" for nobody; one without a Lease is absent
    peers: Mapping[str, Peer]  # by identity, this replica included
    free_since: Mapping[str, float] = field(default_factory=dict)  # pools without a holder that has a Lease
    busy: frozenset[str] = frozenset()  # pools of this replica with work under way
    rescued_at: float = float("-inf")  # when it last took what another should have taken


@dataclass(frozen=True, slots=True)
class Acquire:
    """Take a pool that nobody holds."""

    pool: str
    is_rescue: bool = False  # another replica should have taken it long ago


@dataclass(frozen=True, slots=True)
class Release:
    """Give a pool to whoever has fewer."""

    pool: str


@dataclass(frozen=True, slots=True)
class Discard:
    """Delete the Lease of a pool that nobody names any more."""

    pool: str


@dataclass(frozen=True, slots=True)
class Depose:
    """Delete the Lease of a replica that is taken for dead: after that it cannot renew, and its pools are free."""

    identity: str


Decision = Acquire | Release | Discard | Depose


def plan(view: View, terms: Terms, *, now: float) -> tuple[Decision, ...]:
    """Return what this replica shall do about Leases; from the same view all replicas deal the pools alike."""
    me = view.peers.get(view.me)
    if me is None or me.is_leaving:
        return ()
    return tuple(_decisions(view, terms, now))


def is_expired(peer: Peer, terms: Terms, *, now: float) -> bool:
    """Tell whether a replica has shown no sign of life for so long that it is taken for dead."""
    return now - peer.changed_at >= terms.lease.total_seconds()


def next_change(view: View, terms: Terms, *, now: float) -> float:
    """Return in how many seconds something may be to do although no news came."""
    peers = view.peers.values()
    moments = [peer.changed_at + terms.lease.total_seconds() for peer in peers if peer.identity != view.me]
    moments += [peer.joined_at + terms.settle.total_seconds() for peer in peers]
    moments += [since + _patience(view, terms) for since in view.free_since.values()]
    moments += [view.rescued_at + terms.calm.total_seconds()]
    return min((moment - now for moment in moments if moment > now), default=terms.calm.total_seconds())


def _decisions(view: View, terms: Terms, now: float) -> Iterator[Decision]:
    dead = [p.identity for p in view.peers.values() if p.identity != view.me and is_expired(p, terms, now=now)]
    yield from (Depose(identity=identity) for identity in sorted(dead))
    yield from _discards(view)
    counts = _counts(view, without=dead)
    shares = _shares(counts, total=len(view.pools))
    free = sorted(pool for pool in view.pools if view.holders.get(pool, "") not in view.peers)
    dealt = _dealt(free, counts, shares)
    for pool in free:
        is_late = now - view.free_since.get(pool, now) >= _patience(view, terms)
        if dealt[pool] == view.me or is_late:
            yield Acquire(pool=pool, is_rescue=dealt[pool] != view.me)
    is_quiet = not free and len(counts) == len(view.peers)
    if is_quiet and counts[view.me] > shares[view.me] and _is_settled(view, terms, now):
        mine = (pool for pool, holder in view.holders.items() if holder == view.me and pool in view.pools)
        yield Release(pool=min(mine, key=lambda pool: (pool in view.busy, pool)))


def _discards(view: View) -> Iterator[Decision]:
    """Return the Leases that the owner of a vanished pool, or where it has none the first replica, tidies away."""
    is_first = view.me == min(view.peers)
    for pool, holder in view.holders.items():
        if pool not in view.pools and (holder == view.me or (is_first and holder not in view.peers)):
            yield Discard(pool=pool)


def _counts(view: View, *, without: list[str]) -> dict[str, int]:
    """Return how many pools each replica holds that is to have a share."""
    counts = {p.identity: 0 for p in view.peers.values() if not p.is_leaving and p.identity not in without}
    for pool, holder in view.holders.items():
        if holder in counts and pool in view.pools:
            counts[holder] += 1
    return counts


def _shares(counts: Mapping[str, int], *, total: int) -> dict[str, int]:
    """Return how many pools each shall hold; who has most keeps the odd ones, so that least is moved."""
    least, odd = divmod(total, len(counts))
    ranked = sorted(counts, key=lambda identity: (-counts[identity], identity))
    return {identity: least + (rank < odd) for rank, identity in enumerate(ranked)}


def _dealt(free: list[str], counts: Mapping[str, int], shares: Mapping[str, int]) -> dict[str, str]:
    """Deal free pools, each to whoever lacks most."""
    lacks = {identity: shares[identity] - counts[identity] for identity in counts}
    dealt = {}
    for pool in free:
        taker = min(lacks, key=lambda identity: (-lacks[identity], identity))
        lacks[taker] -= 1
        dealt[pool] = taker
    return dealt


def _is_settled(view: View, terms: Terms, now: float) -> bool:
    """Tell whether pools may be moved: nobody has just come, and nobody leaves pools lying that were dealt to it."""
    newest = max(peer.joined_at for peer in view.peers.values())
    is_calm = now - view.rescued_at >= terms.calm.total_seconds()
    return is_calm and now - newest >= terms.settle.total_seconds()


def _patience(view: View, terms: Terms) -> float:
    """Return how long this replica leaves a free pool to the one it was dealt to; each waits longer than the last."""
    rank = sorted(view.peers).index(view.me) if view.me in view.peers else len(view.peers)
    return terms.patience.total_seconds() * (1 + rank)
