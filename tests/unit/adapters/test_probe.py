"""When a machine counts as ready: real sockets on loopback."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from hotdesk.adapters.probe import NetworkProber
from hotdesk.api.v1alpha1 import HttpGet, Readiness, TcpSocket

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
_QUICK = timedelta(milliseconds=200)


def says(head: str, *, seen: list[bytes] | None = None) -> Talk:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        if seen is not None:
            seen.append(request)
        writer.write(f"{head}\r\nContent-Length: 0\r\n\r\n".encode())
        await writer.drain()
        writer.close()

    return talk


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()


async def nonsense(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"SSH-2.0-OpenSSH_9.0\r\n\r\n")
    writer.close()


def probe(talk: Talk | None, *, http: str | None = "/", timeout: timedelta = timedelta(seconds=10)) -> bool:
    talks: list[asyncio.Task[None]] = []
    came = asyncio.Event()

    async def talk_to(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talks.append(asyncio.current_task())
        came.set()
        await (talk or silent)(reader, writer)
        await writer.wait_closed()

    async def scenario() -> bool:
        server = await asyncio.start_server(talk_to, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        if talk is None:
            server.close()
            await server.wait_closed()
        readiness = (
            Readiness(tcp_socket=TcpSocket(port=port))
            if http is None
            else Readiness(http_get=HttpGet(port=port, path=http))
        )
        try:
            return await NetworkProber(timeout=timeout).is_ready(ip="127.0.0.1", readiness=readiness)
        finally:
            if talk is not None:
                await asyncio.wait_for(came.wait(), timeout=10)
            server.close()
            await asyncio.gather(*talks, return_exceptions=True)

    return asyncio.run(scenario())


@pytest.mark.parametrize(
    ("status", "ready"), [("200 OK", True), ("302 Found", True), ("404 Not Found", False), ("503 Busy", False)]
)
def test_http_status_from_200_to_399_is_ready(status: str, *, ready: bool):
    assert probe(says(f"HTTP/1.1 {status}")) is ready


def test_redirects_are_not_followed():
    seen: list[bytes] = []
    assert probe(says("HTTP/1.1 302 Found\r\nLocation: /elsewhere", seen=seen))
    assert len(seen) == 1


def test_path_goes_out_as_written_on_a_connection_of_its_own():
    seen: list[bytes] = []
    assert probe(says("HTTP/1.1 200 OK", seen=seen), http="/a%20b?c=d%2Fe")
    assert seen[0].startswith(b"GET /a%20b?c=d%2Fe HTTP/1.1\r\n")
    assert b"\r\nconnection: close\r\n" in seen[0].lower()


def test_path_cannot_name_another_host():
    seen: list[bytes] = []
    assert probe(says("HTTP/1.1 200 OK", seen=seen), http="//example.com/x")
    assert b"host: 127.0.0.1:" in seen[0].lower()


def test_open_port_is_ready_for_a_tcp_probe_even_if_it_says_nothing():
    assert probe(silent, http=None)


@pytest.mark.parametrize("http", ["/", None])
def test_closed_port_is_not_ready(http: str | None):
    assert not probe(None, http=http)


def test_machine_that_hangs_is_not_ready_when_the_time_is_over():
    assert not probe(silent, timeout=_QUICK)


def test_machine_that_does_not_speak_http_is_not_ready():
    assert not probe(nonsense)


def test_address_that_is_none_is_not_ready():
    readiness = Readiness(tcp_socket=TcpSocket(port=1))
    assert not asyncio.run(NetworkProber(timeout=_QUICK).is_ready(ip="no address", readiness=readiness))
