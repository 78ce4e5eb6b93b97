"""Machines that run Jupyter, or a program of one's own: what they call activity, and what they do not."""

import asyncio
import base64
import json
from datetime import datetime
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import aiohttp
import pytest

from component.simulated_cloud import Cloud, running_cloud
from waiting import wait_for

TOKEN = "hotdesk-local"


@pytest.fixture(scope="module")
def _cloud(tmp_path_factory):
    with running_cloud(tmp_path_factory.mktemp("aws")) as cloud:
        yield cloud


@pytest.fixture
def cloud(_cloud: Cloud) -> Cloud:
    _cloud.reset()
    _cloud.configure(serve=True)
    return _cloud


def start(cloud: Cloud, program: str) -> tuple[str, str]:
    made = cloud.ec2.run_instances(
        ImageId=cloud.aws.ready.image,
        MinCount=1,
        MaxCount=1,
        TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "hotdesk-local/program", "Value": program}]}],
    )["Instances"][0]
    machine, address = made["InstanceId"], made["PrivateIpAddress"]
    wait_for(lambda: answers(address), what=f"{machine} answers at {address}")
    return machine, address


def answers(address: str) -> bool:
    try:
        return ask(address, "/", token=None)[0] > 0
    except (URLError, ConnectionError):
        return False


def ask(address: str, path: str, *, method: str = "GET", body: object = None, token: str | None = TOKEN):
    headers = {} if token is None else {"Authorization": f"token {token}"}
    data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    request = Request(f"http://{address}:8080{path}", data=data, method=method, headers=headers)
    try:
        with urlopen(request, timeout=60) as answer:  # noqa: S310  # http, ours
            return answer.status, answer.read()
    except HTTPError as error:
        with error:
            return error.code, error.read()


def status(address: str) -> dict:
    return json.loads(ask(address, "/api/status")[1])


def activity(address: str) -> datetime:
    return datetime.fromisoformat(status(address)["last_activity"])


def test_jupyter_wants_its_token_but_for_the_version(cloud: Cloud):
    _, address = start(cloud, "jupyter")
    assert json.loads(ask(address, "/api", token=None)[1])["version"]
    for path in ("/api/status", "/api/kernels", "/api/contents/x", "/files/x"):
        assert ask(address, path, token=None)[0] == 403
        assert ask(address, path, token="wrong")[0] == 403
    assert ask(address, f"/api/status?token={TOKEN}", token=None)[0] == 200


def test_looking_at_jupyters_status_is_no_activity_and_work_is(cloud: Cloud):
    _, address = start(cloud, "jupyter")
    begun = activity(address)
    assert datetime.fromisoformat(status(address)["started"]) == begun
    for path in ("/api", "/api/status", "/api/kernels?no_track_activity=1", "/api/contents/x?no_track_activity=1"):
        ask(address, path)
    ask(address, "/api/kernels", token="wrong")
    assert activity(address) == begun
    ask(address, "/api/kernels")
    first = activity(address)
    assert first > begun
    ask(address, "/api/contents/x")
    assert activity(address) > first


def test_what_jupyter_writes_is_on_the_disk(cloud: Cloud):
    machine, address = start(cloud, "jupyter")
    content = {"type": "file", "format": "base64", "content": base64.b64encode(b"\x00\xff").decode()}
    assert ask(address, "/api/contents/work/a%20b.bin", method="PUT", body=content)[0] == 201
    assert (Path(cloud.machine(machine)["disk"]) / "work/a b.bin").read_bytes() == b"\x00\xff"
    assert json.loads(ask(address, "/api/contents/work/a%20b.bin")[1])["content"] == content["content"]
    assert ask(address, "/api/contents/../x", method="PUT", body=content)[0] in {400, 404}
    assert ask(address, "/api/contents/%2e%2e/x", method="PUT", body=content)[0] == 400


def test_a_busy_kernel_looks_idle_but_for_its_state(cloud: Cloud):
    machine, address = start(cloud, "jupyter")
    cloud.sim(f"machines/{machine}/busy", method="POST", body={"busy": True})
    since = activity(address)
    (kernel,) = json.loads(ask(address, "/api/kernels?no_track_activity=1")[1])
    assert (kernel["execution_state"], status(address)["kernels"]) == ("busy", 1)
    assert activity(address) == since  # busy, and silent
    cloud.sim(f"machines/{machine}/busy", method="POST", body={"busy": False})
    (kernel,) = json.loads(ask(address, "/api/kernels?no_track_activity=1")[1])
    assert kernel["execution_state"] == "idle"
    assert activity(address) > since
    assert ask(address, f"/api/kernels/{kernel['id']}", method="DELETE")[0] == 204
    assert status(address)["kernels"] == 0


def test_jupyters_connections_are_its_kernels_websockets(cloud: Cloud):
    _, address = start(cloud, "jupyter")
    kernel = json.loads(ask(address, "/api/kernels", method="POST")[1])["id"]

    async def talk() -> tuple[int, datetime, datetime]:
        url = f"ws://{address}:8080/api/kernels/{kernel}/channels?token={TOKEN}"
        async with aiohttp.ClientSession() as session, session.ws_connect(url) as socket:
            seen = await asyncio.to_thread(status, address)
            await socket.send_str("{}")
            moved = await asyncio.to_thread(
                wait_for, lambda: activity(address) > datetime.fromisoformat(seen["last_activity"]), what="it moves"
            )
            assert moved
            return seen["connections"], datetime.fromisoformat(seen["last_activity"]), activity(address)

    connections, before, after = asyncio.run(talk())
    assert (connections, after > before) == (1, True)
    wait_for(lambda: status(address)["connections"] == 0, what="the websocket is closed")


def test_a_program_of_ones_own_says_when_it_was_used(cloud: Cloud):
    machine, address = start(cloud, "activity")
    assert json.loads(ask(address, "/activity")[1]) == {"lastActivity": None, "active": False}
    assert ask(address, "/files/a", method="PUT", body=b"x")[0] == 204
    used = json.loads(ask(address, "/activity")[1])["lastActivity"]
    assert datetime.fromisoformat(used).timestamp() >= cloud.machine(machine)["since"]
    assert json.loads(ask(address, "/activity")[1])["lastActivity"] == used
    cloud.sim(f"machines/{machine}/busy", method="POST")
    assert json.loads(ask(address, "/activity")[1])["active"] is True


def test_the_configuration_says_what_machines_without_the_tag_run(cloud: Cloud):
    cloud.configure(program="activity")
    made = cloud.ec2.run_instances(ImageId=cloud.aws.ready.image, MinCount=1, MaxCount=1)["Instances"][0]
    wait_for(lambda: answers(made["PrivateIpAddress"]), what="it answers")
    assert ask(made["PrivateIpAddress"], "/activity")[0] == 200
    cloud.configure(program="code-server")
    machine, address = start(cloud, "code-server")
    assert json.loads(ask(address, "/healthz")[1])["lastHeartbeat"] > 0  # start() asked for a page
    with pytest.raises(HTTPError, match="400"):
        cloud.sim(f"machines/{machine}/busy", method="POST")
