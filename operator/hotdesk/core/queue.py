"""Who is served next: higher priority first, first come first served within, and nobody starves."""

import heapq
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

AGEING_STEP = timedelta(minutes=10)
"""A workspace rises one class for each step it has waited, so the lowest of n classes is served with the highest
after n steps at most, and before everyone in it who came later."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """One waiting workspace as the queue sees it."""

    uid: str
    priority: int
    created_at: datetime
    arrival: int  # order in which this process saw it; creation times have whole seconds only


def in_order(tickets: Collection[Ticket], *, now: datetime, first: int | None = None) -> list[Ticket]:
    """Return the tickets in the order of service, only the `first` so many if given."""
    ranks = {priority: rank for rank, priority in enumerate(sorted({t.priority for t in tickets}))}

    def place(ticket: Ticket) -> tuple[int, datetime, int]:
        return -_aged_rank(ticket, ranks, now=now), ticket.created_at, ticket.arrival

    if first is None or first >= len(tickets):
        return sorted(tickets, key=place)
    return heapq.nsmallest(first, tickets, key=place)


def _aged_rank(ticket: Ticket, ranks: Mapping[int, int], *, now: datetime) -> int:
    steps = max(0, (now - ticket.created_at) // AGEING_STEP)
    return min(ranks[ticket.priority] + steps, len(ranks) - 1)
