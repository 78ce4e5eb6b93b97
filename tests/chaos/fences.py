"""Whether a replica that has lost its Lease, or a pool's, has still written: by credential, in the store's order."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from chaos.history import Deed, History, LeaseSeen, Write

KINDS = frozenset({"machines", "workspaces", "machinepools"})
ON_ITS_WAY = 60.0
"""Seconds for which what was sent before a cut, or to a server that stood still, may still arrive."""
_READS = ("Describe", "Get", "List", "Head", "Receive")


@dataclass(frozen=True, slots=True)
class Life:
    """One Lease of a replica, from the write by which a process took it to the state that took it away."""

    process: str
    identity: str
    begins: int
    ends: float
    ends_at: float


def writes_are_guarded(history: History) -> Iterator[str]:
    """Every change of an object carries the version that was read."""
    for write in _of_operators(history):
        if write.verb in {"patch", "update", "delete"} and write.is_done and write.guard is None:
            yield f"{write.process} has changed {write.kind} {write.name} without the version it had read"


def fenced_write_nothing(history: History) -> Iterator[str]:
    """Who does not hold a pool's Lease changes nothing of the pool: it writes nothing, or loses its compare-and-swap.

    What was sent in time and held up on its way may arrive: the compare-and-swap alone guards against it.
    """
    lives, holders = lives_of(history), _Holders(history.leases)
    for write in _of_operators(history):
        if not write.is_done or write.pool is None or write.version is None:
            continue
        holder = holders.at(write.pool, write.version)
        mine = {life.identity for life in lives.get(write.process, ()) if life.begins <= write.version <= life.ends}
        if holder not in mine and not (write.guard is not None and _was_held_up(history, write.process, write.began)):
            yield f"{write.process} has written {write.kind} {write.name} ({write}), while {holder!r} has the pool"


def fenced_call_nothing(history: History) -> Iterator[str]:
    """Who has lost its Lease as a replica changes nothing in AWS until it has joined anew."""
    lives = lives_of(history)
    for call in history.calls:
        mine = lives.get(call.process)
        if mine is None or call.action.startswith(_READS):
            continue
        current = [life for life in mine if life.ends_at > call.at]
        if not current and not _was_held_up(history, call.process, call.at):
            yield f"{call.process} has called {call.action} for {call.group} after its Lease was gone"


def late_writes(history: History) -> Mapping[str, int]:
    """Return how many writes of fenced processes reached the API server, by its answer."""
    lives, holders, pools = lives_of(history), _Holders(history.leases), _pools(history)
    found: dict[str, int] = defaultdict(int)
    for write in _of_operators(history):
        pool, version = write.pool or pools.get(write.name), write.version or holders.version_at(write.began)
        if pool is None:
            continue
        mine = {life.identity for life in lives.get(write.process, ()) if life.begins <= version <= life.ends}
        if holders.at(pool, version) not in mine:
            found[str(write.code)] += 1
    return found


def lives_of(history: History) -> Mapping[str, Sequence[Life]]:
    """Return what each process held as a replica, in order."""
    found: dict[str, list[Life]] = defaultdict(list)
    by_lease: dict[str, list[LeaseSeen]] = defaultdict(list)
    for state in sorted(history.leases, key=lambda state: state.version):
        by_lease[state.name].append(state)
    writers = {
        (write.name, write.version): write.process
        for write in history.writes
        if write.kind == "leases" and write.is_done and write.version is not None
    }
    for name, states in by_lease.items():
        if name.startswith("replica-"):
            for process, life in _lives(name, states, writers):
                found[process].append(life)
    return found


def _lives(
    name: str, states: Sequence[LeaseSeen], writers: Mapping[tuple[str, int | None], str]
) -> Iterator[tuple[str, Life]]:
    """A life begins with another holder or another Lease, and ends with the next or when the Lease is gone."""
    current: tuple[str, LeaseSeen] | None = None
    for state in states:
        if current is not None:
            process, first = current
            is_other = bool(state.holder) and state.holder != first.holder
            if state.is_gone or state.uid != first.uid or is_other:
                yield process, _life(name, process, first, ends=state.version, at=state.at)
                current = None
        if current is None and not state.is_gone and state.holder:
            process = writers.get((name, state.version), "")
            current = process, state
    if current is not None:
        yield current[0], _life(name, current[0], current[1], ends=float("inf"), at=float("inf"))


def _life(name: str, process: str, first: LeaseSeen, *, ends: float, at: float) -> Life:
    identity = f"{name.removeprefix('replica-')}_{first.uid}"
    return Life(process=process, identity=identity, begins=first.version, ends=ends, ends_at=at)


class _Holders:
    """Who held a pool's Lease at a version."""

    def __init__(self, leases: Sequence[LeaseSeen]) -> None:
        self._states: dict[str, list[tuple[int, str]]] = defaultdict(list)
        self._times = sorted((state.at, state.version) for state in leases)
        for state in sorted(leases, key=lambda state: state.version):
            if state.name.startswith("pool-"):
                holder = "" if state.is_gone else state.holder
                self._states[state.name.removeprefix("pool-")].append((state.version, holder))

    def at(self, pool: str, version: float) -> str:
        """Return the holder; "" for nobody."""
        states = self._states[pool]
        place = bisect_right(states, (version, "\uffff")) - 1
        return states[place][1] if place >= 0 else ""

    def version_at(self, moment: float) -> int:
        """Return the version of the last state of any Lease that was seen by then."""
        place = bisect_right(self._times, (moment, 1 << 62)) - 1
        return self._times[place][1] if place >= 0 else 0


def _of_operators(history: History) -> Iterator[Write]:
    operators = {deed.process for deed in history.deeds if deed.what == "start"}
    for write in history.writes:
        if write.process in operators and write.kind.partition("/")[0] in KINDS:
            yield write


def _pools(history: History) -> dict[str, str]:
    return {state.name: state.pool for state in (*history.machines, *history.workspaces)} | {
        p: p for p in history.pools
    }


def _was_held_up(history: History, process: str, at: float) -> bool:
    """Tell whether something stood between this process and the servers not long before."""
    return any(_holds_up(deed, process) and at - ON_ITS_WAY <= deed.at <= at for deed in history.deeds)


def _holds_up(deed: Deed, process: str) -> bool:
    return deed.what in {"cut", "mend", "slow"} and deed.process in {"", process}
