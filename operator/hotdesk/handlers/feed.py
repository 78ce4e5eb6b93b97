"""Handlers that write nothing: kopf's `on.event` is the only kind that costs the API server no write."""

import logging
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

import kopf
from pydantic import ValidationError

from hotdesk.api.v1alpha1 import GROUP, VERSION, MachinePool, Workspace
from hotdesk.api.wire import explain

log = logging.getLogger(__name__)

Kind = TypeVar("Kind", Workspace, MachinePool)


class Sink(Protocol):
    """Who wants the news."""

    def upsert(self, thing: Workspace | MachinePool) -> None:
        """Take in an object as it is now."""

    def knows(self, body: Mapping[str, Any]) -> bool:
        """Tell whether this state of an object came in before, like the answer to a write whose echo this is."""

    def delete(self, thing: Workspace | MachinePool) -> None:
        """Take in that an object is gone."""

    def set_namespace(self, name: str, labels: Mapping[str, str] | None) -> None:
        """Take in a namespace's labels; None when it is gone."""

    def set_priority(self, name: str, value: int | None, *, is_default: bool) -> None:
        """Take in a PriorityClass's value; None when it is gone."""


def register(registry: kopf.OperatorRegistry, sink: Sink, *, replayed: Callable[[str], None]) -> None:
    """Feed the sink with everything but Machines, whose events are too many for kopf (docs/decisions/0002).

    `replayed` is called with the UID of each object of a list that kopf replays, once it was taken in: what vanished
    before is never reported.
    """

    def feed(kind: type[Kind], event: kopf.RawEvent) -> None:
        body, is_gone = event["object"], event["type"] == "DELETED"
        if is_gone or not sink.knows(body):
            thing = _parsed(kind, body)
            if thing is not None:
                (sink.delete if is_gone else sink.upsert)(thing)
        if event["type"] is None:
            replayed(body["metadata"]["uid"])

    @kopf.on.event(GROUP, VERSION, "workspaces", registry=registry)
    async def workspace(event: kopf.RawEvent, **_: Any) -> None:
        feed(Workspace, event)

    @kopf.on.event(GROUP, VERSION, "machinepools", registry=registry)
    async def machine_pool(event: kopf.RawEvent, **_: Any) -> None:
        feed(MachinePool, event)

    @kopf.on.event("v1", "namespaces", registry=registry)
    async def namespace(event: kopf.RawEvent, **_: Any) -> None:
        meta = event["object"]["metadata"]
        sink.set_namespace(meta["name"], None if event["type"] == "DELETED" else meta.get("labels") or {})

    @kopf.on.event("scheduling.k8s.io", "v1", "priorityclasses", registry=registry)
    async def priority_class(event: kopf.RawEvent, **_: Any) -> None:
        body: Mapping[str, Any] = event["object"]
        value = None if event["type"] == "DELETED" else int(body.get("value", 0))
        sink.set_priority(body["metadata"]["name"], value, is_default=bool(body.get("globalDefault")))


def _parsed(kind: type[Kind], body: Any) -> Kind | None:
    try:
        return kind.model_validate(body)
    except ValidationError as error:
        name = body.get("metadata", {}).get("name")
        log.error("%s %s cannot be read and is left alone: %s", kind.__name__, name, explain(error))  # noqa: TRY400  # the sentence says it all
        return None
