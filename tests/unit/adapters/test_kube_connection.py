"""Where the operator finds its cluster, and that a replaced token is used at once."""

import asyncio
import os
import socket
from pathlib import Path

import kopf
import pytest
import yaml
from aiohttp import web

from hotdesk.adapters.kube.connection import (
    Connection,
    NoCluster,
    _socket,
    find_connection,
    login_for_kopf,
    open_session,
)


def write_kubeconfig(path: Path, *, context: str = "here") -> Path:
    path.write_text(
        yaml.safe_dump(
            {
                "current-context": context,
                "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
                "clusters": [{"name": "c", "cluster": {"server": "https://10.0.0.1:6443"}}],
                "users": [{"name": "u", "user": {"token": "secret"}}],
            }
        )
    )
    return path


def test_kubeconfig_is_used_outside_a_pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("KUBECONFIG", str(write_kubeconfig(tmp_path / "config")))
    found = find_connection()
    assert (found.info.server, found.info.token, found.token_file) == ("https://10.0.0.1:6443", "secret", None)


def test_missing_kubeconfig_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    with pytest.raises(NoCluster, match="set KUBECONFIG"):
        find_connection()


def test_unusable_kubeconfig_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("KUBECONFIG", str(write_kubeconfig(tmp_path / "config", context="elsewhere")))
    with pytest.raises(NoCluster, match="check KUBECONFIG"):
        find_connection()
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "nothing"))
    with pytest.raises(NoCluster, match="check KUBECONFIG"):
        find_connection()
    (tmp_path / "broken").write_text("{")
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "broken"))
    with pytest.raises(NoCluster, match="check KUBECONFIG"):
        find_connection()


def test_replaced_token_is_sent_with_the_next_request(tmp_path: Path):
    token = tmp_path / "token"
    seen: list[str] = []

    async def note(request: web.Request) -> web.Response:
        seen.append(request.headers["Authorization"])
        return web.Response()

    async def scenario() -> None:
        app = web.Application()
        app.router.add_get("/", note)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
        connection = Connection(info=kopf.ConnectionInfo(server=url, token="first"), token_file=token)
        writer = open_session(connection, connections=1)
        watcher = login_for_kopf(connection).aiohttp_session
        for number, text in enumerate(("first\n", "second\n")):
            token.write_text(text)
            os.utime(token, ns=(number, number))
            for session in (writer, watcher):
                async with session.get(url) as answer:
                    assert answer.status == 200
        await writer.close()
        await watcher.close()
        await runner.cleanup()

    asyncio.run(scenario())
    assert seen == ["Bearer first", "Bearer first", "Bearer second", "Bearer second"]


def test_a_socket_that_is_collected_leaves_its_descriptor_to_the_event_loop():
    """Where the loop had closed it already, it would be another connection's by then."""
    made = _socket((socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", 0)))
    number = made.fileno()
    del made
    os.fstat(number)
    os.close(number)
