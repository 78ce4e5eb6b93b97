"""A real editor on loopback, and the real probes that ask it who is at work."""

import asyncio
import os
import signal
import socket
import subprocess
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import aiohttp

from hotdesk.adapters.clock import SystemClock
from hotdesk.adapters.signals.network import NetworkSignals
from hotdesk.adapters.signals.processors import Processors
from hotdesk.api.v1alpha1 import Activity, SecretKey
from hotdesk.core.evidence import Evidence, Question

_EVERY = 0.5  # seconds between two questions: far more often than Hotdesk asks, so that asking itself would show


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def started(command: Sequence[str | Path], *, home: Path, **env: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server and everything it starts, with a home of its own; end all of it."""
    names = ("PATH", "LANG", "TMPDIR")
    own = {name: os.environ[name] for name in names if name in os.environ} | {"HOME": str(home), **env}
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=home, env=own, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    try:
        yield process
    finally:
        for number in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=10)


class Safe:
    """The one Secret there is."""

    def __init__(self, token: str) -> None:
        self._token = token

    async def fetch(self, ref: SecretKey) -> str:
        """Return it, whatever it is called."""
        del ref
        return self._token


class Desk:
    """One editor as Hotdesk sees it."""

    def __init__(self, activity: Activity, *, process: subprocess.Popen[bytes], log: Path, token: str = "") -> None:
        self._question = Question(machine="i-1", ip="127.0.0.1", activity=activity, region="eu-west-1")
        clock = SystemClock()
        self._signals = NetworkSignals(secrets=Safe(token), processors=Processors(_NoMeters(), clock), clock=clock)
        self._process = process
        self._log = log

    async def look(self) -> Evidence:
        """Ask once."""
        (evidence,) = await self._signals.ask([self._question])
        return evidence

    async def until(self, is_it: Callable[[Evidence], bool], *, what: str, within: float) -> Evidence:
        """Ask again and again until the evidence is as wanted."""
        evidence: Evidence | None = None
        try:
            async with asyncio.timeout(within):
                while True:
                    evidence = await self.look()
                    if is_it(evidence):
                        return evidence
                    if self._process.poll() is not None:
                        raise AssertionError(f"the editor has ended: {self._log.read_text(errors='replace')[-3000:]}")
                    await asyncio.sleep(_EVERY)
        except TimeoutError:
            said = self._log.read_text(errors="replace")[-3000:]
            raise AssertionError(
                f"not within {within:g} s: {what}; last: {evidence}; the editor said: {said}"
            ) from None

    async def until_answering(self) -> Evidence:
        """Wait until it answers."""
        return await self.until(lambda seen: seen.failure is None, what="it answers", within=60)

    async def until_quiet(self, seconds: float) -> Evidence:
        """Wait until nobody has been seen for so long."""
        evidence = await self.until(
            lambda seen: age(seen) >= seconds, what=f"nobody seen for {seconds:g} s", within=3 * seconds + 30
        )
        assert evidence.failure is None
        return evidence


class _NoMeters:
    def meter(self, **_: object) -> None:
        raise AssertionError("nobody wants processors to be measured")


def age(evidence: Evidence) -> float:
    """Return how long ago the last input was when it was asked, in seconds; -1 if there was none."""
    return (evidence.at - evidence.last_input).total_seconds() if evidence.last_input is not None else -1.0


def with_http(
    act: Callable[[aiohttp.ClientSession], Awaitable[None]], *, headers: dict[str, str] | None = None
) -> None:
    """Let somebody act who closes each connection, except those that are meant to stay."""

    async def scenario() -> None:
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(force_close=True), headers=headers, timeout=aiohttp.ClientTimeout(total=60)
        ) as http:
            await act(http)

    asyncio.run(scenario())
