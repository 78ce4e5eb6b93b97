"""Writes to the Kubernetes API: sent once, answered with the object as it is now, and counted."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any, Protocol

import orjson
from pydantic import ValidationError

from hotdesk.adapters.kube.errors import check
from hotdesk.adapters.kube.patches import guard
from hotdesk.api.wire import explain
from hotdesk.ports import HotdeskError, Unanswered

if TYPE_CHECKING:
    from collections.abc import Callable

    from hotdesk.adapters.kube.resources import M, Resource
    from hotdesk.adapters.kube.session import KubeSession

_JSON = "application/json"
_MERGE_PATCH = "application/merge-patch+json"


class WriteObserver(Protocol):
    """Told of every write when it has ended."""

    def __call__(self, *, resource: str, verb: str, outcome: str, seconds: float) -> None:
        """Record one write; the outcome is `ok` or the error of ports in lower case."""


class Writer:
    """Sends the writes of one session and tells the observer of each."""

    def __init__(
        self, session: KubeSession, *, observer: WriteObserver | None, gate: Callable[[], None] = lambda: None
    ) -> None:
        """`gate` is called at the last moment before each write, and raises what keeps it from being sent."""
        self._session = session
        self._observer = observer
        self._gate = gate

    async def create(self, resource: Resource[M], body: dict[str, Any], *, name: str) -> M:
        """POST a new object."""
        path = resource.within(body["metadata"].get("namespace", ""))
        answer = await self._send("POST", path, body=body, verb="create", resource=resource.plural, name=name)
        return _parse(answer, resource=resource, name=name)

    async def patch(self, resource: Resource[M], target: M, body: dict[str, Any], *, subresource: str = "") -> M:
        """Merge-patch the object if it is still as it was read; the guard is added here."""
        name = target.metadata.name
        path = resource.path(name=name, namespace=target.metadata.namespace)
        guarded = body | {"metadata": guard(target) | body.get("metadata", {})}
        answer = await self._send(
            "PATCH",
            f"{path}/{subresource}" if subresource else path,
            body=guarded,
            verb="patch",
            resource=f"{resource.plural}/{subresource}" if subresource else resource.plural,
            name=name,
        )
        return _parse(answer, resource=resource, name=name)

    async def delete(self, resource: Resource[M], target: M) -> None:
        """DELETE the object if it is still as it was read.

        aiohttp itself sends a DELETE again if a kept connection turns out to be closed. That is harmless here: the
        version in the preconditions lets it hit nothing but what was read.
        """
        name = target.metadata.name
        await self._send(
            "DELETE",
            resource.path(name=name, namespace=target.metadata.namespace),
            body={"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": guard(target)},
            verb="delete",
            resource=resource.plural,
            name=name,
        )

    async def _send(  # what a request is made of, all by keyword
        self, method: str, path: str, *, body: dict[str, Any], verb: str, resource: str, name: str
    ) -> bytes:
        started = perf_counter()
        outcome = "ok"
        try:
            answer = await self._session.write(
                method,
                path,
                body=orjson.dumps(body),
                content_type=_MERGE_PATCH if method == "PATCH" else _JSON,
                begin=self._gate,
            )
            check(answer, verb=verb, resource=resource, name=name)
        except HotdeskError as exc:
            outcome = type(exc).__name__.lower()
            raise
        else:
            return answer.body
        finally:
            if self._observer is not None:
                self._observer(resource=resource, verb=verb, outcome=outcome, seconds=perf_counter() - started)


def _parse(body: bytes, *, resource: Resource[M], name: str) -> M:
    try:
        return resource.model.model_validate_json(body)
    except ValidationError as exc:
        raise Unanswered(f"{resource.plural} {name} was written, but the answer is unreadable: {explain(exc)}") from exc
