"""Who may beat and how: tokens, limits, bodies, WebSockets, and what watchers see of it."""

import asyncio
import json

import aiohttp
import pytest

from component.gateways import KEY, TEAM, Hall, in_hall, until, wire
from hotdesk.core.heartbeats.tokens import sign


@in_hall
async def test_without_the_right_token_the_answer_does_not_tell_whether_the_workspace_exists(hall: Hall):
    uid = hall.workspace()
    hall.workspace("other")
    wrong = [
        "",
        "Bearer",
        "Basic YTpi",
        "Bearer nonsense",
        f"Bearer {uid}.{'A' * 43}",
        f"Bearer {hall.token(key='another-key-of-more-than-32-letters')}",
        f"Bearer {hall.token('other')}",
    ]
    async with hall.gateway() as gateway:
        seen = set()
        for name in ("demo", "absent", "Not%20a%20name", "demo%0Aother"):
            for given in wrong:
                url = hall.url(gateway, name, "heartbeat")
                async with hall.http.post(url, headers={"Authorization": given} if given else {}) as answer:
                    kept = {key: value for key, value in answer.headers.items() if key != "Date"}
                    seen.add((answer.status, await answer.text(), json.dumps(kept, sort_keys=True)))
        assert len(seen) == 1
        assert next(iter(seen))[0] == 401
        assert 'hotdesk_gateway_refused_total{cause="Unauthorized"} 28.0' in await hall.metrics(gateway)


@in_hall
async def test_with_a_real_token_a_workspace_that_is_gone_is_not_found(hall: Hall):
    uid = hall.workspace()
    token = hall.token()
    async with hall.gateway() as gateway:
        assert await hall.beat(gateway, token=token) == 204
        hall.server.delete("workspaces", "demo", namespace=TEAM)
        await until(lambda: uid in gateway.heartbeats, False)  # noqa: FBT003
        assert await hall.beat(gateway, token=token) == 404
        never = sign(KEY.encode(), namespace=TEAM, name="never", uid="00000000-0000-4000-8000-00000000ffff")
        assert await hall.beat(gateway, "never", token=never) == 404


@in_hall
async def test_a_token_of_a_uid_under_another_name_is_not_found(hall: Hall):
    uid = hall.workspace()
    async with hall.gateway() as gateway:
        forged = sign(KEY.encode(), namespace=TEAM, name="alias", uid=uid)
        assert await hall.beat(gateway, "alias", token=forged) == 404


@in_hall
async def test_too_many_beats_are_refused_for_their_workspace_alone(hall: Hall):
    hall.workspace()
    hall.workspace("calm")
    async with hall.gateway(gateway_beats_per_second=1) as gateway:
        answers = [await hall.beat(gateway) for _ in range(4)]
        assert answers == [204, 204, 429, 429]
        assert await hall.beat(gateway, "calm") == 204
        hall.clock.added += 1
        assert await hall.beat(gateway) == 204


@in_hall
async def test_who_has_no_right_token_cannot_use_up_the_limit(hall: Hall):
    hall.workspace()
    async with hall.gateway(gateway_beats_per_second=1) as gateway:
        for _ in range(20):
            assert await hall.beat(gateway, token=hall.token(key="x" * 40)) == 401
        assert await hall.beat(gateway) == 204


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 204),
        (b"{}", 204),
        (b'{"source": "jupyter-7.x_Y", "input": true, "later": 1}', 204),
        (b"{", 400),
        (b"[]", 400),
        (b"nonsense", 400),
        (b'{"input": "yes"}', 400),
        (b'{"source": ""}', 400),
        (b'{"source": "line\\nbreak"}', 400),
        (b'{"source": "' + b"s" * 64 + b'"}', 400),
        (b'{"source": "' + b"s" * 63 + b'"}', 204),
        (b"\xff\xfe", 400),
        (b" " * 1024, 400),
        (b" " * 1025, 413),
    ],
)
def test_a_body_is_small_and_says_what_it_means(tmp_path, body, status):
    @in_hall
    async def scenario(hall: Hall) -> None:
        hall.workspace()
        async with hall.gateway() as gateway:
            assert await hall.beat(gateway, data=body) == status
            assert await hall.beat(gateway) == 204

    scenario(tmp_path)


@in_hall
async def test_who_sends_slowly_is_let_go(hall: Hall):
    hall.workspace()
    async with hall.gateway(gateway_body_seconds=0.2) as gateway:
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.server.port)
        head = (
            f"POST /v1/workspaces/{TEAM}/demo/heartbeat HTTP/1.1\r\nHost: x\r\n"
            f"Authorization: Bearer {hall.token()}\r\nContent-Length: 10\r\n\r\n{{"
        )
        writer.write(head.encode())
        answer = await asyncio.wait_for(reader.read(), 10)  # to its end: the connection is closed
        assert answer.startswith(b"HTTP/1.1 408")
        writer.close()


@in_hall
async def test_nothing_else_is_served(hall: Hall):
    hall.workspace()
    async with hall.gateway() as gateway:
        root = f"http://127.0.0.1:{gateway.server.port}"
        for method, path, status in (
            ("GET", "/", 404),
            ("GET", "/metrics", 404),
            ("GET", f"/v1/workspaces/{TEAM}/demo/heartbeat", 405),
            ("POST", f"/v1/workspaces/{TEAM}/demo", 404),
            ("POST", f"/v1/workspaces/{TEAM}/demo/heartbeat/", 404),
        ):
            async with hall.http.request(method, root + path, headers=_bearer(hall.token())) as answer:
                assert answer.status == status, path


@in_hall
async def test_every_message_of_a_websocket_is_a_beat(hall: Hall):
    hall.workspace()
    async with hall.gateway() as gateway:
        async with hall.http.ws_connect(hall.url(gateway, "demo", "ws"), headers=_bearer(hall.token())) as socket:
            await socket.send_str('{"source": "editor"}')
            await until(lambda: hall.status().get("activitySource"), "Heartbeat/editor")
            hall.clock.added += 500
            asked = wire(hall.clock.now())
            await socket.send_bytes(b"")
            await until(lambda: hall.status()["activitySource"], "Heartbeat")
            assert hall.status()["lastActivityTime"] >= asked
            assert "hotdesk_gateway_connections 1.0" in await hall.metrics(gateway)
        await until(lambda: _shows(hall, gateway, "hotdesk_gateway_connections 0.0"), True)  # noqa: FBT003


@in_hall
async def test_a_browser_gives_its_token_as_a_subprotocol(hall: Hall):
    hall.workspace()
    async with hall.gateway() as gateway:
        offered = ("hotdesk.heartbeat.v1", f"bearer.{hall.token()}")
        async with hall.http.ws_connect(hall.url(gateway, "demo", "ws"), protocols=offered) as socket:
            assert socket.protocol == "hotdesk.heartbeat.v1"
            await socket.send_str("")
            await until(lambda: hall.status().get("activitySource"), "Heartbeat")


@in_hall
async def test_no_websocket_without_a_token(hall: Hall):
    hall.workspace()
    async with hall.gateway() as gateway:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await hall.http.ws_connect(hall.url(gateway, "demo", "ws"))
        assert refused.value.status == 401


@in_hall
async def test_the_server_pings_and_answers_pings_and_closes_what_says_nothing(hall: Hall):
    hall.workspace()
    async with (
        hall.gateway(gateway_idle_seconds=0.5) as gateway,
        hall.http.ws_connect(hall.url(gateway, "demo", "ws"), headers=_bearer(hall.token()), autoping=False) as socket,
    ):
        await socket.ping(b"there?")
        answer = await socket.receive(timeout=5)
        assert (answer.type, answer.data) == (aiohttp.WSMsgType.PONG, b"there?")
        for _ in range(100):  # eight seconds, at the pace at which they are read
            await socket.ping()
            if (message := await socket.receive(timeout=5)).type is not aiohttp.WSMsgType.PONG:
                break
        assert (message.type, message.data, message.extra) == (aiohttp.WSMsgType.CLOSE, 1000, "idle")
        assert hall.writes() == []


@pytest.mark.parametrize(("text", "code"), [("nonsense", 1008), (" " * 2000, 1009)])
def test_a_message_that_cannot_be_read_ends_the_connection(tmp_path, text, code):
    @in_hall
    async def scenario(hall: Hall) -> None:
        hall.workspace()
        async with (
            hall.gateway() as gateway,
            hall.http.ws_connect(hall.url(gateway, "demo", "ws"), headers=_bearer(hall.token())) as socket,
        ):
            await socket.send_str(text)
            message = await socket.receive(timeout=5)
            assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, code)
        assert hall.writes() == []

    scenario(tmp_path)


@in_hall
async def test_a_connection_of_a_workspace_that_is_gone_ends_at_its_next_message(hall: Hall):
    uid = hall.workspace()
    async with (
        hall.gateway() as gateway,
        hall.http.ws_connect(hall.url(gateway, "demo", "ws"), headers=_bearer(hall.token())) as socket,
    ):
        hall.server.delete("workspaces", "demo", namespace=TEAM)
        await until(lambda: uid in gateway.heartbeats, False)  # noqa: FBT003
        await socket.send_str("")
        message = await socket.receive(timeout=5)
        assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 1008)


@in_hall
async def test_who_floods_a_websocket_is_read_slowly_and_loses_nothing(hall: Hall):
    hall.workspace()
    async with (
        hall.gateway(gateway_beats_per_second=20) as gateway,
        hall.http.ws_connect(hall.url(gateway, "demo", "ws"), headers=_bearer(hall.token())) as socket,
    ):
        for _ in range(49):
            await socket.send_str("{}")
        await socket.send_str('{"source": "last"}')
        began = hall.clock.monotonic()
        last = 'hotdesk_gateway_beats_total{kind="input",transport="websocket"} 50.0'
        await until(lambda: _shows(hall, gateway, last), True)  # noqa: FBT003
        assert hall.clock.monotonic() - began > 0.4  # ten beyond the burst of forty


@in_hall
async def test_only_so_many_connections(hall: Hall):
    hall.workspace()
    async with hall.gateway(gateway_connections=1) as gateway:
        where, who = hall.url(gateway, "demo", "ws"), _bearer(hall.token())
        async with hall.http.ws_connect(where, headers=who):
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await hall.http.ws_connect(where, headers=who)
            assert refused.value.status == 503


@in_hall
async def test_a_gateway_that_ends_says_so_to_everybody(hall: Hall):
    hall.workspace()
    async with hall.gateway() as gateway:
        socket = await hall.http.ws_connect(hall.url(gateway, "demo", "ws"), headers=_bearer(hall.token()))
        listening = asyncio.create_task(socket.receive(timeout=10))
        await until(lambda: _shows(hall, gateway, "hotdesk_gateway_connections 1.0"), True)  # noqa: FBT003
    message = await listening
    assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 1001)
    await socket.close()


@in_hall
async def test_metrics_name_no_workspace(hall: Hall):
    hall.workspace("secret-project")
    async with hall.gateway() as gateway:
        assert await hall.beat(gateway, "secret-project") == 204
        await until(lambda: len(hall.writes()), 1)
        shown = await hall.metrics(gateway)
        assert 'hotdesk_gateway_answer_duration_seconds_bucket{le="0.001"}' in shown
        assert 'hotdesk_kubernetes_writes_total{outcome="ok",resource="workspaces/status",verb="patch"} 1.0' in shown
        assert "secret" not in shown
        assert "team" not in shown


def test_no_token_is_ever_logged(tmp_path, caplog):
    @in_hall
    async def scenario(hall: Hall) -> None:
        hall.workspace()
        async with hall.gateway() as gateway:
            proof = hall.token().partition(".")[2]
            await hall.beat(gateway, data=b"x" * 2000)
            await hall.beat(gateway, token=hall.token() + "x")
            await hall.server.stop()
            await hall.beat(gateway)
            await until(lambda: "are kept" in caplog.text, True)  # noqa: FBT003
            assert proof not in caplog.text
            assert KEY not in caplog.text

    caplog.set_level("DEBUG")
    scenario(tmp_path)


async def _shows(hall: Hall, gateway, line: str) -> bool:
    return line in (await hall.metrics(gateway)).splitlines()


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
