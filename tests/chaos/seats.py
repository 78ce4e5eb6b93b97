"""Who was told to have which slot, and when: by users' clocks, and by the store's versions."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from chaos.history import History, Slot, WorkspaceSeen
from chaos.locks import Hold, clash

NEVER = float("inf")


@dataclass(frozen=True, slots=True)
class Seat:
    """One stretch in which a workspace was told that a slot is its own."""

    uid: str
    name: str
    slot: Slot
    begins: int
    """Version of the state that told it."""
    ends: float
    """Version of the state that told otherwise."""
    asked_at: float
    told_at: float
    left_at: float
    """From here on the user has no right to it any more: it was asked to be deleted, or told otherwise."""
    gone_at: float


class _Claim(NamedTuple):
    uid: str
    begins: int
    ends: float
    was_lost: bool
    """Its machine was: AWS had ended it."""


def of(history: History) -> list[Seat]:
    """Return every seat, in the order in which they were told."""
    asked = {order.name: order.began for order in history.orders if order.what == "create"}
    left = {order.name: order.began for order in history.orders if order.what == "delete"}
    found: list[Seat] = []
    for states in _by_uid(history).values():
        found += _seats(states, asked=asked.get(states[0].name, float("-inf")), left=left.get(states[0].name, NEVER))
    return sorted(found, key=lambda seat: seat.begins)


def by_machine(history: History) -> Mapping[str, Sequence[Seat]]:
    """Return the seats of each machine."""
    found: dict[str, list[Seat]] = defaultdict(list)
    for seat in of(history):
        found[seat.slot[0]].append(seat)
    return found


def slots_are_locks(history: History) -> Iterator[str]:
    """Each slot is a lock: its holders can be put in an order, by what users saw and by the store's versions."""
    by_slot: dict[Slot, list[Seat]] = defaultdict(list)
    for seat in of(history):
        by_slot[seat.slot].append(seat)
    for (machine, slot), seats in by_slot.items():
        for before, after in pairwise(seats):
            if after.begins < before.ends:
                yield f"slot {slot} of {machine} was told to {after.name} while {before.name} had it"
        pair = clash(Hold(s.name, s.asked_at, s.told_at, s.left_at, s.gone_at) for s in seats)
        if pair is not None:
            yield f"slot {slot} of {machine} was with {pair[0].holder} and {pair[1].holder} at once, as they saw it"


def told_under_claim(history: History) -> Iterator[str]:
    """A seat is told only while the Machine's claim names the workspace, and no claim goes under a seat."""
    claims = _claims(history)
    for seat in of(history):
        held = [c for c in claims.get(seat.slot, ()) if c.uid == seat.uid and c.begins <= seat.begins < c.ends]
        if not held:
            yield f"{seat.name} was told {seat.slot} in version {seat.begins}, which it had not claimed"
        elif held[0].ends < seat.ends and not held[0].was_lost:
            yield f"the claim of {seat.name} on {seat.slot} went in version {held[0].ends:.0f}, under its user"


def not_reaped_under_user(history: History) -> Iterator[str]:
    """That a machine ends is decided only when nobody is told to have it, unless AWS had lost it before."""
    first: dict[str, tuple[int, str]] = {}
    for state in history.machines:
        if state.reap is not None:
            first.setdefault(state.name, (state.version, state.reap))
    for seat in of(history):
        version, reason = first.get(seat.slot[0], (0, "Lost"))
        if reason != "Lost" and seat.begins < version < seat.ends:
            yield f"{seat.slot[0]} was reaped ({reason}) in version {version} while {seat.name} had it"


def _seats(states: Sequence[WorkspaceSeen], *, asked: float, left: float) -> Iterator[Seat]:
    first: WorkspaceSeen | None = None
    before = asked
    for state in states:
        if first is not None and state.seat != first.seat:
            # Without a wish of its user a seat may have ended at any time since it was told.
            letting_go = min(left, state.at) if left <= state.at else first.at
            yield _seat(first, asked=before, ends=state.version, left=letting_go, gone=state.at)
            first, before = None, first.at
        if first is None and state.seat is not None:
            first = state
    if first is not None:
        yield _seat(first, asked=before, ends=NEVER, left=left, gone=NEVER)


def _seat(first: WorkspaceSeen, *, asked: float, ends: float, left: float, gone: float) -> Seat:
    assert first.seat is not None
    return Seat(
        uid=first.uid,
        name=first.name,
        slot=first.seat,
        begins=first.version,
        ends=ends,
        asked_at=asked,
        told_at=first.at,
        left_at=max(left, first.at),
        gone_at=gone,
    )


def _by_uid(history: History) -> Mapping[str, Sequence[WorkspaceSeen]]:
    found: dict[str, list[WorkspaceSeen]] = defaultdict(list)
    for state in sorted(history.workspaces, key=lambda state: state.version):
        found[state.uid].append(state)
    return found


def _claims(history: History) -> Mapping[Slot, Sequence[_Claim]]:
    """Return every claim there ever was, by slot, from one version to another."""
    found: dict[Slot, list[_Claim]] = defaultdict(list)
    held: dict[Slot, tuple[str, int]] = {}
    lost: set[str] = set()
    for state in sorted(history.machines, key=lambda state: state.version):
        if state.reap == "Lost":
            lost.add(state.name)
        now = {} if state.is_gone else {(state.name, slot): uid for slot, uid in state.claims}
        for slot in [slot for slot in held if slot[0] == state.name]:
            if now.get(slot) != held[slot][0]:
                uid, begins = held.pop(slot)
                found[slot].append(_Claim(uid, begins, state.version, state.name in lost))
        for slot, uid in now.items():
            held.setdefault(slot, (uid, state.version))
    for slot, (uid, begins) in held.items():
        found[slot].append(_Claim(uid, begins, NEVER, was_lost=False))
    return found
