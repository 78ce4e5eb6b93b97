"""One file of a workspace, written and read through the workspace's own web page."""

import http.client
from urllib.parse import parse_qs, urlsplit

from hotdesk_local.errors import LocalStackError

_TIMEOUT = 10.0


def write_file(workspace_url: str, name: str, content: bytes) -> str:
    """Save a file in the folder that the workspace's URL names; return what was asked and answered."""
    said, _ = _request("PUT", workspace_url, name, content)
    return said


def read_file(workspace_url: str, name: str) -> tuple[str, bytes]:
    """Read it back; return what was asked and answered, and the content."""
    return _request("GET", workspace_url, name, None)


def _request(method: str, workspace_url: str, name: str, content: bytes | None) -> tuple[str, bytes]:
    """Ask the editor for one file; raise LocalStackError if it does not answer, or refuses."""
    parts = urlsplit(workspace_url)
    path = f"/files{parse_qs(parts.query)['folder'][0]}/{name}"
    connection = http.client.HTTPConnection(parts.netloc, timeout=_TIMEOUT)
    try:
        connection.request(method, path, body=content)
        answer = connection.getresponse()
        body = answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise LocalStackError(f"{parts.netloc} does not answer: {error}") from error
    finally:
        connection.close()
    said = f"{method} http://{parts.netloc}{path}: {answer.status} {answer.reason}"
    if answer.status >= http.HTTPStatus.MULTIPLE_CHOICES:
        raise LocalStackError(f"{said}: {body.decode(errors='replace')}")
    return said, body
