"""Good objects of every kind, and how to bend one field of them."""

from copy import deepcopy
from typing import Any

# Names of our own: other tests use the same API server.
WORKSPACE = "crd-workspace"
POOL = "crd-pool"
INSTANCE = "i-0c4d0c4d0c4d0c4d0"

Manifest = dict[str, Any]


def workspace(**changes: Any) -> Manifest:
    """Return a Workspace; `changes` are dotted paths below spec, written with `__`. None removes the field."""
    return _bent("Workspace", WORKSPACE, {"pool": POOL, "owner": "ada", "project": "engine"}, changes)


def pool(**changes: Any) -> Manifest:
    """Return a MachinePool of the required fields, changed as `workspace` tells."""
    spec = {"aws": {"region": "eu-central-1", "autoScalingGroupName": "hotdesk-dev"}, "maxMachines": 10}
    return _bent("MachinePool", POOL, spec, changes)


def machine(name: str = INSTANCE, **changes: Any) -> Manifest:
    """Return an unclaimed Machine of two slots, changed as `workspace` tells."""
    spec = {"pool": POOL, "providerID": f"aws:///eu-central-1a/{name}", "slots": 2, "claims": []}
    return _bent("Machine", name, spec, changes)


def claim(slot: int = 0, uid: str = "uid-1") -> Manifest:
    """Return one claim of a Machine."""
    holder = {"namespace": "team-a", "name": "demo", "uid": uid}
    return {"slot": slot, "workspace": holder, "claimedAt": "2026-01-02T03:04:05.678901Z"}


def schedule(**changes: Any) -> Manifest:
    """Return one entry of buffer.schedules, some of its fields exchanged."""
    entry = {"name": "day", "start": "0 8 * * MON-FRI", "duration": "9h", "timeZone": "Europe/Berlin", "idle": 5}
    return {**entry, **changes}


def named(manifest: Manifest, name: str) -> Manifest:
    """Return the manifest under another name."""
    return {**manifest, "metadata": {**manifest["metadata"], "name": name}}


def _bent(kind: str, name: str, spec: Manifest, changes: Manifest) -> Manifest:
    spec = deepcopy(spec)
    for path, value in changes.items():
        *parents, last = path.split("__")
        target = spec
        for parent in parents:
            target = target.setdefault(parent, {})
        if value is None:
            del target[last]
        else:
            target[last] = value
    return {"apiVersion": "hotdesk.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec}
