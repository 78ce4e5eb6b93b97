"""Whole objects of our kinds for the API server: what the schemas cannot say of them is put right here."""

from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from fuzz.schema_values import anything, each_field_odd, full, schema_of
from hotdesk.api.v1alpha1 import API_VERSION, Machine, MachinePool, Workspace

Manifest = dict[str, Any]
MODELS: dict[str, type[Workspace | Machine | MachinePool]] = {
    "Workspace": Workspace,
    "MachinePool": MachinePool,
    "Machine": Machine,
}
PLURALS = {"Workspace": "workspaces", "MachinePool": "machinepools", "Machine": "machines"}
INSTANCE = "i-0fadefadefadefade"
_TYPE = {"apiVersion": API_VERSION}
_SCHEMAS = {kind: schema_of(kind)["properties"] for kind in MODELS}


@st.composite
def manifests(draw: DrawFn, kind: str) -> Manifest:
    """Return an object to create."""
    made = {**_TYPE, "kind": kind, "metadata": {"name": INSTANCE}, "spec": draw(specs(kind))}
    return {**made, **draw(st.fixed_dictionaries({}, optional={"status": st.none() | statuses(kind)}))}


@st.composite
def specs(draw: DrawFn, kind: str) -> Any:
    """Return a spec; mostly one whose fields go together."""
    spec = draw(anything(_SCHEMAS[kind]["spec"]))
    return reconciled(kind, spec) if isinstance(spec, dict) and draw(st.integers(0, 3)) else spec


def full_manifest(kind: str) -> Manifest:
    """Return an object with every field there is, as far as they go together."""
    spec, status = (full(_SCHEMAS[kind][part]) for part in ("spec", "status"))
    metadata = {"name": INSTANCE}
    return {**_TYPE, "kind": kind, "metadata": metadata, "spec": reconciled(kind, spec), "status": status}


def odd_manifests(kind: str, part: str) -> Iterator[Manifest]:
    """Yield that object with each odd value in each field of its spec or its status in turn."""
    whole = full_manifest(kind)
    for odd in each_field_odd(whole[part], _SCHEMAS[kind][part]):
        yield {**whole, part: odd}


def statuses(kind: str) -> st.SearchStrategy[Any]:
    """Return statuses."""
    return anything(_SCHEMAS[kind]["status"])


def reconciled(kind: str, spec: Manifest) -> Manifest:
    """Return the spec with the rules kept that tie one field to another."""
    match kind:
        case "Machine":
            return _machine(spec)
        case "MachinePool":
            return _pool(_lifecycle(spec))
        case _:
            return _workspace(spec)


def _machine(spec: Manifest) -> Manifest:
    spec = {**spec, "providerID": f"aws:///eu-central-1a/{INSTANCE}"}
    if spec.get("claims"):
        spec = {key: value for key, value in spec.items() if key != "reap"}
        return {**spec, "slots": 100}
    return spec


def _workspace(spec: Manifest) -> Manifest:
    source = spec.get("restoreFrom")
    if isinstance(source, dict) and ("workspace" in source) == ("backup" in source):
        return {**spec, "restoreFrom": {"workspace": "other"}}
    return spec


def _lifecycle(spec: Manifest) -> Manifest:
    activity, backup, told = spec.get("activity"), spec.get("backup"), spec.get("notifications")
    if isinstance(activity, dict) and len(activity.keys() & {"codeServer", "jupyter", "http"}) > 1:
        spec = {**spec, "activity": {key: activity[key] for key in activity if key not in ("jupyter", "http")}}
    if isinstance(backup, dict) and "method" in backup:
        rest = {key: value for key, value in backup.items() if key != "s3"}
        needs = {"s3": {"bucket": "files"}} if backup["method"] == "S3Archive" else {}
        spec = {**spec, "backup": {**rest, **needs}}
        if backup["method"] == "EBSSnapshot":
            spec = {key: value for key, value in spec.items() if key != "slotsPerMachine"}
    if isinstance(told, dict) and not told:
        spec = {key: value for key, value in spec.items() if key != "notifications"}
    if isinstance(spec.get("lifecycle"), dict) and not isinstance(backup, dict):
        spec = {**spec, "lifecycle": {key: spec["lifecycle"][key] for key in spec["lifecycle"] if key != "retention"}}
    return spec


def _pool(spec: Manifest) -> Manifest:
    readiness, allowed = spec.get("readiness"), spec.get("allowedNamespaces")
    if isinstance(readiness, dict) and ("tcpSocket" in readiness) == ("httpGet" in readiness):
        rest = {key: value for key, value in readiness.items() if key != "httpGet"}
        spec = {**spec, "readiness": {**rest, "tcpSocket": {"port": 22}}}
    if isinstance(allowed, dict):
        spec = {**spec, "allowedNamespaces": _allowed(allowed)}
    return spec


def _allowed(allowed: Manifest) -> Manifest:
    selector = allowed.get("selector")
    if not isinstance(selector, dict):
        return {key: value for key, value in allowed.items() if key != "selector"} | {"from": "All"}
    wanted = selector.get("matchExpressions")
    if isinstance(wanted, list):
        selector = {**selector, "matchExpressions": [_requirement(one) for one in wanted]}
    return {**allowed, "from": "Selector", "selector": selector}


def _requirement(one: Any) -> Any:
    if not isinstance(one, dict):
        return one
    if one.get("operator") in ("In", "NotIn"):
        return {**one, "values": one.get("values") or ["a"]}
    return {key: value for key, value in one.items() if key != "values"}
