"""After the claim, on the real stack: files survive whatever happens to machines."""

from datetime import UTC, datetime
from typing import Any

import pytest
import urllib3

from e2e.manifests import ANSWERS, URL_TEMPLATE
from e2e.scene import Pool
from waiting import wait_for

pytestmark = pytest.mark.stack

QUICK = {"idleTimeout": "6s", "warnBefore": "2s"}
TEXT = b"the only copy \xf0\x9f\x90\x8d\n"


def pool_with(scene: Any, **spec: Any) -> Pool:
    """Make a pool whose machines rest soon, with one workspace that has written a file."""
    pool: Pool = scene.pool(idle=1, readiness=ANSWERS, access={"urlTemplate": URL_TEMPLATE}, **spec)
    pool.wait_idle(1)
    pool.apply("demo", owner="ada", project="engine")
    pool.wait_bound("demo")
    return pool


def status(pool: Pool) -> dict[str, Any]:
    found: dict[str, Any] = pool.workspace("demo")["status"]
    return found


def wait_phase(pool: Pool, phase: str) -> dict[str, Any]:
    wait_for(lambda: status(pool)["phase"] == phase, what=f"demo is {phase}")
    return status(pool)


def url_of_file(pool: Pool) -> str:
    return f"http://{status(pool)['privateIP']}:8080/files/home/ada/engine/notes.txt"


def write_file(pool: Pool) -> None:
    assert urllib3.request("PUT", url_of_file(pool), body=TEXT).status < 300


def read_file(pool: Pool) -> bytes:
    return _file(status(pool)["privateIP"])


def _file(address: str) -> bytes:
    answer = urllib3.request("GET", f"http://{address}:8080/files/home/ada/engine/notes.txt")
    assert answer.status == 200
    return answer.data


def wake(scene: Any) -> None:
    now = datetime.now(UTC).isoformat().replace("+00:00", "Z")  # noqa: TID251  # a user reads a clock
    asked = f"hotdesk.dev/wake-requested-at={now}"
    scene.kubectl("annotate", "ws", "demo", "-n", scene.namespace, "--overwrite", asked)


def test_a_file_survives_an_idle_stop_and_a_wake(scene):
    pool = pool_with(scene, lifecycle=QUICK)
    write_file(pool)
    before = status(pool)
    warned = wait_for(lambda: status(pool).get("next", {}).get("warnedAt"), what="the user is warned")
    assert warned
    told = wait_phase(pool, "Stopped")
    assert pool.instance(before["machine"])["state"] == "stopped"
    assert told["machine"] == before["machine"]
    assert "url" not in told
    wait_for(lambda: status(pool).get("usage", {}).get("runningSeconds", 0) >= 6, what="the time used is told")
    wake(scene)
    after = wait_phase(pool, "Running")
    assert after["machine"] == before["machine"]
    assert after["publicIP"] != before["publicIP"]
    assert read_file(pool) == TEXT
    scene.kubectl("wait", "ws/demo", "-n", scene.namespace, "--for=condition=Ready", "--timeout=5s")


def test_a_file_survives_an_archive_and_a_wake_on_another_machine(scene):
    pool = pool_with(scene, lifecycle={**QUICK, "retention": "3s"}, backup={"method": "EBSSnapshot"})
    write_file(pool)
    before = status(pool)
    told = wait_phase(pool, "Archived")
    assert told["backup"]["id"].startswith("snap-")
    assert "machine" not in told
    pool.wait_terminated(before["machine"])
    wake(scene)
    after = wait_phase(pool, "Running")
    assert after["machine"] != before["machine"]
    assert read_file(pool) == TEXT


def test_a_file_survives_in_an_archive_in_s3(scene):
    scene.simulator.aws.create_bucket("archives")
    backup = {"method": "S3Archive", "s3": {"bucket": "archives"}}
    pool = pool_with(scene, lifecycle={**QUICK, "retention": "3s"}, backup=backup)
    write_file(pool)
    before = status(pool)
    told = wait_phase(pool, "Archived")
    assert told["backup"]["size"] > 0
    pool.apply("copy", owner="ada", restoreFrom={"workspace": "demo"})
    (copied,) = pool.wait_bound("copy")
    assert _file(copied["status"]["privateIP"]) == TEXT
    wake(scene)
    after = wait_phase(pool, "Running")
    assert after["machine"] != before["machine"]
    assert read_file(pool) == TEXT


def test_somebody_whom_the_editor_sees_is_not_stopped(scene):
    pool = pool_with(scene, lifecycle=QUICK, activity={"codeServer": {"port": 8080}})
    first = status(pool)["readyAt"]
    wait_for(lambda: _used(pool) and status(pool).get("lastActivityTime", first) > first, what="activity is recorded")
    assert status(pool)["phase"] == "Running"
    assert status(pool)["activitySource"].startswith("CodeServer")
    wait_phase(pool, "Stopped")


def _used(pool: Pool) -> bool:
    """Use the editor, as somebody at work does."""
    return urllib3.request("GET", status(pool)["url"]).status == 200
