"""The judge: reads the history of a run and names every promise that was broken. Pure, and without mercy."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from chaos import fences, seats
from chaos.history import History

_ENDS = frozenset({"shutting-down", "terminated"})
_STOPS = frozenset({"stopping", "stopped"})


@dataclass(frozen=True, slots=True)
class Breach:
    """One promise that was broken."""

    law: str
    story: str


def check(history: History) -> tuple[Breach, ...]:
    """Return everything that was broken, in the order of the laws; nothing if every promise was kept."""
    return tuple(Breach(law, story) for law, judge in _LAWS.items() for story in judge(history))


def no_workspace_is_lost(history: History) -> Iterator[str]:
    """Every workspace that a user created exists and is served until the user deletes it, with its files."""
    deleted = {order.name for order in history.orders if order.what == "delete"}
    full = {live.group: live.count >= history.ceilings.get(live.group, 0) for live in history.live}  # the last counts
    last = {state.name: state for state in history.workspaces}
    for order in history.orders:
        if order.what == "read" and order.detail:
            yield f"{order.name} of {order.pool} did not find its file as it was left: {order.detail}"
        if order.what != "create" or order.uid is None or order.name in deleted:
            continue
        found = last.get(order.name)
        if found is None or found.is_gone:
            yield f"{order.name} of {order.pool} was created and is gone; nobody has deleted it"
        elif found.phase in {"Failed", ""} or (found.phase == "Pending" and not full.get(history.pools[order.pool])):
            yield f"{order.name} of {order.pool} was created and is not served: {found}"


def no_used_machine_ends(history: History) -> Iterator[str]:
    """A machine is ended only after it was decided, and never while a user was sure to have it."""
    reaped = {state.name for state in history.machines if state.reap is not None}
    may_stop = reaped | {state.name for state in history.machines if state.is_to_stop}
    told = seats.by_machine(history)
    seen: set[tuple[str, str]] = set()
    for change in history.changes:
        kind = "ended" if change.state in _ENDS else "stopped" if change.state in _STOPS else ""
        if not kind or (change.machine, kind) in seen:
            continue
        if kind == "ended":
            seen.add((change.machine, kind))
        if change.machine not in (reaped if kind == "ended" else may_stop):
            yield f"{change.machine} was {kind} by {change.cause}, and no record says that it should be"
        if kind == "ended":
            users = [seat for seat in told.get(change.machine, ()) if seat.told_at <= change.at < seat.left_at]
            yield from (f"{change.machine} was ended by {change.cause} while {seat.name} had it" for seat in users)


def no_used_machine_is_idle_again(history: History) -> Iterator[str]:
    """The state in which the last claim of a machine is gone is one in which it is to end: it has held files."""
    claimed: dict[str, bool] = {}
    for state in sorted(history.machines, key=lambda state: state.version):
        if claimed.get(state.name) and not state.claims and state.reap is None and not state.is_gone:
            yield f"{state.name} lost its last claim in version {state.version} and is not to end"
        claimed[state.name] = bool(state.claims)


def machines_stay_below_the_ceiling(history: History) -> Iterator[str]:
    """At no moment a group has more live machines than its pool allows."""
    for live in history.live:
        ceiling = history.ceilings.get(live.group)
        if ceiling is not None and live.count > ceiling:
            yield f"{live.count} machines of {live.group} were live at {live.at:.3f}, not {ceiling}: {live.cause}"


def everything_comes_to_rest(history: History) -> Iterator[str]:
    """When the faults have ended, pools have their buffers, users their machines, and nothing is left over."""
    yield from history.left


_LAWS: dict[str, Callable[[History], Iterator[str]]] = {
    "a slot has one holder": seats.slots_are_locks,
    "a seat is told under its claim": seats.told_under_claim,
    "a machine is not reaped under its user": seats.not_reaped_under_user,
    "no workspace is lost": no_workspace_is_lost,
    "no used machine ends": no_used_machine_ends,
    "no used machine is idle again": no_used_machine_is_idle_again,
    "machines stay below the ceiling": machines_stay_below_the_ceiling,
    "every write is guarded": fences.writes_are_guarded,
    "who is fenced writes nothing": fences.fenced_write_nothing,
    "who is fenced calls nothing": fences.fenced_call_nothing,
    "everything comes to rest": everything_comes_to_rest,
}
