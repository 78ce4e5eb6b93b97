"""What became of every workspace and machine, in the API server's own order, from watches beside the operator's."""

import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPException

from e2e.cluster import Object
from hotdesk_local.controlplane.plane import ControlPlane
from waiting import wait_for

_API = "/apis/hotdesk.dev/v1alpha1"


@dataclass(frozen=True)
class Seat:
    """One slot that a workspace was told is its own, from one resourceVersion of the store to another."""

    uid: str
    workspace: str
    machine: str
    slot: int
    begins: int
    ends: int | None  # None: it still holds it


@dataclass
class _Follower:
    """The life of one workspace."""

    path: str
    seat: tuple[str, int] | None = None
    since: int = 0
    deleted: int | None = None
    seats: list[Seat] = field(default_factory=list)


class Journal:
    """Follows workspaces and machines in two threads. etcd counts all kinds by one revision, so they compare."""

    def __init__(self, plane: ControlPlane) -> None:
        """Begin to watch. It ends when the API server does."""
        self._lock = threading.Lock()
        self._workspaces: dict[str, _Follower] = {}
        self._reaped: dict[str, tuple[int, str]] = {}
        self._holders: dict[str, set[str]] = defaultdict(set)
        self._seen = {"workspaces": 0, "machines": 0}
        for plural, note in (("workspaces", self._note_workspace), ("machines", self._note_machine)):
            events = plane.watch(f"{_API}/{plural}")
            arguments = (plural, events, note)
            threading.Thread(target=self._follow, args=arguments, name=f"journal of {plural}", daemon=True).start()

    def catch_up(self, *things: Object) -> None:
        """Wait until the journal has read the newest of these objects."""
        for thing in things:
            plural, version = thing["kind"].lower() + "s", int(thing["metadata"]["resourceVersion"])
            wait_for(lambda p=plural, v=version: self._seen[p] >= v, what=f"the journal has read {plural} {version}")

    def seats(self) -> list[Seat]:
        """Return every seat there ever was."""
        with self._lock:
            return [seat for follower in self._workspaces.values() for seat in _all_seats(follower)]

    def reaped(self, machine: str) -> tuple[int, str] | None:
        """Return when a machine's reap was decided, and the reason."""
        with self._lock:
            return self._reaped.get(machine)

    def holders(self, machine: str) -> frozenset[str]:
        """Return the UIDs of all workspaces that ever had a claim on a machine."""
        with self._lock:
            return frozenset(self._holders[machine])

    def _follow(self, plural: str, events: Iterator[Object], note: object) -> None:
        # Whatever ends the watch: whoever needs the journal fails to catch up and says so.
        with suppress(OSError, HTTPException, ValueError):
            for event in events:
                thing = event["object"]
                version = int(thing["metadata"]["resourceVersion"])
                with self._lock:
                    note(thing, version, gone=event["type"] == "DELETED")  # type: ignore[operator]  # one of two methods
                    self._seen[plural] = max(version, self._seen[plural])

    def _note_workspace(self, thing: Object, version: int, *, gone: bool) -> None:
        meta, status = thing["metadata"], thing.get("status", {})
        follower = self._workspaces.setdefault(meta["uid"], _Follower(path=f"{meta['namespace']}/{meta['name']}"))
        seat = (status["machine"], status.get("slot", 0)) if status.get("machine") and not gone else None
        if seat != follower.seat:
            if follower.seat is not None:
                follower.seats.append(_seat(meta["uid"], follower, ends=version))
            follower.seat, follower.since = seat, version
        if gone:
            follower.deleted = version

    def _note_machine(self, thing: Object, version: int, *, gone: bool) -> None:
        name, spec = thing["metadata"]["name"], thing["spec"]
        self._holders[name] |= {claim["workspace"]["uid"] for claim in spec.get("claims", [])}
        if "reap" in spec and not gone:
            self._reaped.setdefault(name, (version, spec["reap"]["reason"]))


def _all_seats(follower: _Follower) -> list[Seat]:
    uid = ""
    return [*follower.seats, *([_seat(uid, follower, ends=None)] if follower.seat is not None else [])]


def _seat(uid: str, follower: _Follower, *, ends: int | None) -> Seat:
    machine, slot = follower.seat or ("", 0)
    return Seat(
        uid=uid, workspace=follower.path, machine=machine, slot=slot, begins=follower.since, ends=ends
    )
