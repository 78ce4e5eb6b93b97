"""How kopf is set up: no write of its own, short waits, and nothing remembered about objects."""

import logging
from typing import Any

import kopf


class NoDiff(kopf.DiffBaseStorage):
    """Keeps no last-seen state: without change handlers it is compared with nothing, and costs 200 µs an event."""

    def build(self, **_: Any) -> kopf.BodyEssence:
        """Return nothing to remember."""
        return kopf.BodyEssence()

    def fetch(self, **_: Any) -> kopf.BodyEssence | None:
        """Return nothing remembered."""
        return None

    def store(self, **_: Any) -> None:
        """Store nothing."""


class NoProgress(kopf.ProgressStorage):
    """Keeps no progress of handlers: handlers of events have none, and looking for it costs 100 µs an event."""

    def fetch(self, **_: Any) -> kopf.ProgressRecord | None:
        """Return nothing remembered."""
        return None

    def store(self, **_: Any) -> None:
        """Store nothing."""

    def purge(self, **_: Any) -> None:
        """Forget nothing."""

    def touch(self, **_: Any) -> None:
        """Mark nothing."""

    def clear(self, *, essence: kopf.BodyEssence) -> kopf.BodyEssence:
        """Return the object as it is: none of it is ours."""
        return essence


def made() -> kopf.OperatorSettings:
    """Return what a feed of events needs; docs/decisions/0002 says why."""
    settings = kopf.OperatorSettings()
    settings.peering.standalone = True
    settings.scanning.disabled = True
    settings.posting.enabled = False
    settings.watching.chunk_size = 500  # objects a page: 10,000 in one answer take 100 MB and stop the loop for 0.3 s
    settings.watching.reconnect_backoff = 0.05
    settings.watching.server_timeout = 60  # a connection that fell silent is found no later
    settings.queueing.idle_timeout = 0.5
    settings.networking.request_timeout = 10
    settings.networking.connect_timeout = 3
    # kopf gives up and ends the operator when these run out; an API server may be away for minutes.
    settings.networking.error_backoffs = [0.1, 0.2, 0.4, 0.8] + [1.0] * 300
    settings.persistence.diffbase_storage = NoDiff()
    settings.persistence.progress_storage = NoProgress()
    settings.persistence.consistency_timeout = 0
    settings.process.ultimate_exiting_timeout = None
    for name in ("kopf.objects", "kopf.activities"):
        logging.getLogger(name).setLevel(logging.WARNING)
    return settings
