"""Kubernetes Events, written when there is nothing better to do; a lost one loses nothing.

They are those of events.k8s.io/v1, which kubectl shows as it does those of core/v1 (both are one object in the
API server): it checks every field when an Event is made, and what is said again is a `series` in the same Event.

What they may cost: one write at a time on a connection of their own, one a second while notices still come in (which is
while claims are made, as each tells of itself) and ten a second in the quiet afterwards. Claims make hundreds of writes
a second over 32 other connections. So 1,000 claims at once are told of within two minutes. To find that a claim is to
be told, and to take it in, costs 40 µs of CPU (measured on two busy cores), after the user has the IP.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Any, Final, Protocol

import orjson

from hotdesk.adapters.backlog import Backlog
from hotdesk.adapters.kube.errors import check
from hotdesk.api.v1alpha1 import API_VERSION
from hotdesk.core.rates import Limits, Rate
from hotdesk.ports import Clock, Conflict, HotdeskError, NotFound, Throttled, Unanswered

if TYPE_CHECKING:
    from datetime import datetime

    from hotdesk.adapters.kube.session import KubeSession
    from hotdesk.core.notices import Notice

log = logging.getLogger(__name__)

CONTROLLER: Final = "hotdesk.dev/operator"
CONNECTIONS: Final = 1
CHANNEL: Final = "event"
# client-go's own filter against floods: 25 Events of one object at once. It lets one more pass every 5 minutes.
_PER_OBJECT: Final = Rate(per_second=1 / 60, burst=25)
_SAID_OFTEN_ENOUGH: Final = Rate(per_second=1 / 600, burst=1)  # the same trouble, in the log
_REMEMBERED: Final = 3600.0  # seconds; kube-apiserver itself forgets an Event after an hour (its --event-ttl)
_MOST_REMEMBERED: Final = 10_000
_TRIES: Final = 3
_LONGEST_NOTE: Final = 1024  # bytes, as the API server checks
_LONGEST_NAME: Final = 253


class OnNotice(Protocol):
    """Told what became of a notice on a channel."""

    def __call__(self, *, channel: str, outcome: str) -> None:
        """Count it: `told`, `dropped` or `failed`."""


@dataclass(frozen=True, slots=True)
class EventPace:
    """How fast Events are written, in seconds."""

    gap: float = 0.1  # between two, while nothing happens
    gap_busy: float = 1.0  # the same while notices come in
    quiet: float = 1.0  # after the last notice it is quiet
    retry: float = 2.0  # after a write that failed for now


@dataclass(slots=True)
class _Told:
    """One Event that was made, or is about to be."""

    first: Notice
    since: float
    last_at: datetime
    count: int = 1
    is_waiting: bool = True
    exists: bool = False


class KubeEvents:
    """Writes notices as Events. Belongs to one event loop."""

    def __init__(
        self,
        session: KubeSession,
        *,
        instance: str,
        clock: Clock,
        on_notice: OnNotice,
        pace: EventPace | None = None,
        backlog: Backlog | None = None,
    ) -> None:
        """`instance` names this replica, for whoever asks which one said it."""
        self._session = session
        self._instance = instance[:128]
        self._clock = clock
        self._on_notice = on_notice
        self._pace = pace or EventPace()
        self._backlog = backlog if backlog is not None else Backlog()
        self._told: dict[str, _Told] = {}  # by the notice's id, the oldest first
        self._per_object = Limits(_PER_OBJECT)
        self._complaints = Limits(_SAID_OFTEN_ENOUGH)
        self._news = asyncio.Event()
        self._came_in = float("-inf")

    def tell(self, notice: Notice) -> None:
        """Take a notice in: some microseconds, and no call."""
        now = self._came_in = self._clock.monotonic()
        told = self._recall(notice.id, now=now)
        if told is not None:
            told.count += 1
            told.last_at = notice.at
            if told.is_waiting:
                return  # what is to be written says it
        if self._per_object.admit(notice.uid, at=now) > 0:
            self._on_notice(channel=CHANNEL, outcome="dropped")
            return
        if told is None:
            self._told[notice.id] = _Told(first=notice, since=now, last_at=notice.at)
        else:
            told.is_waiting = True
        if (dropped := self._backlog.put(notice)) is not None:
            self._forget(dropped)
            self._on_notice(channel=CHANNEL, outcome="dropped")
        self._news.set()

    async def run(self) -> None:
        """Write what is told, for ever."""
        while True:
            await self._news.wait()
            await asyncio.sleep(self._gap())
            notice = self._backlog.take()
            if notice is None:
                self._news.clear()
            elif (told := self._told.get(notice.id)) is not None:
                await self._write_safely(told)

    def _gap(self) -> float:
        is_busy = self._clock.monotonic() - self._came_in < self._pace.quiet
        return self._pace.gap_busy if is_busy else self._pace.gap

    async def _write_safely(self, told: _Told) -> None:
        try:
            await self._write(told)
        except Exception:
            # A fault of ours in one notice must not end all others.
            log.exception("an Event was lost", extra={"reason": told.first.reason, "object": told.first.name})
            self._forget(told.first)
            self._on_notice(channel=CHANNEL, outcome="failed")

    async def _write(self, told: _Told) -> None:
        """Write one Event, or its next count, and again if nobody answers: its name makes a second one a 409."""
        told.is_waiting = False
        for _ in range(_TRIES):
            try:
                await (self._repeat(told) if told.exists else self._create(told))
            except Conflict:
                pass  # another process, or this one before it was started again, has told it
            except (Unanswered, Throttled) as error:
                self._complain(error)
                await asyncio.sleep(self._pace.retry)
                continue
            except HotdeskError as error:
                self._give_up(told, error)
                return
            told.exists = True
            self._on_notice(channel=CHANNEL, outcome="told")
            return
        self._give_up(told, None)

    async def _create(self, told: _Told) -> None:
        body = event_of(told.first, instance=self._instance)
        if told.count > 1:
            body["series"] = _series(told)
        await self._send("POST", told.first, body, verb="create")

    async def _repeat(self, told: _Told) -> None:
        await self._send("PATCH", told.first, {"series": _series(told)}, verb="patch")

    async def _send(self, method: str, notice: Notice, body: dict[str, Any], *, verb: str) -> None:
        name, path = event_name(notice), f"/apis/events.k8s.io/v1/namespaces/{_namespace(notice)}/events"
        answer = await self._session.write(
            method,
            path if method == "POST" else f"{path}/{name}",
            body=orjson.dumps(body),
            content_type="application/json" if method == "POST" else "application/merge-patch+json",
        )
        check(answer, verb=verb, resource="events.events.k8s.io", name=name)

    def _give_up(self, told: _Told, error: HotdeskError | None) -> None:
        self._forget(told.first)
        self._on_notice(channel=CHANNEL, outcome="failed")
        if error is not None and not isinstance(error, NotFound):  # it is gone, or its namespace
            self._complain(error)

    def _complain(self, error: HotdeskError) -> None:
        if self._complaints.admit(type(error).__name__, at=self._clock.monotonic()) == 0:
            log.warning("an Event was not written: %s", error)

    def _recall(self, id: str, *, now: float) -> _Told | None:  # noqa: A002  # the notice's word
        """Return what was told within the last hour under this id, and forget what is older."""
        while self._told:
            oldest = next(iter(self._told))
            if len(self._told) < _MOST_REMEMBERED and now - self._told[oldest].since < _REMEMBERED:
                break
            del self._told[oldest]
        return self._told.get(id)

    def _forget(self, notice: Notice) -> None:
        self._told.pop(notice.id, None)


def event_of(notice: Notice, *, instance: str) -> dict[str, Any]:
    """Return the Event that says it, as it is created."""
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": event_name(notice), "namespace": _namespace(notice)},
        "eventTime": _micro(notice.at),
        "reportingController": CONTROLLER,
        "reportingInstance": instance,
        "action": notice.reason,
        "reason": notice.reason,
        "type": "Warning" if notice.is_warning else "Normal",
        "note": notice.message.encode()[:_LONGEST_NOTE].decode(errors="ignore"),
        "regarding": {
            "apiVersion": API_VERSION,
            "kind": notice.kind,
            "name": notice.name,
            "uid": notice.uid,
            **({"namespace": notice.namespace} if notice.namespace else {}),
        },
    }


def event_name(notice: Notice) -> str:
    """Return a name that every process gives the same notice, so that it is created once."""
    suffix = f".{notice.id[:16]}"
    return notice.name[: _LONGEST_NAME - len(suffix)].rstrip(".-") + suffix


def _namespace(notice: Notice) -> str:
    return notice.namespace or "default"  # where Kubernetes keeps the Events of what is in no namespace


def _series(told: _Told) -> dict[str, Any]:
    return {"count": told.count, "lastObservedTime": _micro(told.last_at)}


def _micro(time: datetime) -> str:
    return time.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
