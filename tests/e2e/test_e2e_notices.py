"""What `kubectl describe` tells somebody who asks what happened."""

import base64
import hashlib
import hmac
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from e2e.manifests import ANSWERS
from e2e.test_e2e_lifecycle import QUICK, pool_with, wait_phase
from waiting import wait_for

pytestmark = pytest.mark.stack

KEY = "a key that only two know"
SECRET = {"name": "hotdesk-pool-secrets", "key": "webhook"}


class Receiver(ThreadingHTTPServer):
    """A webhook's receiver that takes nothing without its proof."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Post)
        self.got: list[dict[str, Any]] = []
        self.forged = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook"


class _Post(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        parts = dict(part.split("=", 1) for part in self.headers["Hotdesk-Signature"].split(","))
        proof = hmac.new(KEY.encode(), parts["t"].encode() + b"." + body, hashlib.sha256).hexdigest()
        if hmac.compare_digest(proof, parts["v1"]):
            self.server.got.append(json.loads(body))
        else:
            self.server.forged += 1
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        thread = Thread(target=receiver.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield receiver
        receiver.shutdown()
        thread.join()


@pytest.fixture
def topic(simulator) -> Iterator[str]:
    with closing(simulator.client("sns")) as client:
        yield client.create_topic(Name="hotdesk")["TopicArn"]


def test_who_describes_a_workspace_reads_what_became_of_it(scene):
    pool = scene.pool(idle=1, readiness=ANSWERS)
    pool.wait_idle(1)
    pool.apply("demo")
    (workspace,) = pool.wait_bound("demo")
    machine = workspace["status"]["machine"]

    def described():
        text = scene.kubectl("describe", "ws", "demo", "-n", scene.namespace).stdout
        return f"Machine {machine} is yours at" in text and text

    text = wait_for(described, what="the claim is told")
    assert "hotdesk.dev/operator" in text
    (event,) = json.loads(scene.kubectl("get", "events", "-n", scene.namespace, "-o", "json").stdout)["items"]
    assert (event["reason"], event["type"]) == ("Claimed", "Normal")
    assert event["involvedObject"]["uid"] == workspace["metadata"]["uid"]


def test_topic_and_webhook_are_told_once_of_warning_stop_and_archive(scene, receiver, topic):
    value = base64.b64encode(KEY.encode()).decode()
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": SECRET["name"], "namespace": "hotdesk-system"},
        "data": {SECRET["key"]: value},
    }
    scene.cluster.apply(secret)
    since = scene.simulator.last_call()
    pool = pool_with(
        scene,
        lifecycle={**QUICK, "retention": "3s"},
        backup={"method": "EBSSnapshot"},
        notifications={"sns": {"topicARN": topic}, "webhook": {"url": receiver.url, "secretRef": SECRET}},
    )
    wait_phase(pool, "Archived")

    def published() -> list[dict[str, Any]]:
        return [json.loads(call["params"]["Message"]) for call in scene.simulator.calls("Publish", since=since)]

    def reasons(told: list[dict[str, Any]]) -> Counter[str]:
        return Counter(one["reason"] for one in told)

    wait_for(lambda: "Archived" in reasons(receiver.got), what="the webhook is told of the archive")
    wait_for(lambda: "Archived" in reasons(published()), what="the topic is told of the archive")
    once = {"StopWarning": 1, "Stopped": 1, "Archived": 1}
    assert reasons(receiver.got) == reasons(published()) == once
    assert receiver.forged == 0
    assert {one["name"] for one in receiver.got} == {"demo"}
