"""Every change of every instance with its cause, and how many were alive at each moment."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from hotdesk_local.aws.model import LIVE, Instance, State


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one instance; `n` is the number of the last call begun before it."""

    n: int
    time: float
    instance: str
    what: str
    """`state`, `group`, `protection`, `health` or `termination protection`."""
    old: str | None
    new: str | None
    cause: str


@dataclass(frozen=True, slots=True)
class LiveCount:
    """How many instances were alive after one change."""

    change: Change
    live: int


@dataclass(slots=True)
class History:
    """Changes in the order in which they happened."""

    changes: list[Change] = field(default_factory=list)
    of: dict[str, list[Change]] = field(default_factory=dict)

    def add(self, change: Change) -> None:
        """Append one change."""
        self.changes.append(change)
        self.of.setdefault(change.instance, []).append(change)

    def live_counts(self, *, instances: Callable[[str], bool]) -> Iterable[LiveCount]:
        """Replay the number of live instances among those asked for: one entry for every change of it."""
        live = 0
        for change in self.changes:
            if change.what != "state" or not instances(change.instance):
                continue
            step = _alive(change.new) - _alive(change.old)
            if step:
                live += step
                yield LiveCount(change=change, live=live)


def belongs(instance: Instance, *, group: str | None, tag: tuple[str, str] | None) -> bool:
    """Say whether the instance was launched by this group, or carries this tag."""
    if group is not None:
        return instance.origin == group
    return tag is None or instance.tags.get(tag[0]) == tag[1]


def _alive(state: str | None) -> int:
    return int(state is not None and State(state) in LIVE)
