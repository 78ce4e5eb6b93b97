"""`hotdesk gateway` as a process: it starts with what the environment says, and ends in good order."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from component.gateways import KEY, START, TEAM, Hall, in_hall, until, wire

COMMAND = [sys.executable, "-c", "from hotdesk.cli import main; main()"]


def environment(hall: Hall, folder: Path) -> dict[str, str]:
    one = {"name": "x"}
    kubeconfig = {
        "clusters": [{**one, "cluster": {"server": hall.server.url}}],
        "users": [{**one, "user": {}}],
        "contexts": [{**one, "context": {"cluster": "x", "user": "x"}}],
        "current-context": "x",
    }
    (folder / "kubeconfig").write_text(yaml.safe_dump(kubeconfig), encoding="utf-8")
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("HOTDESK_")},
        "KUBECONFIG": str(folder / "kubeconfig"),
        "HOTDESK_HEARTBEAT_KEYS": str(hall.keys),
        "HOTDESK_GATEWAY_PORT": "0",
        "HOTDESK_METRICS_PORT": "0",
    }


def test_it_takes_a_beat_with_the_token_of_the_command_and_ends_when_told_to(tmp_path):
    @in_hall
    async def scenario(hall: Hall) -> None:
        hall.workspace(claimedAt=wire(START))
        env = environment(hall, tmp_path)
        minting = await asyncio.create_subprocess_exec(*COMMAND, "token", f"{TEAM}/demo", env=env, stdout=-1)
        token = (await minting.communicate())[0].decode().strip()
        assert token == hall.token()
        process = await asyncio.create_subprocess_exec(*COMMAND, "gateway", env=env, stderr=-1)
        assert process.stderr is not None
        told = json.loads(await process.stderr.readline())
        assert told["message"] == "taking heartbeats"
        url = f"http://127.0.0.1:{told['port']}/v1/workspaces/{TEAM}/demo/heartbeat"

        async def beat() -> int:
            async with hall.http.post(url, headers={"Authorization": f"Bearer {token}"}) as answer:
                return answer.status

        await until(beat, 204)
        await until(lambda: hall.status().get("activitySource"), "Heartbeat")
        process.send_signal(signal.SIGTERM)
        rest = (await process.communicate())[1].decode()
        assert process.returncode == 0, rest
        assert KEY not in rest
        assert token not in rest

    scenario(tmp_path)


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        (None, "heartbeat_keys: Field required"),
        ("absent", "absent cannot be read: FileNotFoundError"),
        ("short", "a key is shorter than 32 characters"),
    ],
)
def test_without_usable_keys_it_ends_with_a_sentence(tmp_path, keys, sentence):
    (tmp_path / "short").write_text("short", encoding="utf-8")
    env = {name: value for name, value in os.environ.items() if not name.startswith("HOTDESK_")}
    if keys is not None:
        env["HOTDESK_HEARTBEAT_KEYS"] = str(tmp_path / keys)
    done = subprocess.run([*COMMAND, "gateway"], env=env, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_no_module_of_boto_is_loaded_with_the_gateway():
    program = "import sys, hotdesk.gateway_main; print(sorted(n for n in sys.modules if n.startswith('boto')))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
