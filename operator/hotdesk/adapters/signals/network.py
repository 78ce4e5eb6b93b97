"""The Signals port: programs on machines are asked over HTTP, and CloudWatch about their processors."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import aiohttp

from hotdesk.adapters.signals.answers import Asker, NoAnswer, Refused
from hotdesk.adapters.signals.code_server import ask_code_server
from hotdesk.adapters.signals.jupyter import ask_jupyter
from hotdesk.adapters.signals.processors import Busy, Processors
from hotdesk.adapters.signals.program import ask_program
from hotdesk.adapters.signals.tokens import Tokens
from hotdesk.api.v1alpha1 import JupyterProbe
from hotdesk.core.evidence import Evidence, Question
from hotdesk.ports import Clock, HotdeskError, Secrets

log = logging.getLogger(__name__)

_TIMEOUT: Final = timedelta(seconds=2)  # for one machine, all of its requests together
_AT_ONCE: Final = 256  # machines; if all hang, ten thousand are through in 80 s


@dataclass(frozen=True, slots=True)
class _Said:
    """What the program on one machine said."""

    source: str | None = None
    last_input: datetime | None = None
    failure: str | None = None


class NetworkSignals:
    """Asks strangers: a program that hangs, lies or raves costs a bounded time, and is a failure, never an error."""

    def __init__(
        self, *, secrets: Secrets, processors: Processors, clock: Clock, timeout: timedelta = _TIMEOUT
    ) -> None:
        self._tokens = Tokens(secrets, clock)
        self._processors = processors
        self._clock = clock
        self._timeout = timeout.total_seconds()
        self._room = asyncio.Semaphore(_AT_ONCE)

    async def ask(self, questions: Sequence[Question]) -> Sequence[Evidence]:
        """Answer every question, in their order; never raises."""
        at = self._clock.now()
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(force_close=True, limit=0),  # says Connection: close; `_room` limits
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
        ) as session:
            looking = asyncio.create_task(self._processors.look(questions, now=at))
            said = await asyncio.gather(*(self._hear(session, question) for question in questions))
            busy = await looking
        return [
            _evidence(question, when, what, busy.get(question.machine, Busy()))
            for question, (when, what) in zip(questions, said, strict=True)
        ]

    async def _hear(self, session: aiohttp.ClientSession, question: Question) -> tuple[datetime, _Said]:
        async with self._room:
            now = self._clock.now()
            try:
                async with asyncio.timeout(self._timeout):
                    return now, await self._ask(session, question, now=now)
            except TimeoutError:
                failure = f"no answer within {self._timeout:g} s"
            except NoAnswer as error:
                failure = f"no usable answer: {error}"
            except HotdeskError as error:  # of the Secret: our own words
                failure = f"no token: {error}"
            except OSError:
                failure = "no connection"
            except (aiohttp.ClientError, ValueError):
                failure = "no usable HTTP answer"  # their text may hold what the stranger sent
            except Exception:
                # Nobody may bring down the asking with an answer that nobody thought of.
                log.exception("asking a machine failed", extra={"machine": question.machine})
                failure = "no usable answer"
        return now, _Said(source=_source(question), failure=f"{_source(question)}: {failure}")

    async def _ask(self, session: aiohttp.ClientSession, question: Question, *, now: datetime) -> _Said:
        activity, source = question.activity, _source(question)
        if (code_server := activity.code_server) is not None:
            asker = Asker(session, ip=question.ip, port=code_server.port)
            return _Said(source, await ask_code_server(asker, code_server, now=now))
        if (jupyter := activity.jupyter) is not None:
            asker = Asker(session, ip=question.ip, port=jupyter.port)
            return _Said(source, await self._ask_jupyter(asker, jupyter, now=now))
        if (program := activity.http) is not None:
            asker = Asker(session, ip=question.ip, port=program.port)
            return _Said(source, await ask_program(asker, program, now=now))
        return _Said()

    async def _ask_jupyter(self, asker: Asker, probe: JupyterProbe, *, now: datetime) -> datetime | None:
        ref = probe.token_secret_ref
        token = await self._tokens.fetch(ref) if ref is not None else None
        try:
            return await ask_jupyter(asker, probe, token=token, now=now)
        except Refused:
            if ref is not None:
                self._tokens.doubt(ref)
            raise


def _source(question: Question) -> str | None:
    activity = question.activity
    if activity.code_server is not None:
        return "CodeServer"
    if activity.jupyter is not None:
        return "Jupyter"
    return "HTTP" if activity.http is not None else None


def _evidence(question: Question, at: datetime, said: _Said, busy: Busy) -> Evidence:
    """Put together what is known; what one could not say is a failure, and what the other said counts all the same."""
    failures = [failure for failure in (said.failure, busy.failure) if failure is not None]
    cpu = question.activity.cpu
    return Evidence(
        machine=question.machine,
        at=at,
        source=said.source,
        last_input=said.last_input,
        busy_since=busy.since,
        busy_for_at_most=cpu.at_most if cpu is not None and busy.since is not None else None,
        failure="; ".join(failures) or None,
    )
