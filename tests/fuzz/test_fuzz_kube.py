"""Whatever the API server, or a proxy in its place, answers: objects, or an error of ports; and the watch goes on."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from factories import claim, machine, pool, workspace
from fuzz.json_mutations import written
from fuzz.profile import fuzzed
from hotdesk.adapters.kube import watch as watching
from hotdesk.adapters.kube.resources import MACHINES
from hotdesk.adapters.kube.session import Answer
from hotdesk.adapters.kube.store import KubeStore
from hotdesk.api.v1alpha1 import Machine, MachinePoolStatus, MachineStatus, WorkspaceStatus
from hotdesk.ports import Conflict, HotdeskError, Unanswered

STATUSES = st.sampled_from([200] * 12 + [201, 202, 204, 301, 400, 401, 403, 404, 409, 410, 422, 429, 500, 503, 504])
STORED = machine(1, claims=[claim()])
OBJECTS = {made.kind: orjson.loads(orjson.dumps(made.wire())) for made in (STORED, workspace(), pool())}
LISTS = {
    kind: {"kind": f"{kind}List", "metadata": {"resourceVersion": "9", "continue": ""}, "items": [made, made]}
    for kind, made in OBJECTS.items()
}
NAMES = {"metadata": {"resourceVersion": "9"}, "items": [{"metadata": {"name": "a", "labels": {"b": "c"}}, "value": 5}]}
FAILURE = {"kind": "Status", "status": "Failure", "message": "no", "reason": "NotFound", "details": {"name": "x"}}

READS: dict[str, tuple[Any, Callable[[KubeStore], Coroutine[Any, Any, Any]]]] = {
    "workspaces": (LISTS["Workspace"], lambda store: store.list_workspaces({"uid-demo": workspace()})),
    "machines": (LISTS["Machine"], lambda store: store.list_machines({STORED.metadata.uid: STORED})),
    "pools": (LISTS["MachinePool"], lambda store: store.list_pools()),
    "namespaces": (NAMES, lambda store: store.list_namespace_labels()),
    "priorities": (NAMES, lambda store: store.list_priorities()),
    "workspace": (OBJECTS["Workspace"], lambda store: store.fetch_workspace(namespace="team", name="demo")),
    "machine": (OBJECTS["Machine"], lambda store: store.fetch_machine(name="i-1")),
    "pool": (OBJECTS["MachinePool"], lambda store: store.fetch_pool(name="pool")),
}
WRITES: dict[str, tuple[Any, Callable[[KubeStore], Coroutine[Any, Any, Any]]]] = {
    "create": (OBJECTS["Machine"], lambda store: store.create_machine(STORED)),
    "claim": (OBJECTS["Machine"], lambda store: store.patch_machine(STORED, claims=[])),
    "machine": (OBJECTS["Machine"], lambda store: store.patch_machine_status(STORED, MachineStatus(phase="Reaping"))),
    "publish": (
        OBJECTS["Workspace"],
        lambda store: store.patch_workspace_status(workspace(), WorkspaceStatus(phase="Running")),
    ),
    "pool": (OBJECTS["MachinePool"], lambda store: store.patch_pool_status(pool(), MachinePoolStatus(idle=7))),
    "delete": (OBJECTS["Machine"], lambda store: store.delete_machine(STORED)),
}


class Session:
    """Answers every request with the same."""

    def __init__(self, status: int, body: bytes) -> None:
        self._answer = Answer(status=status, body=body)
        self.sent = 0

    async def read(self, path: str, *, params: dict[str, str] | None = None) -> Answer:
        """Answer, a bounded number of times."""
        assert all(isinstance(value, str) for value in (params or {}).values()), path
        return self._next()

    async def write(self, method: str, path: str, **_: object) -> Answer:
        """Answer."""
        del method, path
        return self._next()

    def _next(self) -> Answer:
        self.sent += 1
        assert self.sent < 20, "it asks for ever"
        return self._answer


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as made:
        yield made


def asked(runner: asyncio.Runner, session: Session, ask: Callable[[KubeStore], Coroutine[Any, Any, Any]]) -> Any:
    return runner.run(ask(KubeStore(session)))  # type: ignore[arg-type]  # has what is used of it


@pytest.mark.parametrize("what", READS)
@fuzzed(50)
@given(data=st.data(), status=STATUSES)
def test_whatever_is_read_is_an_object_or_an_error_of_ports(
    runner: asyncio.Runner, what: str, data: st.DataObject, status: int
):
    document, ask = READS[what]
    body = data.draw(written(FAILURE if status >= 300 else document))
    try:
        found = asked(runner, Session(status, body), ask)
    except HotdeskError:
        return
    if what == "priorities":
        assert all(isinstance(value, int) for value in (*found.values.values(), found.default))
    if found is None:  # gone: the API server itself must have said so
        assert status == 404
        assert orjson.loads(body)["details"]["name"]


@pytest.mark.parametrize("what", WRITES)
@fuzzed(50)
@given(data=st.data(), status=STATUSES)
def test_whatever_a_write_is_answered_is_an_object_or_an_error_of_ports(
    runner: asyncio.Runner, what: str, data: st.DataObject, status: int
):
    document, ask = WRITES[what]
    body = data.draw(written(FAILURE if status >= 300 else document))
    session = Session(status, body)
    problem: HotdeskError | None = None
    try:
        asked(runner, session, ask)
    except HotdeskError as error:
        problem = error
    if status < 300:
        assert isinstance(problem, Unanswered | None)  # it had its effect
    assert not isinstance(problem, Conflict) or status == 409
    assert session.sent == 1


@pytest.mark.parametrize("body", [b'{"items":{},"metadata":{}}', b'{"items":false,"metadata":{}}', b"<html/>", b"{}"])
def test_what_is_no_list_does_not_say_that_everything_is_gone(runner: asyncio.Runner, body: bytes):
    with pytest.raises(Unanswered):
        asked(runner, Session(200, body), lambda store: store.list_machines())


def test_a_list_without_end_is_given_up(runner: asyncio.Runner):
    body = orjson.dumps({"items": [], "metadata": {"continue": "more"}})
    with pytest.raises(Unanswered, match="no end"):
        asked(runner, Session(200, body), lambda store: store.list_machines())


def test_an_object_without_its_version_is_never_written(runner: asyncio.Runner):
    unversioned = STORED.model_copy(update={"metadata": STORED.metadata.model_copy(update={"resource_version": ""})})
    session = Session(200, b"{}")
    for ask in (
        lambda store: store.patch_machine(unversioned, claims=[]),
        lambda store: store.delete_machine(unversioned),
    ):
        with pytest.raises(Unanswered, match="resourceVersion"):
            asked(runner, session, ask)
    assert session.sent == 0


EVENT = {"type": "MODIFIED", "object": OBJECTS["Machine"]}
GONE = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "message": "too old"}}
BOOKMARK = {"type": "BOOKMARK", "object": {"kind": "Machine", "metadata": {"resourceVersion": "12"}}}
LAST = {"type": "ADDED", "object": {**OBJECTS["Machine"], "metadata": {"name": "i-0last", "resourceVersion": "77"}}}
LINES = st.lists(st.sampled_from([EVENT, EVENT, GONE, BOOKMARK]).flatmap(written), max_size=4)


@dataclass
class Server:
    """Lists and streams as the test says, and then well; like the real one it refuses versions that are no numbers."""

    lists: list[tuple[int, bytes]]
    streams: list[tuple[int, list[bytes]]]
    told: list[str] = field(default_factory=list)
    last: asyncio.Event = field(default_factory=asyncio.Event)
    refused: int = 0

    @asynccontextmanager
    async def get(self, _url: str, *, params: dict[str, str], read_bufsize: int = 0) -> AsyncIterator[Any]:
        """Answer a list or a watch."""
        del read_bufsize
        await asyncio.sleep(0)
        if "watch" not in params:
            status, body = self.lists.pop() if self.lists else (200, orjson.dumps(LISTS["Machine"]))
            yield response(status, [body])
        elif not params["resourceVersion"].isdigit():
            self.refused += 1
            yield response(400, [b'{"kind":"Status","message":"Invalid value"}'])
        else:
            status, lines = self.streams.pop() if self.streams else (200, [orjson.dumps(LAST)])
            yield response(status, lines)

    def upsert(self, made: Machine) -> None:
        """Hear of a machine."""
        self.told.append(made.metadata.name)
        if made.metadata.name == "i-0last":
            self.last.set()


def response(status: int, lines: list[bytes]) -> Any:
    async def content() -> AsyncIterator[bytes]:
        for line in lines:
            yield line

    async def read() -> bytes:
        return b"".join(lines)

    return SimpleNamespace(status=status, content=content(), read=read)


@fuzzed(200)
@example(lists=[(200, b'{"metadata":{"resourceVersion":"None"},"items":[]}')], streams=[])
@given(
    lists=st.lists(st.tuples(STATUSES, written(LISTS["Machine"])), max_size=3),
    streams=st.lists(st.tuples(STATUSES, LINES), max_size=3),
)
def test_the_watch_goes_on_whatever_it_is_told(
    runner: asyncio.Runner, lists: list[tuple[int, bytes]], streams: list[tuple[int, list[bytes]]]
):
    async def watch() -> None:
        server = Server(lists=[*lists], streams=[*streams])

        @asynccontextmanager
        async def opened(*_: object, **__: object) -> AsyncIterator[Server]:
            yield server

        connection: Any = SimpleNamespace(info=SimpleNamespace(server="http://kube"))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(watching, "open_session", opened)
            patch.setattr(watching, "_FIRST_PAUSE", 0.0)
            made = watching.Watch(
                connection, MACHINES, upsert=server.upsert, delete=lambda _: None, relisted=lambda: None
            )
            task = asyncio.create_task(made.run())
            hearing = asyncio.create_task(server.last.wait())
            async with asyncio.timeout(20):
                await asyncio.wait((task, hearing), return_when=asyncio.FIRST_COMPLETED)
            assert not task.done(), task.exception()
            assert server.refused <= len(lists) + len(streams)
            for running in (task, hearing):
                running.cancel()
            await asyncio.gather(task, hearing, return_exceptions=True)

    runner.run(watch())
