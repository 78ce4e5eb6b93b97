"""The laws of the design as a witness: it sees every write and every death, and says at the end what was broken."""

from typing import Any

from fakes.apiserver.kinds import Kind
from fakes.apiserver.server import FakeApiServer
from fakes.fleet import FakeFleet

Json = dict[str, Any]
_OURS = ("terminate_member", "terminate_instance")


class Laws:
    """Watches from the first write on; `check` fails with everything that was broken."""

    def __init__(self, server: FakeApiServer, fleet: FakeFleet) -> None:
        self._fleet = fleet
        self._ceilings: dict[str, int] = {}
        self._published: dict[str, tuple[str, int]] = {}  # UID -> machine and slot, while the workspace exists
        self._records: dict[str, Json] = {}  # the latest of each machine, deleted ones too
        self._decided: set[str] = set()  # machines that were to be ended by any record of them: reap is one-way
        self._claimed: dict[str, set[str]] = {}  # machine -> UIDs that hold it now
        self.used: dict[str, set[str]] = {}  # machine -> UIDs that were ever published on it
        self._broken: list[str] = []
        server.storage.subscribe(self._see)

    def watch(self, group: str, *, ceiling: int) -> None:
        """Hold a group to this many live machines."""
        self._ceilings[group] = ceiling

    def check(self) -> None:
        """Fail if a law was broken at any moment."""
        for group, ceiling in self._ceilings.items():
            if self._fleet.peak_live[group] > ceiling:
                self._broken.append(f"law 3: {self._fleet.peak_live[group]} live machines of {group}, not {ceiling}")
        for name, death in self._fleet.deaths.items():
            if death.cause in _OURS and name not in self._decided:
                self._broken.append(f"law 2: {name} was ended by {death.cause} without a decision to reap it")
            if death.cause == "scale-in" and self.used.get(name):
                self._broken.append(f"law 2: {name} was in use and ended by scale-in")
        assert not self._broken, "\n".join(self._broken)

    def _see(self, kind: Kind, event_type: str, stored: Json) -> None:
        match kind.plural:
            case "workspaces":
                self._see_workspace(stored, is_gone=event_type == "DELETED")
            case "machines":
                self._see_machine(stored)

    def _see_workspace(self, stored: Json, *, is_gone: bool) -> None:
        uid, status = stored["metadata"]["uid"], stored.get("status", {})
        self._published.pop(uid, None)
        name = status.get("machine")
        if is_gone or name is None:
            return
        seat = name, status.get("slot", 0)
        sharers = [other for other, taken in self._published.items() if taken == seat]
        if sharers:
            self._broken.append(f"law 1: {uid} and {sharers} are published on slot {seat[1]} of {name}")
        strangers = self.used.get(name, set()) - {uid}
        if strangers and self._slots(name) == 1:
            self._broken.append(f"law 2: {uid} was given {name}, which {strangers} had used")
        self._published[uid] = seat
        self.used.setdefault(name, set()).add(uid)

    def _see_machine(self, stored: Json) -> None:
        name = stored["metadata"]["name"]
        self._records[name] = stored
        if stored["spec"].get("reap") is not None:
            self._decided.add(name)
        self._claimed[name] = {claim["workspace"]["uid"] for claim in stored["spec"].get("claims", ())}

    def _slots(self, name: str) -> int:
        slots: int = self._records.get(name, {}).get("spec", {}).get("slots", 1)
        return slots
