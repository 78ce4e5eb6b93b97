"""Pools, workspaces and machines as people write them."""

from typing import Any

REGION = "eu-central-1"
API_VERSION = "hotdesk.dev/v1alpha1"
URL_TEMPLATE = "http://{privateIP}:8080/?folder=/home/{owner}/{project}"
ANSWERS = {"httpGet": {"port": 8080, "path": "/healthz"}}
"""A readiness that the simulated machines pass when they have booted."""

Object = dict[str, Any]


def pool(  # a manifest has many fields
    name: str,
    *,
    group: str,
    max_machines: int = 4,
    idle: int = 1,
    slots: int = 1,
    scale_down_delay: str = "0s",
    buffer: Object | None = None,
    aws: Object | None = None,
    **spec: Any,
) -> Object:
    """Return a MachinePool; what is not named is as tests want it: small, and without patience."""
    return {
        "apiVersion": API_VERSION,
        "kind": "MachinePool",
        "metadata": {"name": name},
        "spec": {
            "aws": {"region": REGION, "autoScalingGroupName": group, **(aws or {})},
            "maxMachines": max_machines,
            "slotsPerMachine": slots,
            "buffer": {"idle": idle, "scaleDownDelay": scale_down_delay, **(buffer or {})},
            **spec,
        },
    }


def workspace(name: str, *, pool: str, namespace: str, owner: str = "ada", **spec: Any) -> Object:
    """Return a Workspace."""
    return {
        "apiVersion": API_VERSION,
        "kind": "Workspace",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"pool": pool, "owner": owner, **spec},
    }


def machine(name: str, *, pool: str, zone: str = "eu-central-1a", **spec: Any) -> Object:
    """Return a Machine, as nobody but the operator should write it."""
    return {
        "apiVersion": API_VERSION,
        "kind": "Machine",
        "metadata": {"name": name, "labels": {"hotdesk.dev/pool": pool}},
        "spec": {"pool": pool, "providerID": f"aws:///{zone}/{name}", "slots": 1, **spec},
    }
