"""A lean watch of Machines: most events of a claim are about them, and kopf takes twenty times as long for one."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import AsyncExitStack
from http import HTTPStatus
from typing import Any, Final

import aiohttp
import orjson
from pydantic import ValidationError

from hotdesk.adapters.kube.connection import Connection, open_session
from hotdesk.adapters.kube.errors import check
from hotdesk.adapters.kube.resources import MACHINES
from hotdesk.adapters.kube.session import Answer
from hotdesk.api.v1alpha1 import Machine
from hotdesk.api.wire import explain
from hotdesk.ports import HotdeskError, Unanswered

log = logging.getLogger(__name__)

_SILENCE: Final = 90  # seconds; bookmarks come about every minute
_SERVER_TIMEOUT: Final = 600  # seconds, after which the API server ends a watch in good order
_LINE: Final = 2**21  # bytes of one event; etcd's limit for an object is 1.5 MiB
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 5.0  # seconds


class _Expired(Exception):  # noqa: N818  # names the fact
    """The version to go on from is no longer kept: something may have been missed."""


class MachineWatch:
    """Feeds Machines to two callbacks. `relisted` is called whenever what came before is not in the stream.

    After that the caller must list and compare: the stream begins at a version that a list made later includes.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        upsert: Callable[[Machine], None],
        delete: Callable[[Machine], None],
        relisted: Callable[[], None],
    ) -> None:
        self._connection = connection
        self._upsert = upsert
        self._delete = delete
        self._relisted = relisted
        self._version = ""  # where to go on from; none: begin anew

    async def run(self) -> None:
        """Watch for ever; a broken stream goes on from its last version, an expired one begins anew."""
        url = self._connection.info.server.rstrip("/") + MACHINES.everywhere
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=3, sock_read=_SILENCE)
        pause = _FIRST_PAUSE
        async with AsyncExitStack() as closing:
            http = await closing.enter_async_context(open_session(self._connection, connections=2, timeout=timeout))
            while True:
                before = self._version
                try:
                    await self._follow(http, url)
                except _Expired:
                    self._version = ""
                except (HotdeskError, aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
                    log.info("the watch of machines broke: %r", error)
                pause = _FIRST_PAUSE if self._version != before else min(2 * pause, _LONGEST_PAUSE)
                await asyncio.sleep(pause)

    async def _follow(self, http: aiohttp.ClientSession, url: str) -> None:
        """Pass on what happens from the version that was reached, until the stream ends."""
        if not self._version:
            self._version = await _current_version(http, url)
            self._relisted()
        params = {
            "watch": "1",
            "resourceVersion": self._version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(_SERVER_TIMEOUT),
        }
        async with http.get(url, params=params, read_bufsize=_LINE) as response:
            if response.status == HTTPStatus.GONE:
                raise _Expired
            if response.status != HTTPStatus.OK:
                check(Answer(status=response.status, body=await response.read()), verb="watch", resource="machines")
            async for line in response.content:
                self._version = self._pass_on(orjson.loads(line))

    def _pass_on(self, event: dict[str, Any]) -> str:
        kind, body = event["type"], event["object"]
        if kind == "ERROR":
            if body.get("code") == HTTPStatus.GONE:
                raise _Expired
            raise Unanswered(f"the API server ended the watch of machines: {body.get('message')}")
        if kind != "BOOKMARK":
            try:
                machine = Machine.model_validate(body)
            except ValidationError as error:
                name = body["metadata"]["name"]
                log.error("Machine %s cannot be read and is left alone: %s", name, explain(error))  # noqa: TRY400  # the sentence says it all
            else:
                (self._delete if kind == "DELETED" else self._upsert)(machine)
        return str(body["metadata"]["resourceVersion"])


async def _current_version(http: aiohttp.ClientSession, url: str) -> str:
    """Return the version of a consistent list, without its items."""
    async with http.get(url, params={"limit": "1"}) as response:
        answer = Answer(status=response.status, body=await response.read())
    check(answer, verb="list", resource="machines")
    return str(orjson.loads(answer.body)["metadata"]["resourceVersion"])
