"""A real code-server is seen as used and as idle. Its heart beats once a minute, so this takes about four minutes."""

import asyncio

import aiohttp
import pytest

from editors import installing
from editors.running import Desk, age, free_port, started, with_http
from hotdesk.api.v1alpha1 import Activity, CodeServerProbe

pytestmark = [pytest.mark.editors, pytest.mark.timeout(1800)]  # with the installation, which builds

BEAT = 60  # seconds: after a beat it looks this much later whether a connection is open, and if so beats again
IDLE = 75  # seconds: longer than a beat apart


@pytest.fixture
def server(tmp_path):
    command, port = installing.code_server(), free_port()
    options = ["--auth=none", f"--bind-addr=127.0.0.1:{port}", "--disable-telemetry", "--disable-update-check"]
    data = {"XDG_DATA_HOME": str(tmp_path / "data"), "XDG_CONFIG_HOME": str(tmp_path / "config")}
    with started([*command, *options], home=tmp_path, **data) as process:
        probe = CodeServerProbe(port=port)
        yield f"http://127.0.0.1:{port}", Desk(Activity(code_server=probe), process=process, log=tmp_path / "log")


def test_a_code_server_is_used_by_its_user_and_not_by_being_asked(server):
    url, desk = server

    async def story(http: aiohttp.ClientSession) -> None:
        await desk.until_answering()
        for _ in range(5):
            assert (await desk.look()).last_input is None  # never used, which is not idle since 1970

        used = await open_page(http)
        quiet = await desk.until_quiet(IDLE)
        assert same(quiet, used)  # asked twice a second all the while, and yet it had no beat

        port = int(url.rpartition(":")[2])
        _, writer = await asyncio.open_connection("127.0.0.1", port)  # a window that nobody touches
        used = await open_page(http)
        kept = await desk.until(lambda seen: not same(seen, used), what="it beats by itself", within=BEAT + 40)
        assert BEAT - 5 < (kept.last_input - used.last_input).total_seconds() < BEAT + 15
        writer.close()
        await writer.wait_closed()
        await desk.until_quiet(IDLE)

    async def open_page(http: aiohttp.ClientSession):
        async with http.get(f"{url}/") as page:
            assert page.status == 200
            assert b"workbench" in await page.read()
        used = await desk.look()
        assert 0 <= age(used) < 10
        return used

    with_http(story)


def same(one, other) -> bool:
    """Whether both tell the same beat; ages are taken by the header Date, which has whole seconds."""
    return abs(one.last_input - other.last_input).total_seconds() < 1.5
