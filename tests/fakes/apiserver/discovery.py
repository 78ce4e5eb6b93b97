"""The documents by which clients such as kopf find out what is served."""

from collections.abc import Iterable
from typing import Any

from fakes.apiserver.kinds import Kind

_VERBS = ["create", "delete", "get", "list", "patch", "update", "watch"]


def document(path: str, kinds: Iterable[Kind]) -> dict[str, Any] | None:
    """Return the document that lives at this path, if one does."""
    kinds = tuple(kinds)
    groups = {kind.group: kind.version for kind in kinds if kind.group}
    if path == "/version":
        return {"major": "1", "minor": "37", "gitVersion": "v1.37.0-fake"}
    if path == "/api":
        return {"kind": "APIVersions", "versions": ["v1"]}
    if path == "/apis":
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(*group) for group in groups.items()]}
    for api_version in {kind.api_version for kind in kinds}:
        if path == (f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"):
            return _resources(api_version, [kind for kind in kinds if kind.api_version == api_version])
    return None


def _group(name: str, version: str) -> dict[str, Any]:
    served = {"groupVersion": f"{name}/{version}", "version": version}
    return {"name": name, "versions": [served], "preferredVersion": served}


def _resources(api_version: str, kinds: Iterable[Kind]) -> dict[str, Any]:
    resources = []
    for kind in kinds:
        resource = {
            "name": kind.plural,
            "singularName": kind.singular,
            "namespaced": kind.namespaced,
            "kind": kind.kind,
            "verbs": _VERBS,
            "shortNames": list(kind.short_names),
        }
        resources.append(resource)
        if kind.has_status:
            resources.append({**resource, "name": f"{kind.plural}/status", "verbs": ["get", "patch", "update"]})
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": api_version, "resources": resources}
