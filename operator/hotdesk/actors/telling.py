"""Telling people what changed: after the write that made it so, never before."""

import logging
from collections.abc import Iterable

from hotdesk.api.v1alpha1 import Machine, MachinePool, Workspace
from hotdesk.core.notices import Notice
from hotdesk.core.notices.pools import notices_of_machine, notices_of_pool
from hotdesk.core.notices.workspaces import notices_of
from hotdesk.ports import Clock, Notifier

log = logging.getLogger(__name__)


class Silence:
    """`ports.Notifier` for where nobody is told anything."""

    def tell(self, notice: Notice) -> None:
        """Drop the notice."""


class Teller:
    """Finds what a written change is worth telling and hands it on; neither waits nor raises."""

    def __init__(self, notifier: Notifier, clock: Clock) -> None:
        self._notifier = notifier
        self._clock = clock

    def changed(self, before: Workspace | None, after: Workspace, *, pool: MachinePool | None) -> None:
        """Tell of a workspace as it was read, and as the API server has it now."""
        try:
            self._tell(notices_of(before, after, pool=pool, now=self._clock.now()))
        except Exception:
            # The write has succeeded, and a claim goes on from here: no sentence is worth breaking it.
            log.exception("a notice could not be made", extra={"workspace": after.metadata.name})

    def machine_changed(self, before: Machine, after: Machine) -> None:
        """Tell of a machine as it was read, and as the API server has it now."""
        self._tell(notices_of_machine(before, after, now=self._clock.now()))

    def pool_changed(self, before: MachinePool, after: MachinePool) -> None:
        """Tell of a pool as it was read, and as the API server has it now."""
        self._tell(notices_of_pool(before, after, now=self._clock.now()))

    def _tell(self, notices: Iterable[Notice]) -> None:
        for notice in notices:
            self._notifier.tell(notice)
