"""What each machine's CPU does: what people said, while it ran."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from hotdesk_local.aws.history import History
from hotdesk_local.aws.model import State

RESTING = 1.0
"""Percent of a machine nobody has said anything about."""
Span = tuple[float, float, float]
"""From, to, percent."""


@dataclass(slots=True)
class Cpu:
    """What people said each machine's CPU does, and since when."""

    said: dict[str, list[tuple[float, float]]] = field(default_factory=dict)

    def say(self, instance_id: str, percent: float, *, now: float) -> None:
        """Let a machine use so much from now on. Raises ValueError for less than 0 or more than 100."""
        if not 0 <= percent <= 100:  # noqa: PLR2004  # percent
            raise ValueError("percent lies between 0 and 100")
        self.said.setdefault(instance_id, []).append((now, percent))

    def spans(self, instance_id: str, history: History, *, now: float) -> Iterator[Span]:
        """Yield what a machine used while it ran, oldest first."""
        steps = [(float("-inf"), RESTING), *self.said.get(instance_id, [])]
        ends = [since for since, _ in steps[1:]] + [now]
        for begin, end in _running(instance_id, history, now=now):
            for (since, percent), until in zip(steps, ends, strict=True):
                first, last = max(begin, since), min(end, until)
                if first < last:
                    yield first, last, percent


def _running(instance_id: str, history: History, *, now: float) -> Iterator[tuple[float, float]]:
    since = None
    for change in history.of.get(instance_id, []):
        if change.what != "state":
            continue
        if change.new == State.RUNNING:
            since = change.time
        elif since is not None:
            yield since, change.time
            since = None
    if since is not None:
        yield since, now
