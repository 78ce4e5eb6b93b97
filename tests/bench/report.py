"""What a person reads: one block a shape, each target beside its figure."""

import os
from collections.abc import Iterator
from statistics import median

from bench.figures import Costs, Measured, Pair, Run, Verdict, verdicts
from bench.saturation import LIMIT, SaturationPair

_HEAD = f"{'':<12}{'p50':>9}{'p90':>9}{'p99':>9}{'max':>9}{'CPU/claim':>12}{'load avg':>10}"


def shown(measured: Measured) -> str:
    """Return the block of one shape."""
    return "\n".join(_shape(measured))


def shown_saturation(pair: SaturationPair) -> str:
    """Return the block of the saturation."""
    verdict = Verdict(target="of the floor's rate", figure=pair.ratio, limit=0.7, at_least=True)
    return "\n".join(
        [
            f"saturation: the highest Poisson rate whose p99 stays below {LIMIT:g} ms",
            *(
                f"  {who:<10}{found.rate:>6}/s   (p99 by rate: {_tried(found.tried)})"
                for who, found in (("floor", pair.floor), ("Hotdesk", pair.hotdesk))
            ),
            f"  {judged(verdict)}",
        ]
    )


def judged(verdict: Verdict) -> str:
    """Return one target beside its figure."""
    sign, word = ">=" if verdict.at_least else "<=", "met    " if verdict.met else "NOT MET"
    return f"{word}  {verdict.figure:.2f} {verdict.target} (target {sign} {verdict.limit:g})"


def opening() -> str:
    """Return what holds for all figures."""
    return (
        "Milliseconds from the moment a create is due to the IP in the user's own watch. The floor is an ideal client\n"
        "that does the same two guarded writes and nothing else. Both share this computer with the API server, etcd,\n"
        f"the simulated AWS and the load: {os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f} at the start. "
        "Ratios say more than\nmilliseconds. What Hotdesk launches to refill takes 60 s to boot here, so that no "
        "machine boots within a\nmeasurement, except where it says so."
    )


def _shape(measured: Measured) -> Iterator[str]:
    times = len(measured.pairs)
    yield f"{measured.title}{f', {times} pairs' if times > 1 else ''}"
    yield f"  {_HEAD}"
    for who in ("floor", "hotdesk"):
        for pair in measured.pairs:
            yield f"  {_row('floor' if who == 'floor' else 'Hotdesk', getattr(pair, who))}"
    ratios = "".join(f"{measured.ratio(name):>8.2f}x" for name in ("p50", "p90", "p99", "max"))
    yield f"  {'ratio':<12}{ratios}{'   median of the pairs' if times > 1 else ''}"
    yield from (f"  {line}" for line in _costs(measured.pairs))
    yield from (f"  {judged(verdict)}" for verdict in verdicts(measured))


def _row(who: str, run: Run) -> str:
    found = run.latencies
    figures = "".join(f"{value:>9.1f}" for value in (found.p50, found.p90, found.p99, found.max))
    return f"{who:<12}{figures}{run.cpu:>9.1f} ms{run.load_average:>10.1f}"


def _costs(pairs: list[Pair]) -> Iterator[str]:
    costs = [pair.costs for pair in pairs]
    claims = sum(cost.claims for cost in costs)
    keys = sorted({key for cost in costs for key in cost.writes})
    writes = ", ".join(f"{key} {sum(c.writes.get(key, 0) for c in costs) / claims:.2f}" for key in keys)
    yield f"API writes a claim: {writes}"
    ready = sum(cost.ready_reports for cost in costs)
    refill = _sum(costs, "machines POST") + _sum(costs, "machines DELETE") + ready
    yield f"  of these {refill / claims:.2f} refill: records of new machines, and {ready} reports that one is ready"
    actions = sorted({action for cost in costs for action in cost.aws})
    calls = ", ".join(f"{action} {sum(cost.aws.get(action, 0) for cost in costs)}" for action in actions)
    changes, total = sum(c.aws_changes for c in costs), sum(sum(c.aws.values()) for c in costs)
    yield f"AWS calls until all were secured: {total} ({changes} that change something) for {claims} claims: {calls}"
    failed, unsecured = sum(c.aws_errors for c in costs), sum(not c.secured for c in costs)
    yield f"operator's CPU until all were secured: {sum(c.cpu * c.claims for c in costs) / claims:.1f} ms a claim"
    yield (
        f"hits {sum(c.hits for c in costs)}, misses {sum(c.misses for c in costs)}, resident memory "
        f"{median(c.memory for c in costs):.0f} MB, AWS errors {failed}"
        + (f"; in {unsecured} runs not every machine was secured in time" if unsecured else "")
    )


def _sum(costs: list[Costs], key: str) -> int:
    return sum(cost.writes.get(key, 0) for cost in costs)


def _tried(tried: dict[int, float]) -> str:
    return ", ".join(f"{rate}: {p99:.0f}" for rate, p99 in sorted(tried.items()))
