"""What is measured, in which order: everything once, then the short shapes again, as long as there is time."""

from dataclasses import dataclass, replace

from bench.measure import BOOTS_LATER
from bench.shapes import Shape, burst, parallel, poisson, serial

SATURATION = "saturation"


@dataclass(frozen=True)
class Step:
    """One pair to measure."""

    shape: Shape
    boots: float = BOOTS_LATER
    """Seconds from the launch of a machine until it runs."""
    judged: bool = True

    @property
    def name(self) -> str:
        """The name of its shape."""
        return self.shape.name

    @property
    def idle(self) -> int:
        """How many idle machines it needs."""
        return self.shape.claims

    @property
    def seconds(self) -> float:
        """How long its loads take at least: once for the floor, once for Hotdesk."""
        return 2 * sum(max(offsets) for offsets in self.shape.rounds)


@dataclass(frozen=True)
class Search:
    """The search for the saturation."""

    name: str = SATURATION
    idle: int = 440
    """Enough for the first window; more is filled in before a window that needs more."""
    seconds: float = 60.0
    """About eight windows of 4 s and what lies between them."""


@dataclass(frozen=True)
class Plan:
    """Steps in order, and the seconds within which they are begun; what there is no time for is left out."""

    steps: tuple[Step | Search, ...]
    seconds: float


def default_plan() -> Plan:
    """Return the whole bench: at most eight minutes."""
    short = (Step(serial(100)), Step(parallel(20, 10)), Step(burst(300)))
    once = (Step(poisson(45, 30)), Step(poisson(75, 30)), Search(), _refill(10))
    return Plan(steps=(*short, *once, *short, *short), seconds=470)


def quick_plan() -> Plan:
    """Return one pair of each shape, with short windows: at most two minutes."""
    steps = (Step(serial(100)), Step(burst(300)), Step(poisson(45, 8)), Step(poisson(75, 8)), Step(parallel(20, 5)))
    return Plan(steps=steps, seconds=110)


def _refill(seconds: float) -> Step:
    """Return a shape during which what was claimed is replaced by machines that boot in 2 s: not judged."""
    shape = poisson(45, seconds)
    return Step(replace(shape, name="refill", title=f"{shape.title}, machines booting meanwhile"), 2.0, judged=False)
