"""A user's watch: every state of workspaces, machines and Leases as it was told, with the moment it was heard."""

import threading
import time
from collections.abc import Callable
from http.client import HTTPException

from chaos.api import HOTDESK, LEASES, Object
from chaos.history import LeaseSeen, MachineSeen, WorkspaceSeen
from hotdesk_local.controlplane.plane import ControlPlane

Seen = WorkspaceSeen | MachineSeen | LeaseSeen
_PAUSE = 0.05  # seconds between two tries to watch


class Watching:
    """Follows three kinds, each in a thread, through every restart of the API server."""

    def __init__(self, plane: ControlPlane) -> None:
        self.seen: dict[str, list[Seen]] = {"workspaces": [], "machines": [], "leases": []}
        self.blind: list[str] = []
        """Gaps in what was heard: an API server that has just begun knows no history."""
        self.changed = threading.Condition()
        self.latest: dict[str, WorkspaceSeen] = {}
        """By name."""
        self._plane = plane
        self._stopped = False
        paths = {"workspaces": f"{HOTDESK}/workspaces", "machines": f"{HOTDESK}/machines", "leases": LEASES}
        for kind, path in paths.items():
            threading.Thread(target=self._follow, args=(kind, path), name=f"watch {kind}", daemon=True).start()

    def stop(self) -> None:
        """Take nothing in any more."""
        self._stopped = True

    def workspace(self, name: str) -> WorkspaceSeen | None:
        """Return the latest state of a workspace."""
        return self.latest.get(name)

    def leases(self) -> dict[str, LeaseSeen]:
        """Return the latest state of every Lease that exists."""
        with self.changed:
            latest = {state.name: state for state in self.seen["leases"] if isinstance(state, LeaseSeen)}
        return {name: state for name, state in latest.items() if not state.is_gone}

    def wait(self, ready: Callable[[], bool], *, within: float) -> bool:
        """Wait until a condition holds that news may bring about; tell whether it does."""
        with self.changed:
            return self.changed.wait_for(ready, timeout=within)

    def _follow(self, kind: str, path: str) -> None:
        since = 0
        while not self._stopped:
            try:
                for event in self._plane.watch(path, since=since):
                    if "type" not in event:
                        break  # a Status: the API server begins or ends
                    if event["type"] == "ERROR":
                        self.blind.append(f"{kind} after {since}: {event['object'].get('message')}")
                        since = 0
                        break
                    since = self._take(kind, event)
            except (OSError, HTTPException, ValueError):
                pass  # cut in the middle of an event: it comes again
            time.sleep(_PAUSE)

    def _take(self, kind: str, event: Object) -> int:
        thing, at = event["object"], time.time()  # noqa: TID251  # the moment at which a user hears it
        state = PARSERS[kind](thing, at, event["type"] == "DELETED")
        with self.changed:
            if not self._stopped:
                self.seen[kind].append(state)
                if isinstance(state, WorkspaceSeen):
                    self.latest[state.name] = state
                self.changed.notify_all()
        return state.version


def _workspace(thing: Object, at: float, gone: bool) -> WorkspaceSeen:  # noqa: FBT001  # called by `_take` alone
    meta, status = thing["metadata"], thing.get("status", {})
    ready = [c["status"] for c in status.get("conditions", []) if c["type"] == "Ready"]
    return WorkspaceSeen(
        at=at,
        version=int(meta["resourceVersion"]),
        uid=meta["uid"],
        name=meta["name"],
        pool=thing["spec"]["pool"],
        phase=status.get("phase", ""),
        machine=status.get("machine"),
        slot=status.get("slot", 0),
        address=status.get("privateIP", ""),
        is_ready=ready == ["True"],
        is_gone=gone,
    )


def _machine(thing: Object, at: float, gone: bool) -> MachineSeen:  # noqa: FBT001  # called by `_take` alone
    meta, spec = thing["metadata"], thing["spec"]
    return MachineSeen(
        at=at,
        version=int(meta["resourceVersion"]),
        name=meta["name"],
        pool=spec["pool"],
        claims=tuple((claim["slot"], claim["workspace"]["uid"]) for claim in spec.get("claims", [])),
        reap=spec.get("reap", {}).get("reason"),
        is_to_stop=bool(spec.get("stop", {}).get("final")),
        is_gone=gone,
    )


def _lease(thing: Object, at: float, gone: bool) -> LeaseSeen:  # noqa: FBT001  # called by `_take` alone
    meta = thing["metadata"]
    return LeaseSeen(
        at=at,
        version=int(meta["resourceVersion"]),
        name=meta["name"],
        uid=meta["uid"],
        holder=thing["spec"].get("holderIdentity") or "",
        is_gone=gone,
    )


PARSERS: dict[str, Callable[[Object, float, bool], Seen]] = {
    "workspaces": _workspace,
    "machines": _machine,
    "leases": _lease,
}
