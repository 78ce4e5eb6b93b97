"""What a kubelet and a Prometheus see on the operator's port."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta

import aiohttp
import pytest

from hotdesk.adapters.metrics import CONTENT_TYPE, PrometheusMetrics
from hotdesk.adapters.web import LagWatch, WebServer

Get = Callable[[str], Coroutine[None, None, tuple[int, str, str]]]


def serve(scenario: Callable[[Get], Coroutine[None, None, None]], *, reasons: list[str], lag: timedelta) -> None:
    """Run the scenario beside a web server; it gets a function that fetches a path."""

    async def run() -> None:
        server = WebServer(
            host="127.0.0.1",
            port=0,
            not_ready=lambda: reasons,
            metrics=PrometheusMetrics().render,
            metrics_content_type=CONTENT_TYPE,
            sane_lag=lag,
        )
        async with server, aiohttp.ClientSession(f"http://127.0.0.1:{server.port}") as session:

            async def get(path: str) -> tuple[int, str, str]:
                async with session.get(path) as answer:
                    return answer.status, await answer.text(), answer.headers["Content-Type"]

            await scenario(get)

    asyncio.run(run())


def test_ready_when_there_is_no_reason_not_to_be():
    reasons = ["the pools were not listed yet", "no credentials"]

    async def scenario(get: Get) -> None:
        assert (await get("/readyz"))[:2] == (503, "the pools were not listed yet\nno credentials\n")
        reasons.clear()
        assert (await get("/readyz"))[:2] == (200, "ok\n")

    serve(scenario, reasons=reasons, lag=timedelta(seconds=60))


def test_alive_while_the_event_loop_runs():
    async def scenario(get: Get) -> None:
        assert (await get("/healthz"))[:2] == (200, "ok\n")

    serve(scenario, reasons=["not ready is not dead"], lag=timedelta(seconds=60))


def test_lagging_event_loop_is_unhealthy():
    async def scenario(get: Get) -> None:
        status, text, _ = await get("/healthz")
        assert status == 503
        assert text.startswith("the event loop lags by")

    serve(scenario, reasons=[], lag=timedelta(seconds=-1))


def test_one_long_pause_is_no_lag():
    watch = LagWatch()
    for delay in (0.0, 30.0, 0.0):
        watch.note(delay)
    assert watch.lag == timedelta(0)
    for _ in range(5):
        watch.note(3.0)
    assert watch.lag == timedelta(seconds=3)


def test_metrics_are_served_in_the_format_of_prometheus():
    async def scenario(get: Get) -> None:
        status, text, content_type = await get("/metrics")
        assert (status, content_type) == (200, CONTENT_TYPE)
        assert "# TYPE hotdesk_claim_duration_seconds histogram" in text

    serve(scenario, reasons=[], lag=timedelta(seconds=60))


def test_taken_port_is_an_error():
    async def run() -> None:
        def server(port: int) -> WebServer:
            return WebServer(
                host="127.0.0.1", port=port, not_ready=list, metrics=bytes, metrics_content_type=CONTENT_TYPE
            )

        async with server(0) as first:
            with pytest.raises(OSError, match="in use"):
                await server(first.port).__aenter__()

    asyncio.run(run())
