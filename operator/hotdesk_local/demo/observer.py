"""A user's eyes: when each workspace was announced, when its IP was, and where it stood in the queue."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from http.client import HTTPException
from typing import Any

from hotdesk_local.controlplane.plane import ControlPlane
from hotdesk_local.errors import LocalStackError


@dataclass(frozen=True)
class Seen:
    """What was seen of one workspace; times are seconds on one clock."""

    name: str
    announced: float
    bound: float | None = None
    position: int | None = None
    """Its first place in the queue, if it ever had one."""
    url: str = ""
    machine: str = ""

    @property
    def seconds(self) -> float:
        """From the announcement of the workspace to that of its IP."""
        if self.bound is None:
            raise LocalStackError(f"workspace {self.name} has no machine yet")
        return self.bound - self.announced


class Observer:
    """Watches the workspaces of a namespace in a thread, as `kubectl get ws --watch` would."""

    def __init__(self, *, controlplane: ControlPlane, namespace: str) -> None:
        """Begin to watch. It ends when the API server does."""
        self._events = controlplane.watch(f"/apis/hotdesk.dev/v1alpha1/namespaces/{namespace}/workspaces")
        self._seen: dict[str, Seen] = {}
        self._changed = threading.Condition()
        threading.Thread(target=self._follow, name="observer", daemon=True).start()

    def wait_for(self, condition: Callable[[list[Seen]], bool], *, what: str, within: float) -> list[Seen]:
        """Return everything seen, in order of appearance, once it satisfies the condition."""
        with self._changed:
            if not self._changed.wait_for(lambda: condition(list(self._seen.values())), timeout=within):
                raise LocalStackError(f"not within {within:.0f} s: {what}; seen: {list(self._seen.values())}")
            return list(self._seen.values())

    def _follow(self) -> None:
        # Whatever ends the watch: whoever waits for it says what was not seen.
        with suppress(OSError, HTTPException, ValueError):
            for event in self._events:
                self._note(event["type"], event["object"], now=time.monotonic())

    def _note(self, kind: str, workspace: dict[str, Any], *, now: float) -> None:
        name, status = workspace["metadata"]["name"], workspace.get("status", {})
        with self._changed:
            if kind == "DELETED":
                self._seen.pop(name, None)
            else:
                before = self._seen.get(name) or Seen(name=name, announced=now)
                self._seen[name] = _with(before, status, now=now)
            self._changed.notify_all()


def _with(seen: Seen, status: dict[str, Any], *, now: float) -> Seen:
    if seen.position is None and "queue" in status:
        seen = replace(seen, position=status["queue"]["position"])
    if seen.bound is None and status.get("privateIP"):
        seen = replace(seen, bound=now, url=status.get("url", ""), machine=status["machine"])
    return seen
