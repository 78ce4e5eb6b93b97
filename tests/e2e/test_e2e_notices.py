"""What `kubectl describe` tells somebody who asks what happened."""

import json

import pytest

from e2e.manifests import ANSWERS
from waiting import wait_for

pytestmark = pytest.mark.stack


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
