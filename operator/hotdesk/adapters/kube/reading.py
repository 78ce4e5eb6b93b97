"""Consistent reads of the Kubernetes API: lists in pages, single objects past every cache."""

from __future__ import annotations

import asyncio
import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import orjson
from pydantic import ValidationError

from hotdesk.adapters.kube.errors import check
from hotdesk.api.wire import explain
from hotdesk.ports import NotFound, Refused, Unanswered

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from hotdesk.adapters.kube.resources import M, Resource
    from hotdesk.adapters.kube.session import KubeSession

_log = logging.getLogger(__name__)

_PAGE = 500  # objects; the event loop is busy with one page for some 10 ms
_BATCH = 50  # objects parsed before the event loop has its turn
_LISTS = 3  # a list is begun anew this often when its snapshot expired (410) between two pages


class _Expired(Exception):  # noqa: N818  # names the fact
    """The snapshot that the pages come from expired before the last one was read."""


async def list_objects(
    session: KubeSession,
    resource: Resource[M],
    *,
    known: Mapping[str, M] | None = None,
    namespace: str = "",
    selector: str = "",
) -> list[M]:
    """Return every object that can be read, of one namespace if given; one that cannot is logged and left out.

    `known` are objects by UID, such as an earlier list has brought: one that has not changed since is not parsed again,
    which is most of what a list costs.

    Raises:
        Unanswered, Denied, Throttled: there is no complete list.

    """
    for _ in range(_LISTS):
        found: list[M] = []
        try:
            async for page in _pages(
                session, path=resource.within(namespace), resource=resource.plural, selector=selector
            ):
                found += [parsed async for parsed in _parsed(page, resource, known or {})]
        except _Expired:
            continue
        return found
    raise _no_list(resource.plural)


async def list_raw(session: KubeSession, *, path: str, resource: str, selector: str = "") -> list[dict[str, Any]]:
    """Return the items of every page of one consistent list; `selector` chooses by labels."""
    for _ in range(_LISTS):
        try:
            return [
                item async for page in _pages(session, path=path, resource=resource, selector=selector) for item in page
            ]
        except _Expired:
            continue
    raise _no_list(resource)


async def fetch_object(session: KubeSession, resource: Resource[M], *, name: str, namespace: str = "") -> M | None:
    """Return the object as it is now, or None if it does not exist.

    Raises:
        Refused: it exists and cannot be read; taking it for absent would release what it holds.
        Unanswered, Denied, Throttled: nobody knows.

    """
    try:
        answer = await session.read(resource.path(name=name, namespace=namespace))
        check(answer, verb="get", resource=resource.plural, name=name)
    except NotFound:
        return None
    try:
        return resource.model.model_validate_json(answer.body)
    except ValidationError as exc:
        raise Refused(f"{resource.plural} {name} cannot be read: {explain(exc)}") from exc


async def _pages(
    session: KubeSession, *, path: str, resource: str, selector: str
) -> AsyncIterator[list[dict[str, Any]]]:
    """Yield the items page by page, so that never more than one page is held raw."""
    asked = {"limit": str(_PAGE), **({"labelSelector": selector} if selector else {})}
    params = asked
    while True:
        answer = await session.read(path, params=params)
        if answer.status == HTTPStatus.GONE:
            raise _Expired
        check(answer, verb="list", resource=resource)
        try:
            items, token = _page(orjson.loads(answer.body))
        except ValueError as exc:
            raise Unanswered(f"cannot list {resource}: the answer is no list") from exc
        yield items
        if not token:
            return
        if token == params.get("continue"):
            raise Unanswered(f"cannot list {resource}: the list has no end")
        params = {**asked, "continue": token}


def _page(answer: object) -> tuple[list[dict[str, Any]], str]:
    """Return what a page lists, and the token of the next one.

    Raises:
        ValueError: it is no list. Taken for an empty one it would say that everything is gone.

    """
    match answer:
        case {"items": list() | None as items, "metadata": dict(metadata)}:
            token = metadata.get("continue") or ""
            if isinstance(token, str) and all(_is_object(item) for item in items or ()):
                return items or [], token
        case _:
            pass
    raise ValueError("no list")


def _is_object(item: object) -> bool:
    return isinstance(item, dict) and isinstance(item.get("metadata"), dict)


async def _parsed(items: list[dict[str, Any]], resource: Resource[M], known: Mapping[str, M]) -> AsyncIterator[M]:
    """Yield what can be read, and let the event loop have its turn now and then."""
    for number, item in enumerate(items, 1):
        if (same := _unchanged(item, known)) is not None:
            yield same
            continue
        try:
            yield resource.model.model_validate(item)
        except ValidationError as exc:
            _log_unreadable(item, resource=resource.plural, error=exc)
        if number % _BATCH == 0:
            await asyncio.sleep(0)


def _no_list(resource: str) -> Unanswered:
    return Unanswered(f"cannot list {resource}: every snapshot expired before its last page was read")


def _unchanged(item: dict[str, Any], known: Mapping[str, M]) -> M | None:
    """Return the known object that the item is, if it is still in its version."""
    metadata = item["metadata"]
    same = known.get(str(metadata.get("uid")))
    return same if same is not None and same.metadata.resource_version == metadata.get("resourceVersion") else None


def _log_unreadable(item: dict[str, Any], *, resource: str, error: ValidationError) -> None:
    metadata = item["metadata"]
    _log.warning(
        "object cannot be read and is left out: %s",
        explain(error),
        extra={"resource": resource, "namespace": metadata.get("namespace"), "object": metadata.get("name")},
    )
