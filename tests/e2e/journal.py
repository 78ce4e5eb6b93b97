"""What became of every workspace and machine, in the API server's own order, from watches beside the operator's."""

import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from http.client import HTTPException

from e2e.cluster import Object
from hotdesk_local.controlplane.plane import ControlPlane
from waiting import wait_for

_API = "/apis/hotdesk.dev/v1alpha1"


@dataclass(frozen=True)
class Seat:
    """One slot that a workspace was told is its own, from one revision of the store to another."""

    uid: str
    workspace: str
    machine: str
    slot: int
    begins: int
    ends: int | None = None
    """The revision at which it was told otherwise, or was gone; None while it holds."""


@dataclass(frozen=True)
class Reaped:
    """The decision to end a machine."""

    at: int
    reason: str


class Journal:
    """Follows workspaces and machines in two threads. etcd counts all kinds by one revision, so they compare."""

    def __init__(self, plane: ControlPlane) -> None:
        """Begin to watch. It ends when the API server does."""
        self._lock = threading.Lock()
        self._ended: list[Seat] = []
        self._held: dict[str, Seat] = {}
        self._reaped: dict[str, Reaped] = {}
        self._resting: set[str] = set()
        self._holders: dict[str, set[str]] = defaultdict(set)
        self._reasons: dict[str, list[str]] = defaultdict(list)
        self._read = {"Workspace": 0, "Machine": 0}
        self._plane = plane
        for kind, note in (("Workspace", self._note_workspace), ("Machine", self._note_machine)):
            threading.Thread(target=self._follow, args=(kind, note), name=f"journal {kind}", daemon=True).start()

    def catch_up(self, things: list[Object]) -> None:
        """Wait until the journal has read the newest of these objects."""
        for kind in self._read:
            newest = max((int(t["metadata"]["resourceVersion"]) for t in things if t["kind"] == kind), default=0)
            self._wait_for(kind, newest)

    def seats(self) -> list[Seat]:
        """Return every seat there ever was, in the order in which they were told."""
        with self._lock:
            return sorted([*self._ended, *self._held.values()], key=lambda seat: seat.begins)

    def reaped(self, machine: str) -> Reaped | None:
        """Return the decision to end a machine, if it was made."""
        with self._lock:
            return self._reaped.get(machine)

    def is_to_rest(self, machine: str) -> bool:
        """Tell whether it was ever decided, past turning back, that a machine is stopped."""
        with self._lock:
            return machine in self._resting

    def holders(self, machine: str) -> frozenset[str]:
        """Return the UIDs of all workspaces that ever had a claim on a machine, published or not."""
        with self._lock:
            return frozenset(self._holders[machine])

    def reasons(self, uid: str) -> list[str]:
        """Return every reason that a workspace's Ready condition has had, in order."""
        with self._lock:
            return list(self._reasons[uid])

    def _wait_for(self, kind: str, version: int) -> None:
        wait_for(lambda: self._read[kind] >= version, what=f"the journal has read {kind} {version}")

    def _follow(self, kind: str, note: Callable[[Object, int, bool], None]) -> None:
        """Read on until there is no API server: it ends the watch of who reads slowly, as a busy test does."""
        path = f"{_API}/{kind.lower()}s"
        while True:
            try:
                for event in self._plane.watch(path, since=self._read[kind]):
                    if "type" not in event:
                        break  # a Status: the API server begins or ends; asked again it says which
                    if event["type"] == "ERROR":
                        return  # whoever needs the journal fails to catch up, and says so
                    thing = event["object"]
                    version = int(thing["metadata"]["resourceVersion"])
                    with self._lock:
                        note(thing, version, event["type"] == "DELETED")
                        self._read[kind] = max(version, self._read[kind])
            except ConnectionRefusedError:
                return
            except (OSError, HTTPException, ValueError):
                continue  # cut in the middle of an event: it comes again

    def _note_workspace(self, thing: Object, version: int, gone: bool) -> None:  # noqa: FBT001  # called by `_follow` alone
        meta, status = thing["metadata"], thing.get("status", {})
        self._reasons[meta["uid"]] += [c["reason"] for c in status.get("conditions", []) if c["type"] == "Ready"]
        held = self._held.get(meta["uid"])
        is_seated = status.get("machine") and status["phase"] != "Archiving"  # its files are saved: it has left
        place = None if gone or not is_seated else (status["machine"], status.get("slot", 0))
        if held is not None and place != (held.machine, held.slot):
            self._ended.append(replace(held, ends=version))
            del self._held[meta["uid"]]
            held = None
        if held is None and place is not None:
            name = f"{meta['namespace']}/{meta['name']}"
            self._held[meta["uid"]] = Seat(meta["uid"], name, *place, begins=version)

    def _note_machine(self, thing: Object, version: int, gone: bool) -> None:  # noqa: FBT001  # called by `_follow` alone
        name, spec = thing["metadata"]["name"], thing["spec"]
        self._holders[name] |= {claim["workspace"]["uid"] for claim in spec.get("claims", [])}
        if "reap" in spec and not gone:
            self._reaped.setdefault(name, Reaped(at=version, reason=spec["reap"]["reason"]))
        if spec.get("stop", {}).get("final"):
            self._resting.add(name)
