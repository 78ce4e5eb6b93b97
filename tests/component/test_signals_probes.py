"""Asking machines who is at work: real sockets on loopback, behind which strangers do as they please."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

import orjson
import pytest

from factories import after
from fakes.awsworld import ManualClock
from hotdesk.adapters.signals.network import NetworkSignals
from hotdesk.adapters.signals.processors import Processors
from hotdesk.api.v1alpha1 import Activity, CodeServerProbe, HttpActivityProbe, JupyterProbe, SecretKey
from hotdesk.core.evidence import Evidence, Question
from hotdesk.ports import NotFound

START = after(0)
LONG = timedelta(seconds=20)

SECRET = SecretKey(name="jupyter", key="token")
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Safe:
    """Secrets that are counted."""

    def __init__(self, **values: str) -> None:
        self.values = values
        self.reads = 0

    async def fetch(self, ref: SecretKey) -> str:
        self.reads += 1
        await asyncio.sleep(0)
        if ref.key not in self.values:
            raise NotFound(f"Secret {ref.name} has no key {ref.key}")
        return self.values[ref.key]


class Stranger:
    """One server on loopback that remembers what it was asked, and on how many connections."""

    def __init__(self, talk: Talk) -> None:
        self.talk = talk
        self.requests: list[bytes] = []
        self.talks: list[asyncio.Task[None]] = []
        self.open = 0
        self.most_open = 0
        self.port = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.talks.append(asyncio.current_task())
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            self.requests.append(await reader.readuntil(b"\r\n\r\n"))
            await self.talk(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.open -= 1
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()


@asynccontextmanager
async def serving(talk: Talk):
    stranger = Stranger(talk)
    server = await asyncio.start_server(stranger, "127.0.0.1", 0, backlog=1000)
    stranger.port = server.sockets[0].getsockname()[1]
    try:
        yield stranger
    finally:
        server.close()
        await asyncio.gather(*stranger.talks)  # whoever asked has hung up


def says(json: object, *, head: str = "HTTP/1.1 200 OK", headers: Sequence[str] = (), keep: bool = False) -> Talk:
    """Answer with this, and hang up unless told otherwise."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        body = json if isinstance(json, bytes) else orjson.dumps(json)
        lines = [head, f"Content-Length: {len(body)}", *headers, "", ""]
        writer.write("\r\n".join(lines).encode() + body)
        await writer.drain()
        if keep:
            await reader.read()

    return talk


async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def endless(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n[")
    while True:
        writer.write(b" " * 65536)
        await writer.drain()


async def dripping(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.02)


async def hanging_up(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    return


async def raving(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"SSH-2.0-OpenSSH_9.0\r\n\x00\xff<script>\r\n\r\n")


def code_server(port: int) -> Activity:
    return Activity(code_server=CodeServerProbe(port=port))


def program(port: int) -> Activity:
    return Activity(http=HttpActivityProbe(port=port, path="/used?by=whom"))


def jupyter(port: int, *, secret: SecretKey | None = SECRET) -> Activity:
    return Activity(jupyter=JupyterProbe(port=port, base_path="/user/ada/", token_secret_ref=secret))


def question(activity: Activity, *, machine: str = "i-1", ip: str = "127.0.0.1") -> Question:
    return Question(machine=machine, ip=ip, activity=activity, region="eu-west-1")


class NoMeters:
    def meter(self, **_: object) -> None:
        raise AssertionError("nobody wants processors to be measured")


def signals(*, timeout: timedelta = LONG, safe: Safe | None = None, clock: ManualClock | None = None) -> NetworkSignals:
    clock = clock or ManualClock(START)
    return NetworkSignals(
        secrets=safe or Safe(token="s3cret"), processors=Processors(NoMeters(), clock), clock=clock, timeout=timeout
    )


def ask_one(talk: Talk, make: Callable[[int], Activity], *, timeout: timedelta = LONG) -> tuple[Evidence, Stranger]:
    async def scenario() -> tuple[Evidence, Stranger]:
        async with serving(talk) as stranger:
            (evidence,) = await signals(timeout=timeout).ask([question(make(stranger.port))])
            return evidence, stranger

    return asyncio.run(scenario())


def milliseconds(seconds: float) -> int:
    return int(after(seconds).timestamp() * 1000)


def test_a_code_server_is_asked_on_a_connection_of_its_own_that_is_closed_at_once():
    async def scenario() -> None:
        async with serving(says({"status": "alive", "lastHeartbeat": milliseconds(-30)}, keep=True)) as stranger:
            asked = signals()
            for _ in range(2):
                (evidence,) = await asked.ask([question(code_server(stranger.port))])
                assert evidence == Evidence(machine="i-1", at=START, source="CodeServer", last_input=after(-30))
                await asyncio.gather(*stranger.talks)  # it ends when the asker hangs up
            assert stranger.most_open == 1
            assert len(stranger.requests) == 2
            assert stranger.requests[0].startswith(b"GET /healthz HTTP/1.1\r\n")
            assert b"\r\nConnection: close\r\n" in stranger.requests[0]

    asyncio.run(scenario())


def test_a_code_server_that_was_never_used_is_evidence_of_nobody():
    evidence, _ = ask_one(says({"status": "expired", "lastHeartbeat": 0}), code_server)
    assert evidence == Evidence(machine="i-1", at=START, source="CodeServer")


def test_the_age_is_taken_by_the_machines_own_clock():
    date = ["Date: Mon, 02 Mar 2026 03:00:00 GMT"]  # nine hours behind
    evidence, _ = ask_one(says({"lastHeartbeat": milliseconds(-9 * 3600 - 50)}, headers=date), code_server)
    assert evidence.last_input == after(-50)


def test_a_program_is_asked_at_its_path():
    evidence, stranger = ask_one(says({"lastActivity": None, "active": True}), program)
    assert evidence == Evidence(machine="i-1", at=START, source="HTTP", last_input=START)
    assert stranger.requests[0].startswith(b"GET /used?by=whom HTTP/1.1\r\n")


def kernels(*states: str, started: float = -900, last: float = -900) -> Talk:
    """A Jupyter server that knows the token."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = talk.stranger.requests[-1]
        if b"\r\nAuthorization: token s3cret\r\n" not in request:
            await says({"message": "Forbidden"}, head="HTTP/1.1 403 Forbidden")(reader, writer)
        elif request.startswith(b"GET /user/ada/api/kernels?no_track_activity=1 "):
            await says([{"execution_state": state} for state in states])(reader, writer)
        else:
            assert request.startswith(b"GET /user/ada/api/status ")
            times = {"started": after(started).isoformat(), "last_activity": after(last).isoformat()}
            await says({"connections": 7, "kernels": len(states), **times})(reader, writer)

    return talk


def ask_jupyter(
    talk: Talk, *, safe: Safe | None = None, secret: SecretKey | None = SECRET
) -> tuple[Evidence, Stranger]:
    async def scenario() -> tuple[Evidence, Stranger]:
        async with serving(talk) as stranger:
            talk.stranger = stranger
            (evidence,) = await signals(safe=safe).ask([question(jupyter(stranger.port, secret=secret))])
            return evidence, stranger

    return asyncio.run(scenario())


@pytest.mark.parametrize(
    ("talk", "last_input"),
    [
        (kernels(), None),
        (kernels("idle", last=-100), after(-100)),
        (kernels("idle", "busy", last=-100), START),
        (kernels("starting"), None),
    ],
)
def test_a_jupyter_server_is_asked_for_its_kernels_and_its_status_with_the_token(talk, last_input):
    evidence, _ = ask_jupyter(talk)
    assert evidence == Evidence(machine="i-1", at=START, source="Jupyter", last_input=last_input)


def test_a_token_that_is_refused_or_missing_or_unfit_is_a_failure_that_does_not_show_it():
    refused, _ = ask_jupyter(kernels(), safe=Safe(token="wr0ng"))
    absent, _ = ask_jupyter(kernels(), safe=Safe())
    unfit, stranger = ask_jupyter(kernels(), safe=Safe(token="s3c\r\nret"))
    without, _ = ask_jupyter(kernels(), secret=None)
    assert refused.failure == without.failure == "Jupyter: no usable answer: HTTP 403"
    assert absent.failure == "Jupyter: no token: Secret jupyter has no key token"
    assert unfit.failure == "Jupyter: no usable answer: its token holds characters that no header may"
    assert stranger.requests == []


def test_one_token_is_read_once_for_many_machines_and_again_when_it_is_refused():
    async def scenario() -> None:
        clock, safe, talk = ManualClock(START), Safe(token="s3cret\n"), kernels("busy")
        async with serving(talk) as stranger:
            talk.stranger = stranger
            asked = signals(safe=safe, clock=clock)
            many = [question(jupyter(stranger.port), machine=f"i-{number}") for number in range(20)]
            assert all(evidence.failure is None for evidence in await asked.ask(many))
            assert safe.reads == 1
            safe.values["token"] = "wr0ng"
            clock.advance(timedelta(seconds=61))
            assert all(evidence.failure for evidence in await asked.ask(many))
            assert safe.reads == 2
            safe.values["token"] = "s3cret"
            assert all(evidence.failure for evidence in await asked.ask(many))  # not again at once
            clock.advance(timedelta(seconds=6))
            assert all(evidence.failure is None for evidence in await asked.ask(many))
            assert safe.reads == 3

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "talk",
    [
        silent,
        dripping,
        endless,
        hanging_up,
        raving,
        says(b""),
        says(b"\xff\xfe"),
        says(b"[" * 5000),
        says([]),
        says({"lastHeartbeat": "soon"}),
        says({"lastHeartbeat": 0}, head="HTTP/1.1 204 No Content"),
        says({"lastHeartbeat": 0}, head="HTTP/1.1 302 Found", headers=["Location: /healthz"]),
        says({"lastHeartbeat": 0}, head="HTTP/1.1 500 Oh no"),
        says({"lastHeartbeat": 0}, headers=["Content-Encoding: gzip"] * 2000),
        says({"lastHeartbeat": 0}, headers=["Transfer-Encoding: chunked"]),
        says(orjson.dumps({"lastHeartbeat": 0}) + b" " * 300_000),
    ],
)
def test_whatever_a_stranger_does_is_a_failure_in_our_own_words(talk):
    evidence, stranger = ask_one(talk, code_server, timeout=timedelta(seconds=1))
    assert evidence.source == "CodeServer"
    assert evidence.last_input is None
    assert evidence.failure is not None
    assert evidence.failure.startswith("CodeServer: no ")
    assert "script" not in evidence.failure
    assert stranger.requests


def test_an_answer_is_not_unpacked():
    evidence, stranger = ask_one(says({"lastHeartbeat": 0}, headers=["Content-Encoding: gzip"]), code_server)
    assert evidence.failure is None  # it is what it is, whatever it calls itself: no bomb goes off
    assert b"\r\nAccept-Encoding: identity\r\n" in stranger.requests[0]


def test_a_redirect_is_not_followed():
    evidence, stranger = ask_one(
        says({"lastHeartbeat": 0}, head="HTTP/1.1 302 Found", headers=["Location: /healthz"]), code_server
    )
    assert evidence.failure == "CodeServer: no usable answer: HTTP 302"
    assert len(stranger.requests) == 1


def test_cookies_are_not_kept():
    started = {"started": "2026-01-01T00:00:00Z", "last_activity": "2026-01-01T00:00:00Z"}

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        is_first = len(talk.stranger.requests) == 1
        await says([] if is_first else started, headers=["Set-Cookie: a=b"])(reader, writer)

    evidence, stranger = ask_jupyter(talk)
    assert evidence.failure is None
    assert len(stranger.requests) == 2
    assert not any(b"ookie" in request for request in stranger.requests)


def test_nobody_there_and_no_address_are_failures():
    async def scenario() -> None:
        async with serving(silent) as stranger:
            port = stranger.port
        gone, odd = await signals().ask(
            [question(code_server(port)), question(code_server(port), ip="no address", machine="i-2")]
        )
        assert gone.failure == "CodeServer: no connection"
        assert odd.machine == "i-2"
        assert odd.failure is not None

    asyncio.run(scenario())


def test_answers_come_in_order_and_one_that_hangs_holds_up_nobody_for_long():
    async def scenario() -> None:
        async with serving(silent) as mute, serving(says({"active": True})) as busy:
            ports = [mute.port if number % 3 == 0 else busy.port for number in range(300)]
            asked = [question(program(port), machine=f"i-{number}") for number, port in enumerate(ports)]
            evidence = await signals(timeout=timedelta(seconds=2)).ask(asked)
        assert [found.machine for found in evidence] == [f"i-{number}" for number in range(300)]
        failed = {number for number, found in enumerate(evidence) if found.failure}
        assert failed >= set(range(0, 300, 3))
        assert mute.most_open + busy.most_open <= 256 + 20  # the other side hears of an end a little later

    asyncio.run(scenario())


def test_where_nothing_is_to_be_asked_there_is_neither_evidence_nor_failure():
    (evidence,) = asyncio.run(signals().ask([question(Activity())]))
    assert evidence == Evidence(machine="i-1", at=START)
    assert asyncio.run(signals().ask([])) == []
