"""One port for those who watch the operator: /healthz, /readyz and /metrics."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from datetime import timedelta
from typing import TYPE_CHECKING, Self

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

_BEAT = 0.5  # seconds
_BEATS = 5
_SANE_LAG = timedelta(seconds=2)


class LagWatch:
    """Measures how late the event loop wakes who asked to be woken.

    A loop that hangs answers nothing at all, which a liveness probe notices by itself; this also shows one that
    gets through between long blocks. One long pause (a suspended laptop, a paused virtual machine) is over when
    the probe comes, and no reason to restart: what counts is the shortest delay of the last few beats.
    """

    def __init__(self) -> None:
        self._delays = deque([0.0], maxlen=_BEATS)

    @property
    def lag(self) -> timedelta:
        """What every beat of the last 2.5 s, or longer under lag, was late by at least."""
        return timedelta(seconds=min(self._delays))

    async def run(self) -> None:
        """Measure until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + _BEAT
            await asyncio.sleep(_BEAT)
            self.note(loop.time() - due)

    def note(self, delay: float) -> None:
        """Record by how many seconds one beat was late."""
        self._delays.append(max(0.0, delay))


class WebServer:
    """Serves while the context is entered; `port` tells the port that was chosen where 0 was asked for."""

    def __init__(  # what it serves and where, all by keyword
        self,
        *,
        host: str,
        port: int,
        not_ready: Callable[[], Sequence[str]],
        metrics: Callable[[], bytes],
        metrics_content_type: str,
        sane_lag: timedelta = _SANE_LAG,
    ) -> None:
        """`not_ready` returns the reasons why the operator is not ready, each a sentence; none means ready."""
        self._host = host
        self._asked_port = port
        self._not_ready = not_ready
        self._metrics = metrics
        self._metrics_headers = {"Content-Type": metrics_content_type}
        self._sane_lag = sane_lag
        self._lag = LagWatch()
        self._runner: web.AppRunner | None = None
        self._watch: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """The port it listens on."""
        if self._runner is None or not self._runner.addresses:
            raise RuntimeError("the web server does not listen: enter it first")
        port: int = self._runner.addresses[0][1]
        return port

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._expose)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self._asked_port).start()
        except BaseException:
            await runner.cleanup()
            raise
        self._runner = runner
        self._watch = asyncio.create_task(self._lag.run(), name="event loop lag")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._watch is not None:
            self._watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watch
        if self._runner is not None:
            await self._runner.cleanup()

    async def _healthz(self, _: web.Request) -> web.Response:
        if (lag := self._lag.lag) > self._sane_lag:
            return web.Response(status=503, text=f"the event loop lags by {lag.total_seconds():.1f} s\n")
        return web.Response(text="ok\n")

    async def _readyz(self, _: web.Request) -> web.Response:
        if reasons := self._not_ready():
            return web.Response(status=503, text="".join(f"{reason}\n" for reason in reasons))
        return web.Response(text="ok\n")

    async def _expose(self, _: web.Request) -> web.Response:
        return web.Response(body=self._metrics(), headers=self._metrics_headers)
