"""What a machine answers: a page, its files, and code-server's `/healthz`."""

import time
from urllib.parse import unquote

from aiohttp import web

from hotdesk_local.machines.disk import Disk, OutsideDiskError
from hotdesk_local.machines.heartbeat import Heart
from hotdesk_local.machines.pages import editor

FILES = "/files/"
_SAFE = {"Content-Security-Policy": "sandbox", "X-Content-Type-Options": "nosniff"}
"""A stored file is data of the user's: a browser must not run it with the editor's rights."""


async def answer(request: web.BaseRequest, *, machine_id: str, disk: Disk, heart: Heart) -> web.StreamResponse:
    """Answer one request; everything but `/healthz` counts as use of the machine, a 404 too."""
    now = time.time()  # noqa: TID251  # a machine has a clock
    path = request.raw_path.partition("?")[0]
    if path == "/healthz":
        return web.json_response(heart.health(now=now))
    heart.beat(now=now)
    if path.startswith(FILES):
        return await _file(request, name=unquote(path.removeprefix(FILES)), disk=disk)
    if path != "/":
        return web.Response(status=404, text="There is nothing here.\n")
    if request.method not in {"GET", "HEAD"}:
        return web.Response(status=405, text="Only GET.\n")
    page = editor(machine=machine_id, folder=request.query.get("folder", ""), files=disk.files())
    return web.Response(text=page, content_type="text/html")


async def _file(request: web.BaseRequest, *, name: str, disk: Disk) -> web.Response:
    try:
        if request.method in {"GET", "HEAD"}:
            body = disk.read(name)
            return web.Response(body=body, content_type="application/octet-stream", headers=_SAFE)
        if request.method == "PUT":
            disk.write(name, await request.read())
            return web.Response(status=204)
    except FileNotFoundError:
        return web.Response(status=404, text="There is no such file.\n")
    except OutsideDiskError as exc:
        return web.Response(status=400, text=f"{exc}\n")
    return web.Response(status=405, text="Only GET and PUT.\n")
