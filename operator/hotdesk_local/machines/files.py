"""A machine's files over HTTP: `GET` and `PUT /files/PATH`, the same for every program."""

from urllib.parse import unquote

from aiohttp import web

from hotdesk_local.machines.disk import Disk, OutsideDiskError

FILES = "/files/"
_SAFE = {"Content-Security-Policy": "sandbox", "X-Content-Type-Options": "nosniff"}
"""A stored file is data of the user's: a browser must not run it with the editor's rights."""


async def answer_file(request: web.BaseRequest, *, path: str, disk: Disk) -> web.Response:
    """Read or write the file that the path names."""
    name = unquote(path.removeprefix(FILES))
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


def path_of(request: web.BaseRequest) -> str:
    """Return the path as it was sent, escapes and all."""
    return request.raw_path.partition("?")[0]
