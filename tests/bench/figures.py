"""What is made of the measurements: percentiles, ratios to the floor, what the targets say."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median


@dataclass(frozen=True)
class Latencies:
    """Milliseconds from a create being due to the IP in the user's watch."""

    p50: float
    p90: float
    p99: float
    max: float

    @classmethod
    def of(cls, samples: Sequence[float]) -> "Latencies":
        """Return the percentiles (nearest rank) of the samples, of which there must be one."""
        ordered = sorted(samples)

        def at(percent: int) -> float:
            return ordered[-(-len(ordered) * percent // 100) - 1]

        return cls(p50=at(50), p90=at(90), p99=at(99), max=ordered[-1])


@dataclass(frozen=True)
class Run:
    """One shape, once, against the floor or Hotdesk."""

    latencies: Latencies
    claims: int
    seconds: float
    late: float
    """Milliseconds by which the load itself was late, at worst."""
    load_average: float
    cpu: float
    """CPU milliseconds a claim of the process that claims, while the load ran."""


@dataclass(frozen=True)
class Costs:
    """What Hotdesk spent in one run, from the first create until every machine was secured."""

    claims: int
    writes: dict[str, int]
    """Writes to the API server by resource and verb, without those of the load."""
    ready_reports: int
    """Of the writes to machines/status, those that say a new machine is ready."""
    aws: dict[str, int]
    """Calls to AWS by action."""
    aws_before: int
    """Calls that change something and name a claimed machine, made before its IP was visible."""
    aws_errors: int
    cpu: float
    """CPU milliseconds a claim of the operator, from the first create until every machine was secured."""
    memory: float
    hits: int
    misses: int
    secured: bool

    @property
    def writes_for_claims(self) -> int:
        """The writes that belong to claims: compare-and-swap, publication, and the report that a machine is secured."""
        mine = ("machines PATCH", "workspaces/status PATCH", "workspaces PATCH", "machines/status PATCH")
        return sum(self.writes.get(key, 0) for key in mine) - self.ready_reports

    @property
    def aws_changes(self) -> int:
        """Calls to AWS that change something."""
        return sum(count for action, count in self.aws.items() if not action.startswith("Describe"))


@dataclass(frozen=True)
class Pair:
    """The floor and Hotdesk under the same load, one right after the other."""

    floor: Run
    hotdesk: Run
    costs: Costs

    def ratio(self, percentile: str) -> float:
        """Return how many times slower Hotdesk was."""
        return float(getattr(self.hotdesk.latencies, percentile)) / float(getattr(self.floor.latencies, percentile))


@dataclass(frozen=True)
class Measured:
    """A shape with all its pairs."""

    name: str
    title: str
    judged: bool = True
    """Whether the targets speak of it."""
    pairs: list[Pair] = field(default_factory=list)

    def ratio(self, percentile: str) -> float:
        """Return the median of the pairs' ratios."""
        return median(pair.ratio(percentile) for pair in self.pairs)


@dataclass(frozen=True)
class Verdict:
    """A target of the project beside its figure."""

    target: str
    figure: float
    limit: float
    at_least: bool = False

    @property
    def met(self) -> bool:
        """Whether the figure is within the target."""
        return self.figure >= self.limit if self.at_least else self.figure <= self.limit


def verdicts(measured: Measured) -> list[Verdict]:
    """Return what the targets say of one shape."""
    found: list[Verdict] = []
    if not measured.judged:
        return found
    if measured.name == "serial" or measured.name.startswith("poisson"):
        found += [
            Verdict(target="p50 of the floor's", figure=measured.ratio("p50"), limit=1.35),
            Verdict(target="p99 of the floor's", figure=measured.ratio("p99"), limit=1.8),
        ]
    if measured.name == "burst":
        found.append(Verdict(target="last one of the floor's", figure=measured.ratio("max"), limit=1.3))
    costs = [pair.costs for pair in measured.pairs]
    claims = sum(cost.claims for cost in costs)
    found += [
        Verdict(target="writes a claim", figure=sum(cost.writes_for_claims for cost in costs) / claims, limit=3),
        Verdict(target="AWS calls before the IP", figure=sum(cost.aws_before for cost in costs), limit=0),
    ]
    if measured.name == "burst":
        calls = sum(sum(cost.aws.values()) for cost in costs)
        found.append(Verdict(target="AWS calls a claim", figure=calls / claims, limit=0.2))
    return found
