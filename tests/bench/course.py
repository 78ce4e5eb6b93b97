"""The plan carried out, step by step, within its time."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from bench.figures import Measured, Run
from bench.measure import Bench
from bench.plan import Plan, Search, Step
from bench.saturation import SaturationPair, find_saturation
from bench.shapes import poisson

_SPARE = 10  # idle machines beyond what a shape needs


@dataclass
class Results:
    """Everything that was measured."""

    shapes: dict[str, Measured] = field(default_factory=dict)
    saturation: SaturationPair | None = None
    left_out: list[str] = field(default_factory=list)
    """Steps for which there was no time."""


def carry_out(plan: Plan, bench: Bench, *, began: float, say: Callable[[str], None]) -> Results:
    """Measure; `began` is when the bench was started, on the monotonic clock, and what `plan.seconds` counts from."""
    results, overhead = Results(), 0.0
    bench.cluster.make_namespace()
    for step in plan.steps:
        started = time.monotonic()
        if started - began + overhead + step.seconds > plan.seconds:
            results.left_out.append(step.name)
            continue
        bench.fill(step.idle + _SPARE)
        _measure(step, bench, results)
        took = time.monotonic() - started
        overhead = max(overhead, took - step.seconds)
        say(f"measured {step.name} ({took:.0f} s)")
    return results


def _measure(step: Step | Search, bench: Bench, results: Results) -> None:
    if isinstance(step, Search):
        results.saturation = _saturate(bench, idle=step.idle)
        return
    shape = step.shape
    found = results.shapes.setdefault(shape.name, Measured(name=shape.name, title=shape.title, judged=step.judged))
    found.pairs.append(bench.pair(shape, boots=step.boots))


def _saturate(bench: Bench, *, idle: int) -> SaturationPair:
    """Search for both, the floor first."""

    def floor(rate: int, seconds: float) -> Run:
        nonlocal idle
        shape = poisson(rate, seconds)
        if shape.claims > idle:
            idle = shape.claims + _SPARE
            bench.fill(idle)
        return bench.floor(shape)

    def hotdesk(rate: int, seconds: float) -> Run:
        shape = poisson(rate, seconds)
        bench.fill(shape.claims + _SPARE)
        return bench.hotdesk(shape)[0]

    return SaturationPair(floor=find_saturation(floor), hotdesk=find_saturation(hotdesk))
