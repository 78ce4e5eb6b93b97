"""What can be made to go wrong with a request, how often, and at which moment."""

import asyncio
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any


class Trouble(Enum):
    """What happens to a request that a fault hits."""

    ANSWER = auto()  # refused with a status, no effect
    LOSE_REQUEST = auto()  # the connection breaks, no effect
    LOSE_ANSWER = auto()  # the effect happens, then the connection breaks
    LATE = auto()  # the connection breaks at once, the effect happens when the gate opens
    HOLD = auto()  # nothing happens until the gate opens, then all goes well
    HOLD_ANSWER = auto()  # the effect happens at once, the answer goes out when the gate opens


@dataclass(frozen=True)
class Call:
    """One request: what it wants, and what it got."""

    verb: str  # get, list, watch, create, patch, update or delete
    resource: str  # machines, workspaces/status, …
    namespace: str
    name: str
    body: Any = None


class Gate:
    """Closed until the test opens it; tells when requests stand before it."""

    def __init__(self) -> None:
        self._open = asyncio.Event()
        self._waiting = asyncio.Semaphore(0)

    async def arrived(self, *, within: float = 10.0) -> None:
        """Return when one more request stands before the gate."""
        async with asyncio.timeout(within):
            await self._waiting.acquire()

    def open(self) -> None:
        """Let everyone through, now and from now on."""
        self._open.set()

    async def passed(self) -> None:
        """Stand before the gate until it opens."""
        self._waiting.release()
        await self._open.wait()


@dataclass
class Fault:
    """Hits the next `count` requests that match; a field that is None matches everything."""

    trouble: Trouble
    verb: str | None = None
    resource: str | None = None
    name: str | None = None
    count: int = 1
    status: int = 500
    gate: Gate = field(default_factory=Gate)

    def hits(self, call: Call) -> bool:
        """Whether this request is meant."""
        wanted = ((self.verb, call.verb), (self.resource, call.resource), (self.name, call.name))
        return self.count > 0 and all(want is None or want == got for want, got in wanted)
