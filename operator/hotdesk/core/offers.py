"""The free slots that may be handed out now, fullest machine first, then the oldest."""

import heapq
from dataclasses import dataclass, field
from datetime import UTC, datetime

from hotdesk.api.v1alpha1 import Machine

_NEVER = datetime.max.replace(tzinfo=UTC)

_STALE_ALLOWED = 16  # entries; beyond as many again as there are machines the heap is made anew

_Key = tuple[int, datetime, str]


def free_slots(machine: Machine) -> tuple[int, ...]:
    """Return the numbers of the machine's free slots; one that is being reaped or stopped has none.

    A slot whose files are still to be saved is not free.
    """
    if machine.spec.reap is not None or machine.spec.stop is not None:
        return ()
    taken = {claim.slot for claim in machine.spec.claims} | {owed.slot for owed in machine.spec.owed}
    return tuple(slot for slot in range(machine.spec.slots) if slot not in taken)


@dataclass(slots=True)
class Offers:
    """A heap of machines with a free slot; entries that went stale are dropped when they surface.

    The fullest machine goes first, so that whole machines stay empty and can be given back.
    """

    slots: int = 0
    _keys: dict[str, _Key] = field(default_factory=dict)
    _free: dict[str, int] = field(default_factory=dict)
    _heap: list[_Key] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self._keys)

    def __contains__(self, name: object) -> bool:
        return name in self._keys

    def put(self, machine: Machine) -> None:
        """Offer the machine's free slots; it must have one."""
        name = machine.metadata.name
        key = (-len(machine.spec.claims), machine.status.ready_at or _NEVER, name)
        free = machine.spec.slots - len(machine.spec.claims) - len(machine.spec.owed)
        if self._keys.get(name) == key and self._free[name] == free:
            return
        self.drop(name)
        self._keys[name] = key
        self._free[name] = free
        self.slots += free
        heapq.heappush(self._heap, key)
        if len(self._heap) > 2 * len(self._keys) + _STALE_ALLOWED:
            self._heap = sorted(self._keys.values())

    def drop(self, name: str) -> None:
        """Stop offering the machine, if it was."""
        if self._keys.pop(name, None) is not None:
            self.slots -= self._free.pop(name)

    def take(self) -> str | None:
        """Take the best machine off the list and return its name; None if nothing is on offer."""
        while self._heap:
            key = heapq.heappop(self._heap)
            if self._keys.get(key[2]) == key:
                self.drop(key[2])
                return key[2]
        return None
