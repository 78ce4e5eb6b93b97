"""What a run has shown, in words for a person."""

from collections import Counter
from collections.abc import Iterator, Sequence

from chaos import fences
from chaos.checker import Breach
from chaos.history import History
from chaos.takeovers import calm, takeovers


def report(history: History, breaches: Sequence[Breach]) -> Iterator[str]:
    """Yield the lines of a report: what was done, what was measured, what was broken."""
    yield f"{history.ended - history.began:.0f} s, {_done(history)}"
    yield from _done_to(history)
    yield from _waits(history)
    late = fences.late_writes(history)
    yield f"writes of fenced replicas that reached the API server, by its answer: {dict(late) or 'none'}"
    yield from _verdict(breaches)


def _done(history: History) -> str:
    counts = Counter(order.what for order in history.orders)
    writes = sum(1 for write in history.writes if write.kind != "leases")
    return (
        f"{counts['create']} workspaces created, {counts['delete']} deleted, {counts['wake']} woken, "
        f"{counts['read']} files read; {writes} writes, {len(history.calls)} AWS calls"
    )


def _done_to(history: History) -> Iterator[str]:
    faults = Counter(deed.whom for deed in history.deeds if deed.what == "begin")
    yield "faults: " + ", ".join(f"{name} {count}" for name, count in sorted(faults.items()))
    for group, ceiling in history.ceilings.items():
        most = max((live.count for live in history.live if live.group == group), default=0)
        yield f"{group}: {most} machines were live at most, {ceiling} are allowed"


def _waits(history: History) -> Iterator[str]:
    found = [takeover for takeover in takeovers(history) if takeover.waited]
    for title, chosen in (
        ("planned takeovers", [t for t in found if t.is_planned]),
        ("takeovers after kill -9", [t for t in found if t.deed.what == "kill"]),
        ("takeovers after SIGSTOP", [t for t in found if t.deed.what == "pause"]),
    ):
        waited = [seconds for takeover in chosen for seconds in takeover.waited.values()]
        yield f"{title}, seconds until the next claim is served: {_spread(waited)}"
    others = [took for takeover in found for took in takeover.others]
    yield f"claims meanwhile on pools of other replicas, seconds: {_spread(others)}"
    yield f"claims while nothing is wrong, seconds: {_spread(calm(history))}"


def _verdict(breaches: Sequence[Breach]) -> Iterator[str]:
    for breach in breaches[:_SHOWN]:
        yield f"BROKEN: {breach.law}: {breach.story}"
    if len(breaches) > _SHOWN:
        yield f"… and {len(breaches) - _SHOWN} more"
    yield f"{len(breaches)} promises broken" if breaches else "every promise was kept"


_SHOWN = 40


def _spread(values: Sequence[float]) -> str:
    if not values:
        return "none"
    ordered = sorted(values)
    return f"{len(ordered)}: p50 {ordered[len(ordered) // 2]:.2f}, most {ordered[-1]:.2f}"
