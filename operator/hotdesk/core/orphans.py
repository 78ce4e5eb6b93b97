"""Which instances complete looks have shown that carry the pool's tag and that nobody knows, and for how long."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Sighting:
    """In how many complete looks, one after the other, an instance was an orphan."""

    since: datetime
    looks: int = 1


@dataclass(slots=True)
class Orphans:
    """The orphans of the latest complete look; one that it did not show, or that has a record now, begins anew."""

    seen: dict[str, Sighting] = field(default_factory=dict)

    def look(self, names: Iterable[str], *, at: datetime) -> None:
        """Take in the orphans of a complete look that began at this moment."""
        before = self.seen
        self.seen = {
            name: Sighting(before[name].since, before[name].looks + 1) if name in before else Sighting(at)
            for name in names
        }

    def forget(self, name: str) -> None:
        """Take in that an instance is known."""
        self.seen.pop(name, None)
