"""What etcd itself remembers: every state there ever was, those too that a watch has missed."""

import base64
import http.client
import json
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from chaos.watching import PARSERS, Seen
from hotdesk_local.controlplane.plane import ControlPlane

JSON_STORED = "--storage-media-type=application/json"
"""For the API server: kinds of its own are stored so that they can be read here."""
_PREFIXES = {
    "workspaces": "/registry/hotdesk.dev/workspaces/",
    "machines": "/registry/hotdesk.dev/machines/",
    "leases": "/registry/leases/hotdesk-system/",
}
_TIMEOUT = 30.0


@dataclass(frozen=True)
class _Event:
    version: int
    thing: dict[str, Any]
    is_gone: bool


def filled(plane: ControlPlane, kind: str, seen: list[Seen]) -> list[Seen]:
    """Return the states of a kind in the order of their versions, with those that were missed up to the last one.

    A missed state counts as heard when the next one was. Nothing may have cut etcd's history off.
    """
    if not seen:
        return []
    by_version = {state.version: state for state in seen}
    versions = sorted(by_version)
    found = []
    for event in _events(plane, _PREFIXES[kind], until=versions[-1]):
        heard = by_version[versions[bisect_left(versions, event.version)]]
        event.thing["metadata"]["resourceVersion"] = str(event.version)
        found.append(by_version.get(event.version) or PARSERS[kind](event.thing, heard.at, event.is_gone))
    return found


def _events(plane: ControlPlane, prefix: str, *, until: int) -> Iterator[_Event]:
    port = int(plane.state.fact("etcd_port"))
    connection = http.client.HTTPConnection(plane.options.etcd_address, port, timeout=_TIMEOUT)
    end = prefix[:-1] + chr(ord(prefix[-1]) + 1)
    asked = {"key": _coded(prefix), "range_end": _coded(end), "start_revision": "1", "prev_kv": True}
    try:
        connection.request("POST", "/v3/watch", body=json.dumps({"create_request": asked}))
        for line in connection.getresponse():
            answer = json.loads(line)["result"]
            assert not answer.get("canceled"), answer
            for event in answer.get("events", ()):
                found = _event(event)
                if found.version > until:
                    return
                yield found
                if found.version == until:
                    return
    finally:
        connection.close()


def _event(event: dict[str, Any]) -> _Event:
    is_gone = event.get("type") == "DELETE"
    thing = json.loads(base64.b64decode((event["prev_kv"] if is_gone else event["kv"])["value"]))
    return _Event(version=int(event["kv"]["mod_revision"]), thing=thing, is_gone=is_gone)


def _coded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
