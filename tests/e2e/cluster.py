"""The API server as tests read and fill it: objects as kubectl shows them, without starting it each time."""

import json
from collections.abc import Iterable
from typing import Any

import urllib3

from hotdesk_local.controlplane.plane import ControlPlane

Object = dict[str, Any]

_HOTDESK = "/apis/hotdesk.dev/v1alpha1"
_PRIORITY_CLASSES = "/apis/scheduling.k8s.io/v1/priorityclasses"
_GONE = 404


class Cluster:
    """One API server, read and written as its administrator."""

    def __init__(self, plane: ControlPlane) -> None:
        """Take address and token from the administrator's kubeconfig."""
        config = json.loads(plane.kubeconfig.read_text(encoding="utf-8"))
        authority = config["clusters"][0]["cluster"]["certificate-authority"]
        self.kubectl = plane.kubectl
        self.plane = plane
        self._token = config["users"][0]["user"]["token"]
        self._http = urllib3.PoolManager(ca_certs=authority, retries=False, timeout=20, maxsize=4)

    def close(self) -> None:
        """Close the connections."""
        self._http.clear()

    def create_namespace(self, name: str, **labels: str) -> None:
        """Create a namespace."""
        self._send("POST", "/api/v1/namespaces", {"metadata": {"name": name, "labels": labels}})

    def create_priority_class(self, name: str, value: int) -> None:
        """Create a PriorityClass."""
        body = {"metadata": {"name": name}, "value": value}
        self._send("POST", _PRIORITY_CLASSES, body)

    def delete_priority_class(self, name: str) -> None:
        """Delete a PriorityClass."""
        self._send("DELETE", f"{_PRIORITY_CLASSES}/{name}", None)

    def apply(self, *manifests: Object) -> None:
        """Do what `kubectl apply` does, with kubectl."""
        self.kubectl("apply", "-f", "-", input=_list_of(manifests))

    def refusal(self, manifest: Object) -> str:
        """Return what kubectl says when it refuses to apply a manifest; fails if it does not refuse."""
        done = self.kubectl("apply", "-f", "-", input=json.dumps(manifest), check=False)
        assert done.returncode != 0, f"kubectl applied {manifest}"
        return done.stderr

    def create(self, manifest: Object) -> Object:
        """Create an object of Hotdesk's, much faster than kubectl does."""
        path = _path(manifest["kind"].lower() + "s", namespace=manifest["metadata"].get("namespace"))
        return self._send("POST", path, manifest)

    def delete(self, plural: str, name: str, *, namespace: str | None = None) -> None:
        """Delete an object without waiting for it to go; gone is success."""
        self._send("DELETE", f"{_path(plural, namespace=namespace)}/{name}", None, gone_is_fine=True)

    def delete_all(self, plural: str, *, namespace: str) -> None:
        """Delete every object of a kind in a namespace."""
        self._send("DELETE", _path(plural, namespace=namespace), None)

    def find(self, plural: str, name: str, *, namespace: str | None = None) -> Object | None:
        """Return an object, None if there is none."""
        found = self._send("GET", f"{_path(plural, namespace=namespace)}/{name}", None, gone_is_fine=True)
        return found if found.get("kind") != "Status" else None

    def get(self, plural: str, name: str, *, namespace: str | None = None) -> Object:
        """Return an object that must exist."""
        found = self.find(plural, name, namespace=namespace)
        assert found is not None, f"{plural} {name} does not exist"
        return found

    def items(self, plural: str, *, namespace: str | None = None) -> list[Object]:
        """Return every object of a kind."""
        items: list[Object] = self._send("GET", _path(plural, namespace=namespace), None)["items"]
        return items

    def patch(self, plural: str, name: str, changes: Object, *, namespace: str | None = None) -> Object:
        """Merge changes into an object."""
        return self._send("PATCH", f"{_path(plural, namespace=namespace)}/{name}", changes)

    def _send(self, method: str, path: str, body: Object | None, *, gone_is_fine: bool = False) -> Object:
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": kind}
        text = None if body is None else json.dumps(body)
        answer = self._http.request(method, self.plane.url + path, headers=headers, body=text)
        said: Object = answer.json()
        if not (gone_is_fine and answer.status == _GONE):
            assert answer.status < 300, f"{method} {path}: {answer.status} {said.get('message')}"
        return said


def condition(thing: Object, kind: str) -> Object:
    """Return a condition of an object; an empty one if it has none of that type."""
    conditions = thing.get("status", {}).get("conditions", [])
    return next((found for found in conditions if found["type"] == kind), {})


def is_ready(thing: Object) -> bool:
    """Tell whether the object's Ready condition is true."""
    return condition(thing, "Ready").get("status") == "True"


def _path(plural: str, *, namespace: str | None) -> str:
    return f"{_HOTDESK}/{plural}" if namespace is None else f"{_HOTDESK}/namespaces/{namespace}/{plural}"


def _list_of(manifests: Iterable[Object]) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": list(manifests)})
