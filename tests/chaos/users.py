"""Users: each creates a workspace, works, rests, comes back, looks whether its file is there, and leaves."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Any

import urllib3

from chaos.api import HOTDESK, Api, NoAnswer
from chaos.history import Order, WorkspaceSeen
from chaos.watching import Watching
from e2e.manifests import workspace

NAMESPACE = "chaos"
_WITHOUT = 0.2  # seconds between two tries while the API server does not answer
_BETWEEN_PROBES = 2.0  # seconds
_PATH = f"{HOTDESK}/namespaces/{NAMESPACE}/workspaces"


@dataclass
class Crowd:
    """What all users share: the watch, the orders they gave, and whether the day is over."""

    api: Api
    watching: Watching
    orders: list[Order]
    over: threading.Event

    def create(self, name: str, *, pool: str) -> None:
        """Create a workspace, again and again until somebody answers."""
        began = _now()
        while True:
            try:
                status, said = self.api.ask("POST", _PATH, workspace(name, pool=pool, namespace=NAMESPACE, owner=name))
                if status == 409:  # an earlier try was carried out, and its answer was lost
                    status, said = self.api.ask("GET", f"{_PATH}/{name}")
            except NoAnswer:
                time.sleep(_WITHOUT)
                continue
            uid = said["metadata"]["uid"] if status < 300 else None
            self.orders.append(Order(began, _now(), "create", name, pool, uid, "" if uid else said.get("message", "")))
            return

    def delete(self, name: str, *, pool: str) -> None:
        """Delete a workspace, again and again until somebody answers."""
        self.orders.append(Order(_now(), None, "delete", name, pool))  # before anything is sent: it may take effect
        while True:
            try:
                self.api.ask("DELETE", f"{_PATH}/{name}")
            except NoAnswer:
                time.sleep(_WITHOUT)
                continue
            return

    def wake(self, name: str, *, pool: str) -> None:
        """Ask for a workspace's machine back."""
        now = datetime.now(UTC).isoformat().replace("+00:00", "Z")  # noqa: TID251  # a user reads a clock
        began, body = _now(), {"metadata": {"annotations": {"hotdesk.dev/wake-requested-at": now}}}
        while True:
            try:
                self.api.ask("PATCH", f"{_PATH}/{name}", body)
            except NoAnswer:
                time.sleep(_WITHOUT)
                continue
            self.orders.append(Order(began, _now(), "wake", name, pool))
            return

    def wait(self, name: str, wanted: Callable[[WorkspaceSeen], bool], *, within: float = 600) -> WorkspaceSeen | None:
        """Wait until a workspace is seen as wanted, or the day is over."""

        def is_so() -> bool:
            state = self.watching.workspace(name)
            return self.over.is_set() or (state is not None and wanted(state))

        self.watching.wait(is_so, within=within)
        state = self.watching.workspace(name)
        return state if state is not None and wanted(state) else None


class User(threading.Thread):
    """One user of one pool, with workspaces one after the other."""

    def __init__(self, number: int, *, pool: str, rests: bool, crowd: Crowd, seed: int) -> None:
        super().__init__(name=f"user {number}", daemon=True)
        self.failed: Exception | None = None
        self._number = number
        self._pool = pool
        self._rests = rests
        self._crowd = crowd
        self._chance = Random(f"{seed}/{number}")  # noqa: S311  # seeded, so that a run can be repeated
        self._http = urllib3.PoolManager(retries=False, timeout=2)
        self.texts: dict[str, str] = {}
        """What is in the file of each workspace that still exists, where it is known."""

    def run(self) -> None:
        """Work until the day is over; the last workspace is left as it is."""
        try:
            days = 0
            while not self._crowd.over.is_set():
                self._work(f"u{self._number}-{days}")
                days += 1
        except Exception as error:  # noqa: BLE001  # shown by the run, which waits for this thread
            self.failed = error

    def _work(self, name: str) -> None:
        crowd, pool = self._crowd, self._pool
        crowd.create(name, pool=pool)
        if self._chance.random() < 0.1:  # changes its mind, whatever has become of it
            self._pause(0, 0.5)
            return self._leave(name)
        if crowd.wait(name, _works) is None:
            return None
        self._write(name)
        self._pause(0.5, 6)
        for _ in range(self._chance.randrange(3) if self._rests else 0):
            if crowd.wait(name, lambda s: s.phase in {"Stopped", "Archived"}, within=40) is not None:
                self._pause(0, 12)
            if crowd.over.is_set():
                return None
            crowd.wake(name, pool=pool)
            if crowd.wait(name, _works) is None:
                return None
            self.look(name)
        if not crowd.over.is_set():
            self.look(name)
            self._leave(name)
        return None

    def look(self, name: str) -> None:
        """Read the file, if the machine answers, and note whether it is as it was left."""
        text, state = self.texts.get(name), self._crowd.watching.workspace(name)
        if text is None or state is None or not _works(state):
            return
        found = self._ask("GET", name, state)
        now = self._crowd.watching.workspace(name)
        if found is None or now is None or (now.machine, now.address) != (state.machine, state.address):
            return  # it was stopped meanwhile
        detail = "" if found == text else f"{state.machine} has {found[:80]!r} and not {text!r}"
        self._crowd.orders.append(Order(_now(), _now(), "read", name, self._pool, detail=detail))

    def _write(self, name: str) -> None:
        text, state = f"{name} {self._chance.random()}", self._crowd.watching.workspace(name)
        if state is not None and self._ask("PUT", name, state, text) is not None:
            self.texts[name] = text

    def _ask(self, method: str, name: str, state: WorkspaceSeen, text: str | None = None) -> str | None:
        url = f"http://{state.address}:8080/files/home/{name}/notes.txt"
        options: dict[str, Any] = {} if text is None else {"body": text.encode()}
        try:
            answer = self._http.request(method, url, **options)
        except urllib3.exceptions.HTTPError:
            return None
        if answer.status >= 500 or (method == "PUT" and answer.status >= 300):
            return None
        return str(answer.data.decode(errors="replace"))

    def _leave(self, name: str) -> None:
        self.texts.pop(name, None)
        self._crowd.delete(name, pool=self._pool)

    def _pause(self, least: float, most: float) -> None:
        self._crowd.over.wait(self._chance.uniform(least, most))


class Prober(threading.Thread):
    """Asks one pool for a machine again and again, at once when something is done to a replica, and times nothing."""

    def __init__(self, pool: str, crowd: Crowd) -> None:
        super().__init__(name=f"prober of {pool}", daemon=True)
        self.failed: Exception | None = None
        self.texts: dict[str, str] = {}
        self.wanted = threading.Event()
        self._pool = pool
        self._crowd = crowd

    def run(self) -> None:
        """Probe until the day is over."""
        try:
            probes = 0
            while not self._crowd.over.is_set():
                name = f"{self._pool}-{probes}"
                self._crowd.create(name, pool=self._pool)
                self._crowd.wait(name, lambda state: state.seat is not None)
                self._crowd.delete(name, pool=self._pool)
                self.wanted.wait(_BETWEEN_PROBES)
                self.wanted.clear()
                probes += 1
        except Exception as error:  # noqa: BLE001  # shown by the run, which waits for this thread
            self.failed = error


def _works(state: WorkspaceSeen) -> bool:
    return state.is_ready and state.phase == "Running"


def _now() -> float:
    return time.time()  # noqa: TID251  # a user's clock
