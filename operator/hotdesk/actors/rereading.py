"""Reading an object past every cache after a write whose outcome is in doubt."""

import asyncio
import logging

from hotdesk.api.v1alpha1 import Machine, Workspace
from hotdesk.core.pool_facts import PoolFacts
from hotdesk.ports import Denied, Refused, Store, Throttled, Unanswered

log = logging.getLogger(__name__)

_FIRST_WAIT = 0.05  # seconds, doubling
_LONGEST_WAIT = 5.0  # seconds


class Rereader:
    """Brings the facts up to what the API server holds; while it does not answer, it asks on and on."""

    def __init__(self, facts: PoolFacts, store: Store) -> None:
        self._facts = facts
        self._store = store

    async def machine(self, name: str, *, because: Exception | None = None) -> Machine | None:
        """Read a Machine into the facts and return it; None if it is gone."""
        _explain("machine", name, because)
        wait = _FIRST_WAIT
        while True:
            try:
                machine = await self._store.fetch_machine(name=name)
            except Refused:
                return self._facts.machines.get(name)  # it cannot be read: the log says why, nothing is known anew
            except (Unanswered, Throttled, Denied):
                wait = await _patience(wait)
                continue
            if machine is None:
                self._facts.remove_machine(name)
            else:
                self._facts.upsert_machine(machine)
            return machine

    async def workspace(self, workspace: Workspace, *, because: Exception | None = None) -> Workspace | None:
        """Read a Workspace into the facts and return it; None if it is gone or was created anew under its name."""
        meta = workspace.metadata
        _explain("workspace", f"{meta.namespace}/{meta.name}", because)
        wait = _FIRST_WAIT
        while True:
            try:
                found = await self._store.fetch_workspace(namespace=meta.namespace, name=meta.name)
            except Refused:
                return None
            except (Unanswered, Throttled, Denied):
                wait = await _patience(wait)
                continue
            if found is None or found.metadata.uid != meta.uid:
                self._facts.remove_workspace(meta.uid)
                return None
            self._facts.upsert_workspace(found)
            return found


async def _patience(wait: float) -> float:
    await asyncio.sleep(wait)
    return min(2 * wait, _LONGEST_WAIT)


def _explain(kind: str, name: str, because: Exception | None) -> None:
    if because is not None:
        log.info("reading anew", extra={kind: name, "because": f"{type(because).__name__}: {because}"})
