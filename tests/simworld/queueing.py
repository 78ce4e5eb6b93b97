"""Law 6: higher priority first, first come first served within, nobody starves; judged at every claim."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from fakes.apiserver.storage import Json
from simworld.keeping import wants_machine
from simworld.timeline import START
from simworld.world import SimWorld

_KNOWN_AFTER = 75.0  # seconds after which every operator has heard of a workspace: its resync is every 60
_TOGETHER = 5.0  # seconds within which claims of one pass arrive
_STARVES = 600.0  # seconds in which a workspace rises one class


@dataclass
class _Waiting:
    name: str
    pool: str
    priority: int
    created: float
    since: float  # when it began to wait, or its priority changed


class QueueLaw:
    """Knows who waits, and looks at who is served."""

    def __init__(self, world: SimWorld, breach: Callable[[int | str, str], None]) -> None:
        self._world = world
        self._breach = breach
        self._waiting: dict[str, _Waiting] = {}
        self._claims: dict[str, set[str]] = {}  # machine -> UIDs
        self._values: dict[str, int] = {}
        self._told: dict[str, tuple[bool, str | None, bool]] = {}
        self._changed_at = float("-inf")  # when something about pools or priorities last changed

    def priority(self, stored: Json, *, is_gone: bool) -> None:
        name = stored["metadata"]["name"]
        self._changed_at = self._world.timeline.now
        if is_gone:
            self._values.pop(name, None)
        else:
            self._values[name] = int(stored.get("value", 0))

    def pool(self, stored: Json, *, is_gone: bool) -> None:
        name, spec = stored["metadata"]["name"], stored["spec"]
        told = (bool(spec.get("paused")), stored["metadata"].get("deletionTimestamp"), is_gone)
        if self._told.get(name) != told:
            self._told[name] = told
            self._changed_at = self._world.timeline.now

    def workspace(self, stored: Json, *, is_gone: bool) -> None:
        meta, spec = stored["metadata"], stored["spec"]
        known = self._waiting.pop(meta["uid"], None)
        claimed = any(meta["uid"] in holders for holders in self._claims.values())
        if is_gone or stored.get("status", {}).get("machine") or claimed or not wants_machine(stored):
            return
        wanted = spec.get("priorityClassName")
        if wanted is not None and wanted not in self._values:
            return
        priority = self._values.get(wanted, 0) if wanted is not None else 0
        is_same = known is not None and known.priority == priority
        since = known.since if known is not None and is_same else self._world.timeline.now
        created = (datetime.fromisoformat(meta["creationTimestamp"]) - START).total_seconds()
        self._waiting[meta["uid"]] = _Waiting(meta["name"], spec["pool"], priority, created, since)

    def machine(self, stored: Json, *, is_gone: bool) -> None:
        name = stored["metadata"]["name"]
        before = self._claims.get(name, set())
        now = {c["workspace"]["uid"] for c in stored["spec"].get("claims", ())} if not is_gone else set()
        self._claims[name] = now
        served = [found for uid in now - before if (found := self._waiting.pop(uid, None)) is not None]
        for uid in before - now:
            self._waits_again(uid)
        for one in served:
            self._judge(one)

    def _waits_again(self, uid: str) -> None:
        for stored in self._world.server.objects("workspaces"):
            if stored["metadata"]["uid"] == uid:
                self.workspace(stored, is_gone=False)

    def _judge(self, served: _Waiting) -> None:
        now = self._world.timeline.now
        if now - self._changed_at < _KNOWN_AFTER or not self._world.has_been_calm(_KNOWN_AFTER):
            return
        for uid, other in self._waiting.items():
            if other.pool != served.pool or now - other.since < _KNOWN_AFTER:
                continue
            before = served.created - other.created
            is_passed_over = before > 2 and other.priority >= served.priority
            starves = before > _STARVES * 3 and now - other.since > _STARVES * 3
            if is_passed_over or starves:
                self._world.timeline.later(_TOGETHER, partial(self._convict, served, uid, other))

    def _convict(self, served: _Waiting, uid: str, other: _Waiting) -> None:
        """Speak, unless the other was served in the same pass: of two claims at once either may arrive first."""
        if self._waiting.get(uid) == other and self._world.has_been_calm(_TOGETHER):
            self._breach(6, f"{served} was served before {other}")
