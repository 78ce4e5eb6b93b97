"""A real Jupyter server is seen as used and as idle: by its kernels and requests, never by Hotdesk's own questions."""

import asyncio
import json
from typing import Any
from uuid import uuid4

import aiohttp
import pytest

from editors import installing
from editors.running import Desk, age, free_port, started, with_http
from hotdesk.api.v1alpha1 import Activity, JupyterProbe, SecretKey

TOKEN = "the-token-of-the-tests"
SECRET = SecretKey(name="jupyter", key="token")
# Work that prints nothing and can be interrupted whichever of the kernel's threads gets the signal: a wait without an
# end returns to Python only if it is the main one.
WORK = "import threading\nwhile True: threading.Event().wait(0.1)"


@pytest.fixture
def server(tmp_path):
    """Start one; return where it is and how to make a desk of it."""
    python, port = installing.jupyter(), free_port()
    options = {
        "ServerApp.ip": "127.0.0.1",
        "ServerApp.port": str(port),
        "ServerApp.port_retries": "0",
        "ServerApp.base_url": "/user/ada/",
        "ServerApp.open_browser": "False",
        "ServerApp.allow_root": "True",
        "ServerApp.root_dir": str(tmp_path),
        "IdentityProvider.token": TOKEN,
    }
    command = [python, "-m", "jupyter_server", *(f"--{name}={value}" for name, value in options.items())]
    with started(command, home=tmp_path) as process:

        def desk(*, token: str = TOKEN, secret: SecretKey | None = SECRET) -> Desk:
            probe = JupyterProbe(port=port, base_path="/user/ada/", token_secret_ref=secret)
            return Desk(Activity(jupyter=probe), process=process, log=tmp_path / "log", token=token)

        yield f"http://127.0.0.1:{port}/user/ada", desk


def as_ada(act):
    with_http(act, headers={"Authorization": f"token {TOKEN}"})


def test_a_jupyter_server_is_used_by_its_user_and_not_by_being_asked(server):
    url, desk_of = server
    desk = desk_of()

    async def story(http: aiohttp.ClientSession) -> None:
        await desk.until_answering()
        for _ in range(5):
            assert (await desk.look()).last_input is None  # it has just started: nobody was there

        async with http.get(f"{url}/api/contents") as answer:
            assert answer.status == 200
        used = await desk.look()
        assert 0 <= age(used) < 10
        quiet = await desk.until_quiet(3)
        assert abs(quiet.last_input - used.last_input).total_seconds() < 1.5  # by Date, which has whole seconds

        async with http.post(f"{url}/api/kernels", json={}) as answer:
            kernel = (await answer.json())["id"]
        async with http.ws_connect(f"{url.replace('http', 'ws')}/api/kernels/{kernel}/channels") as socket:
            await socket.send_str(execute(WORK))
            await told(socket, "busy")
            began = await desk.look()
            assert age(began) == 0  # it prints nothing, and yet somebody's work goes on
            later = await desk.until(lambda seen: (seen.at - began.at).total_seconds() > 3, what="time", within=30)
            assert age(later) == 0
            async with http.post(f"{url}/api/kernels/{kernel}/interrupt") as answer:
                assert answer.status == 204
            await told(socket, "idle")
            await desk.until_quiet(5)  # the window is still open, and nobody types
        await desk.until_quiet(6)

    as_ada(story)


def test_a_jupyter_server_that_does_not_know_the_token_is_a_failure(server):
    _, desk_of = server

    async def story(_: aiohttp.ClientSession) -> None:
        await desk_of().until_answering()
        for stranger in (desk_of(token="wrong"), desk_of(secret=None)):
            assert (await stranger.look()).failure == "Jupyter: no usable answer: HTTP 403"

    as_ada(story)


def execute(code: str) -> str:
    content = {"code": code, "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": False}
    header = {"msg_id": uuid4().hex, "msg_type": "execute_request", "username": "ada", "session": "s", "version": "5.3"}
    message = {"header": header, "parent_header": {}, "metadata": {}, "content": content, "channel": "shell"}
    return json.dumps({**message, "buffers": []})


async def told(socket: aiohttp.ClientWebSocketResponse, wanted: str) -> None:
    """Wait until the kernel says that it works on our request, or has done so."""
    heard = []
    try:
        async with asyncio.timeout(60):  # of its own: one of `receive` begins anew with each ping of the server
            while state_of(message := await socket.receive_json()) != wanted:
                heard.append(message)
    except TimeoutError:
        raise AssertionError(f"the kernel did not say that it is {wanted}, but: {heard}") from None


def state_of(message: dict[str, Any]) -> str | None:
    """Return how far our request is, if this message tells it."""
    is_told = message["msg_type"] == "status" and message["parent_header"].get("msg_type") == "execute_request"
    return message["content"]["execution_state"] if is_told else None
