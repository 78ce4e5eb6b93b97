"""Clients that beat and cost next to nothing, so that thousands fit beside what they measure."""

import asyncio
import time
from abc import ABC, abstractmethod

_MASK = b"\x00\x00\x00\x00"  # a client must mask its frames; this mask changes nothing
_TEXT = b'{"source": "bench"}'
_PING, _PONG, _CLOSE = 0x9, 0xA, 0x8


class Client(ABC):
    """One workspace: beats at its time, and notes how long each answer took."""

    def __init__(self, *, port: int, path: str, token: str) -> None:
        self.latencies: list[float] = []  # seconds
        self.failures = 0
        self._port = port
        self._path = path
        self._token = token

    async def run(self, *, first_at: float, every: float) -> None:
        """Beat for ever; a beat that was refused or not answered counts as a failure."""
        await asyncio.sleep(first_at - time.monotonic())
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port, limit=4096)
        due = first_at
        try:
            await self.open(reader, writer)
            while True:
                asked = time.monotonic()
                if not await self.beat(reader, writer):
                    self.failures += 1
                self.latencies.append(time.monotonic() - asked)
                due += every
                await self.wait(reader, writer, due - time.monotonic())
        except (OSError, asyncio.IncompleteReadError, TimeoutError):
            self.failures += 1
        finally:
            writer.close()

    @abstractmethod
    async def open(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Do what comes before the first beat."""

    @abstractmethod
    async def beat(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Beat, and return whether it was taken in."""

    async def wait(self, _: asyncio.StreamReader, __: asyncio.StreamWriter, seconds: float) -> None:
        """Wait for the next beat."""
        await asyncio.sleep(seconds)

    def head(self, method: str, what: str, *more: str) -> bytes:
        """Return a request's head."""
        lines = (
            f"{method} {self._path}/{what} HTTP/1.1",
            "Host: gateway",
            f"Authorization: Bearer {self._token}",
            *more,
            "",
            "",
        )
        return "\r\n".join(lines).encode()


class HttpClient(Client):
    """One POST a beat over a connection that stays open."""

    async def open(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Nothing comes before."""

    async def beat(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Send one and read the answer."""
        length = f"Content-Length: {len(_TEXT)}"
        writer.write(self.head("POST", "heartbeat", "Content-Type: application/json", length) + _TEXT)
        answer = await reader.readuntil(b"\r\n\r\n")
        return answer.startswith(b"HTTP/1.1 204")


class WebSocketClient(Client):
    """One message a beat, and a ping after it: its pong shows that the message was read."""

    async def open(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Shake hands."""
        key = ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13")
        writer.write(self.head("GET", "ws", *key, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="))
        if not (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101"):
            raise ConnectionError("no WebSocket")

    async def beat(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Send one and wait for the pong."""
        writer.write(_frame(0x1, _TEXT) + _frame(_PING, b"?"))
        while (kind := await self._read(reader, writer)) != _PONG:
            if kind == _CLOSE:
                raise ConnectionError("closed")
        return True

    async def wait(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seconds: float) -> None:
        """Answer pings until the next beat."""
        try:
            async with asyncio.timeout(seconds):
                while await self._read(reader, writer) != _CLOSE:
                    pass
                raise ConnectionError("closed")
        except TimeoutError:
            return

    @staticmethod
    async def _read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> int:
        """Read one short frame and return its kind; a ping is answered."""
        first, length = await reader.readexactly(2)
        payload = await reader.readexactly(length & 0x7F)
        if first & 0xF == _PING:
            writer.write(_frame(_PONG, payload))
        return first & 0xF


def _frame(kind: int, payload: bytes) -> bytes:
    return bytes((0x80 | kind, 0x80 | len(payload))) + _MASK + payload
