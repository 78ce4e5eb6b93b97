"""The Kubernetes API on simulated time: the fake's storage, watches that lag and break, and no sockets."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import orjson

from fakes.apiserver.answering import Answering, Asked
from fakes.apiserver.discovery import document
from fakes.apiserver.errors import ApiError
from fakes.apiserver.kinds import Kind, served_kinds
from fakes.apiserver.paths import parse
from fakes.apiserver.storage import Json, Storage
from hotdesk.adapters.kube.session import Answer
from simworld.network import Call, Fate, Network
from simworld.process import Process
from simworld.timeline import Timeline
from simworld.trace import Trace

KINDS = {kind.plural: kind for kind in served_kinds()}
_VERBS = {"POST": "create", "PATCH": "patch", "PUT": "update", "DELETE": "delete"}
_SILENCE = 5.0  # seconds that a KubeSession waits for an answer
_REFUSALS = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.INTERNAL_SERVER_ERROR, HTTPStatus.SERVICE_UNAVAILABLE)
PEOPLE = "people"


class SimApiServer:
    """Storage, the way to it, and the watches. People act through `create`, `patch` and `delete`, past every fault."""

    def __init__(self, timeline: Timeline, trace: Trace) -> None:
        self.storage = Storage(now=lambda: timeline.moment)
        self.network = Network(timeline, patience=_SILENCE)
        self.network.on_fate = lambda process, call, fate: trace.add(process.name, f"{call}: {fate.name}")
        self.watches: list[Watch] = []
        self.writer = PEOPLE  # whose write is being carried out
        self.watch_lag = (0.001, 0.01)  # seconds from a write to its event, least and most
        self.timeline = timeline
        self._trace = trace
        self._answering = Answering(self.storage)
        self.storage.subscribe(self._published)

    def create(self, plural: str, body: Json, *, namespace: str = "") -> Json:
        return self.storage.create(KINDS[plural], namespace, body)

    def patch(self, plural: str, name: str, patch: Json, *, namespace: str = "", status: bool = False) -> Json:
        return self.storage.patch(KINDS[plural], (namespace, name), patch, status=status)

    def delete(self, plural: str, name: str, *, namespace: str = "") -> None:
        self.storage.delete(KINDS[plural], (namespace, name), {})

    def get(self, plural: str, name: str, *, namespace: str = "") -> Json | None:
        return self.storage._objects.get(KINDS[plural], {}).get((namespace, name))

    def objects(self, plural: str) -> list[Json]:
        return self.storage.objects(KINDS[plural])

    def take_over(self, other: "SimApiServer") -> None:
        """Become a copy of another API server as it is now."""
        mine, theirs = self.storage, other.storage
        mine._objects = {kind: dict(stored) for kind, stored in theirs._objects.items()}
        mine.version, mine.floor, mine._uids = theirs.version, theirs.version, theirs._uids
        mine._history.clear()

    def compact(self) -> None:
        """Forget the history: who watches from before must list anew."""
        self.storage.forget_history()
        self._answering.forget_snapshots()

    def send(  # what a request is made of
        self,
        process: Process,
        *,
        method: str,
        path: str,
        query: dict[str, str],
        body: bytes | None,
        content_type: str,
        deliver: Callable[[Answer | None], None],
    ) -> None:
        """Carry one request; None is delivered if it gets no answer."""
        target = parse(path, KINDS.values())
        verb = _VERBS.get(method) or ("get" if target is not None and target.name else "list")
        about = path if target is None else f"{target.resource} {target.namespace}/{target.name}".replace(" /", " ")
        call = Call(service="api", verb=verb, about=about.rstrip("/ "), is_write=method != "GET")

        def perform(fate: Fate) -> Answer | None:
            if fate is Fate.LOST:
                return None
            if fate is Fate.REFUSED:
                return _refusal(self.timeline.random.choice(_REFUSALS))
            if target is None:
                return Answer(status=200, body=orjson.dumps(document(path, KINDS.values())))
            asked = Asked(
                method=method,
                target=target,
                query=query,
                content_type=content_type,
                body=orjson.loads(body) if body else {},
            )
            answer = self._carried_out(process, call, asked)
            return answer if fate is not Fate.BROKEN else _refusal(HTTPStatus.INTERNAL_SERVER_ERROR)

        self.network.carry(process, call, perform, deliver)

    def watch(self, process: Process, plural: str, *, since: int, tell: "Tell", ended: Callable[[], None]) -> "Watch":
        """Open a watch; raises ApiError 410 if the version is no longer known."""
        watch = Watch(self, process, KINDS[plural], since=since, tell=tell, ended=ended)
        self.storage.events_since(since, watch.kind)
        self.watches.append(watch)
        watch.pump()
        return watch

    def _carried_out(self, process: Process, call: Call, asked: Asked) -> Answer:
        self.writer = process.name
        try:
            status, found = self._answering.answer(asked)
        except ApiError as error:
            status, found = int(error.code), error.status
        finally:
            self.writer = PEOPLE
        if call.is_write and (status >= HTTPStatus.BAD_REQUEST or not _is_renewal(asked)):
            self._trace.add(process.name, lambda: f"{call} {_brief(asked.body)} -> {status}")
        return Answer(status=status, body=orjson.dumps(found))

    def _published(self, kind: Kind, _event_type: str, _stored: Json) -> None:
        for watch in self.watches:
            if watch.kind is kind:
                watch.pump()


Tell = Callable[[str, Json], None]


class Watch:
    """One open watch: events in their order, late; it can fall silent, and it can break."""

    def __init__(
        self, server: SimApiServer, process: Process, kind: Kind, *, since: int, tell: Tell, ended: Callable[[], None]
    ) -> None:
        self.kind = kind
        self.process = process
        self.reached = since
        self.is_mute = False
        self._server = server
        self._tell = tell
        self._ended = ended
        self._is_coming = False

    def pump(self) -> None:
        """Send what happened, after the lag of the moment."""
        if not self._is_coming and not self.process.is_dead and not self.is_mute:
            self._is_coming = True
            self._server.timeline.later(self._server.timeline.between(*self._server.watch_lag), self._arrive)

    def mute(self, *, seconds: float) -> None:
        """Let it fall silent, until the client gives it up after so long."""
        self.is_mute = True
        self._server.timeline.later(seconds, self.end)

    def end(self) -> None:
        """Break it; what was not told yet is told by the watch that comes after it."""
        if self in self._server.watches:
            self._server.watches.remove(self)
            self.process.hear(self._ended)

    def close(self) -> None:
        """Let it be closed by its owner."""
        if self in self._server.watches:
            self._server.watches.remove(self)

    def bookmark(self) -> None:
        """Tell how far it is."""
        version = {"resourceVersion": str(self._server.storage.version)}
        self.process.hear(lambda: self._tell("BOOKMARK", {"metadata": version}))

    def _arrive(self) -> None:
        self._is_coming = False
        if self.is_mute or self not in self._server.watches:
            return
        try:
            events = self._server.storage.events_since(self.reached, self.kind)
        except ApiError:
            self.end()
            return
        for event in events:
            self.reached = event.version
            self.process.hear(lambda event=event: self._tell(event.type, event.object))


def _is_renewal(asked: Asked) -> bool:
    """Tell whether a write is a replica's heartbeat, which nobody wants to read."""
    return asked.method == "PATCH" and asked.target.name.startswith("replica-")


def _refusal(status: HTTPStatus) -> Answer:
    body = {"kind": "Status", "status": "Failure", "message": "the world is like this today", "code": int(status)}
    return Answer(status=int(status), body=orjson.dumps(body))


def _brief(body: Any) -> str:
    """Say what a write wants, in one line."""
    if not isinstance(body, dict):
        return ""
    parts: list[str] = []
    metadata, spec, status = body.get("metadata") or {}, body.get("spec") or {}, body.get("status") or {}
    if "claims" in spec:
        parts.append("claims=" + ",".join(f"{c['slot']}:{c['workspace']['name']}" for c in spec["claims"]))
    if spec.get("reap"):
        parts.append(f"reap={spec['reap']['reason']}")
    if "finalizers" in metadata:
        parts.append(f"finalizers={metadata['finalizers']}")
    parts += [f"{key}={value}" for key, value in status.items() if key in _TOLD]
    parts += [f"{c['type']}={c['status']}({c['reason']})" for c in status.get("conditions", ()) if c["type"] == "Ready"]
    if "resourceVersion" in metadata:
        parts.append(f"rv={metadata['resourceVersion']}")
    return " ".join(parts)


_TOLD = ("phase", "machine", "slot", "inGroup", "idle", "waiting", "claimed", "booting", "desired", "capacityCall")
