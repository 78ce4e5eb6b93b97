"""A lean watch: kopf takes twenty times as long for an event, and most events of a claim are about Machines."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from http import HTTPStatus
from typing import Any, Final, Generic

import aiohttp
import orjson
from pydantic import ValidationError

from hotdesk.adapters.kube.connection import Connection, open_session
from hotdesk.adapters.kube.errors import check
from hotdesk.adapters.kube.resources import M, Resource
from hotdesk.adapters.kube.session import Answer
from hotdesk.api.wire import explain
from hotdesk.ports import HotdeskError, Refused, Unanswered

log = logging.getLogger(__name__)

_SILENCE: Final = 90  # seconds; bookmarks come about every minute
_SERVER_TIMEOUT: Final = 600  # seconds, after which the API server ends a watch in good order
_LINE: Final = 2**21  # bytes of one event; etcd's limit for an object is 1.5 MiB
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 5.0  # seconds


class _Expired(Exception):  # noqa: N818  # names the fact
    """The version to go on from is no longer kept: something may have been missed."""


class Watch(Generic[M]):
    """Feeds objects of a kind to two callbacks. `relisted` is called whenever what came before is not in the stream.

    After that the caller must list and compare: the stream begins at a version that a list made later includes.
    """

    def __init__(
        self,
        connection: Connection,
        resource: Resource[M],
        *,
        upsert: Callable[[M], None],
        delete: Callable[[M], None],
        relisted: Callable[[], None],
        knows: Callable[[Mapping[str, Any]], bool] = lambda _: False,
        namespace: str = "",
        selector: str = "",
    ) -> None:
        """Watch one namespace if one is given, else everywhere; `selector` chooses by labels.

        A changed object of which `knows` says that its state came in before, by another way, is not read.
        """
        self._connection = connection
        self._resource: Resource[M] = resource
        self._url = connection.info.server.rstrip("/") + resource.within(namespace)
        self._selected = {"labelSelector": selector} if selector else {}
        self._upsert: Callable[[M], None] = upsert
        self._delete: Callable[[M], None] = delete
        self._relisted = relisted
        self._knows = knows
        self._version = ""  # where to go on from; none: begin anew

    async def run(self) -> None:
        """Watch for ever; a broken stream goes on from its last version, an expired one begins anew."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=3, sock_read=_SILENCE)
        pause = _FIRST_PAUSE
        async with AsyncExitStack() as closing:
            http = await closing.enter_async_context(open_session(self._connection, connections=2, timeout=timeout))
            while True:
                before = self._version
                try:
                    await self._follow(http)
                except _Expired:
                    self._version = ""
                except Refused as error:
                    log.info("the watch of %s begins anew: %r", self._resource.plural, error)
                    self._version = ""  # it may be the version that the API server cannot make anything of
                except (HotdeskError, aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
                    log.info("the watch of %s broke: %r", self._resource.plural, error)
                pause = _FIRST_PAUSE if self._version not in (before, "") else min(2 * pause, _LONGEST_PAUSE)
                await asyncio.sleep(pause)

    async def _follow(self, http: aiohttp.ClientSession) -> None:
        """Pass on what happens from the version that was reached, until the stream ends."""
        if not self._version:
            self._version = await self._current_version(http)
            self._relisted()
        params = {
            "watch": "1",
            "resourceVersion": self._version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(_SERVER_TIMEOUT),
            **self._selected,
        }
        async with http.get(self._url, params=params, read_bufsize=_LINE) as response:
            if response.status == HTTPStatus.GONE:
                raise _Expired
            if response.status != HTTPStatus.OK:
                answer = Answer(status=response.status, body=await response.read())
                check(answer, verb="watch", resource=self._resource.plural)
            async for line in response.content:
                self._version = self._pass_on(line)

    def _pass_on(self, line: bytes) -> str:
        kind, body = _event(line)
        if kind == "ERROR":
            if body.get("code") == HTTPStatus.GONE:
                raise _Expired
            raise Unanswered(f"the API server ended the watch of {self._resource.plural}: {body.get('message')}")
        version = _version(body)
        if kind != "BOOKMARK" and not (kind == "MODIFIED" and self._knows(body)):
            try:
                thing = self._resource.model.model_validate(body)
            except ValidationError as error:
                what, name = self._resource.model.__name__, body["metadata"].get("name")
                log.error("%s %s cannot be read and is left alone: %s", what, name, explain(error))  # noqa: TRY400  # the sentence says it all
            else:
                (self._delete if kind == "DELETED" else self._upsert)(thing)
        return version

    async def _current_version(self, http: aiohttp.ClientSession) -> str:
        """Return the version of a consistent list, without its items."""
        async with http.get(self._url, params={"limit": "1", **self._selected}) as response:
            answer = Answer(status=response.status, body=await response.read())
        check(answer, verb="list", resource=self._resource.plural)
        return _version(orjson.loads(answer.body))


def _event(line: bytes) -> tuple[str, dict[str, Any]]:
    match orjson.loads(line):
        case {"type": str(kind), "object": dict(body)}:
            return kind, body
        case _:
            raise Unanswered("a line of a watch is no event")


def _version(body: object) -> str:
    match body:
        case {"metadata": {"resourceVersion": str(version)}} if version:
            return version
        case _:
            raise Unanswered("an object or a list came without its resourceVersion")
