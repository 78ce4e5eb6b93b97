"""What the real API server accepts, the operator can read; what it cannot read is refused with a sentence."""

import asyncio
import json
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import orjson
import pytest
from hypothesis import event, given
from hypothesis import strategies as st
from pydantic import ValidationError

from fuzz.crd_objects import (
    INSTANCE,
    MODELS,
    PLURALS,
    Manifest,
    full_manifest,
    manifests,
    odd_manifests,
    specs,
    statuses,
)
from fuzz.profile import fuzzed
from hotdesk.adapters.kube.connection import find_connection
from hotdesk.adapters.kube.session import KubeSession
from hotdesk.api.v1alpha1 import API_VERSION, Machine

pytestmark = pytest.mark.stack

MERGE_PATCH = "application/merge-patch+json"


class Server:
    """The API server as somebody with curl sees it."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner()
        self._session = self._runner.run(self._open())

    @staticmethod
    async def _open() -> KubeSession:
        return KubeSession(find_connection(), connections=1)

    def send(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        """Return the status and the document of one answer."""
        content_type = MERGE_PATCH if method == "PATCH" else "application/json"
        raw = json.dumps(body).encode()  # of numbers beyond 64 bits as well
        answer = self._runner.run(self._session.write(method, path, body=raw, content_type=content_type))
        return answer.status, orjson.loads(answer.body)

    def close(self) -> None:
        """Hang up."""
        self._runner.run(self._session.close())
        self._runner.close()


@pytest.fixture(scope="module")
def server(controlplane) -> Iterator[Server]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KUBECONFIG", str(controlplane.kubeconfig))
        made = Server()
    made.send("POST", "/api/v1/namespaces", {"metadata": {"name": "fuzz"}})
    yield made
    made.close()


def path_of(kind: str, name: str = "") -> str:
    where = "namespaces/fuzz/" if kind == "Workspace" else ""
    return f"/apis/{API_VERSION}/{where}{PLURALS[kind]}" + (f"/{name}" if name else "")


@pytest.mark.parametrize("kind", MODELS)
@fuzzed(100)
@given(data=st.data())
def test_what_is_stored_can_be_read_and_what_is_refused_is_explained(server: Server, kind: str, data: st.DataObject):
    manifest = data.draw(manifests(kind))
    stored = accepted(server, "POST", path_of(kind), manifest)
    event(f"{kind} created: {stored is not None}")
    if stored is None:
        return
    try:
        assert_readable(kind, stored)
        assert_same_defaults(kind, manifest, stored)
        path = path_of(kind, INSTANCE)
        told = accepted(server, "PATCH", f"{path}/status", {"status": data.draw(statuses(kind))})
        event(f"{kind} status written: {told is not None}")
        if told is not None:
            assert_readable(kind, told)
            assert_writable(server, kind, told)
        edited = accepted(server, "PATCH", path, {"spec": data.draw(specs(kind))})
        event(f"{kind} edited: {edited is not None}")
        if edited is not None:
            assert_readable(kind, edited)
    finally:
        server.send("DELETE", path_of(kind, INSTANCE), {})


@pytest.mark.parametrize("kind", MODELS)
def test_no_odd_value_in_any_field_of_a_spec_is_stored_unreadably(server: Server, kind: str):
    dry = f"{path_of(kind)}?dryRun=All"
    assert server.send("POST", dry, full_manifest(kind))[0] == HTTPStatus.CREATED
    for manifest in odd_manifests(kind, "spec"):
        stored = accepted(server, "POST", dry, manifest)
        if stored is not None:
            assert_readable(kind, stored)
            assert_same_defaults(kind, manifest, stored)


@pytest.mark.parametrize("kind", MODELS)
def test_no_odd_value_in_any_field_of_a_status_is_stored_unreadably(server: Server, kind: str):
    whole = full_manifest(kind)
    assert server.send("POST", path_of(kind), whole)[0] == HTTPStatus.CREATED
    status = f"{path_of(kind, INSTANCE)}/status?dryRun=All"
    try:
        assert server.send("PATCH", status, {"status": whole["status"]})[0] == HTTPStatus.OK
        for manifest in odd_manifests(kind, "status"):
            stored = accepted(server, "PATCH", status, {"status": manifest["status"]})
            if stored is not None:
                assert_readable(kind, stored)
    finally:
        server.send("DELETE", path_of(kind, INSTANCE), {})


def accepted(server: Server, method: str, path: str, body: Any) -> Any:
    """Return what is stored now, or None if it was refused, which takes a sentence."""
    status, document = server.send(method, path, body)
    if status in (200, 201):
        return document
    assert 400 <= status < 500, document
    assert document["message"]
    return None


def assert_readable(kind: str, stored: Manifest) -> None:
    """What the model reads it can write, and read again as the same; and it reads all that is there."""
    read = MODELS[kind].model_validate(stored)
    again = MODELS[kind].model_validate(orjson.loads(orjson.dumps(read.wire())))
    assert again.wire() == read.wire()
    for part in ("spec", "status"):
        assert fields_of(stored[part]) <= fields_of(again.wire()[part]), part


def assert_writable(server: Server, kind: str, stored: Manifest) -> None:
    """What the operator would write back is accepted, and says the same."""
    read = MODELS[kind].model_validate(stored)
    written = accepted(server, "PATCH", path_of(kind, INSTANCE) + "/status", {"status": read.status.merge_patch()})
    assert written is not None
    assert MODELS[kind].model_validate(written).status.wire() == read.status.wire()
    if isinstance(read, Machine):
        claims = read.spec.wire()["claims"]  # all that is ever written anew of a spec
        kept = accepted(server, "PATCH", path_of(kind, INSTANCE), {"spec": {"claims": claims}})
        assert kept is not None
        assert Machine.model_validate(kept).spec.wire() == read.spec.wire()


def assert_same_defaults(kind: str, sent: Manifest, stored: Manifest) -> None:
    """A field that was left out means to the model what the API server put in its place."""
    try:
        wanted = MODELS[kind].model_validate({**sent, "status": {}})
    except ValidationError:
        return  # a null that the API server dropped for its default
    assert wanted.spec.wire() == MODELS[kind].model_validate(stored).spec.wire()


def fields_of(value: Any, path: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    """Return the paths of everything in a document."""
    match value:
        case dict():
            return {path}.union(*(fields_of(inner, (*path, key)) for key, inner in value.items()))
        case list():
            return {path}.union(*(fields_of(inner, (*path, str(number))) for number, inner in enumerate(value)))
        case _:
            return {path}
