"""Workspaces that were served long ago: each with its machine outside the group, as secured claims are."""

import asyncio
from collections.abc import Iterator
from typing import Any

from bench.wire import GROUP, MACHINES, Access, Wire, wire
from hotdesk.core.encoding import tag_value
from hotdesk.core.tags import TAGS_PER_CALL, claim_tag
from hotdesk_local.simulated_aws import SimulatedAws

NAMESPACE = "settled"
LABEL = "hotdesk.dev/bench"
_WORKSPACES = f"{GROUP}/namespaces/{NAMESPACE}/workspaces"
_LAUNCHED_AT_ONCE = 500
_CONNECTIONS = 16
_MOMENT = "2026-01-01T00:00:00"


def settle(count: int, *, pool: str, access: Access, aws: SimulatedAws) -> None:
    """Add so many; the operator must not run, and AWS must launch at once and without request quotas."""
    instances = [instance for launched in _launch(count, pool=pool, aws=aws) for instance in launched]
    claims = asyncio.run(_record(instances, pool=pool, access=access))
    for start in range(0, len(claims), TAGS_PER_CALL):
        batch = claims[start : start + TAGS_PER_CALL]
        aws.ec2.create_tags(Resources=[name for name, _ in batch], Tags=[_tag(name, uid) for name, uid in batch])


def _launch(count: int, *, pool: str, aws: SimulatedAws) -> Iterator[list[Any]]:
    tags = [{"Key": "hotdesk.dev/pool", "Value": pool}, {"Key": "hotdesk.dev/managed-by", "Value": "hotdesk"}]
    for start in range(0, count, _LAUNCHED_AT_ONCE):
        number = min(_LAUNCHED_AT_ONCE, count - start)
        yield aws.ec2.run_instances(
            MinCount=number,
            MaxCount=number,
            LaunchTemplate={"LaunchTemplateName": pool},
            SubnetId=aws.subnets[0],
            TagSpecifications=[{"ResourceType": "instance", "Tags": tags}],
        )["Instances"]


def _tag(name: str, uid: str) -> Any:
    return {"Key": claim_tag(name, 0), "Value": tag_value(f"{NAMESPACE}/{name}/{uid}")}


async def _record(instances: list[Any], *, pool: str, access: Access) -> list[tuple[str, str]]:
    """Return the machines' names with the UIDs of their workspaces."""
    async with wire(access, connections=_CONNECTIONS) as opened:
        namespaces = (await opened.get("/api/v1/namespaces"))["items"]
        if NAMESPACE not in {namespace["metadata"]["name"] for namespace in namespaces}:
            body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
            await opened.create("/api/v1/namespaces", body)
        return await asyncio.gather(*(_one(opened, instance, pool=pool) for instance in instances))


async def _one(opened: Wire, instance: Any, *, pool: str) -> tuple[str, str]:
    """Write one Workspace and its Machine as Hotdesk leaves them: four writes."""
    name, ip, zone = instance["InstanceId"], instance["PrivateIpAddress"], instance["Placement"]["AvailabilityZone"]
    path = f"{_WORKSPACES}/{name}"
    spec = {"pool": pool, "owner": f"{name}@example.com", "project": "bench"}
    await opened.create(_WORKSPACES, _object("Workspace", name, spec))
    uid = (await opened.get(path))["metadata"]["uid"]
    claimed_at = f"{_MOMENT}.000000Z"
    claim = {"slot": 0, "workspace": {"namespace": NAMESPACE, "name": name, "uid": uid}, "claimedAt": claimed_at}
    record = {"pool": pool, "providerID": f"aws:///{zone}/{name}", "slots": 1, "claims": [claim]}
    labels = {"hotdesk.dev/pool": pool, LABEL: NAMESPACE}
    await opened.create(MACHINES, _object("Machine", name, record, labels=labels))
    secured = _condition("Secured", "Detached", "It left its Auto Scaling group.")
    ready = _condition("Ready", "ProbeSucceeded", "It may be handed out.")
    seen = {"phase": "Claimed", "observedGeneration": 1, "inGroup": False, "privateIP": ip, "zone": zone}
    launched_at = f"{instance['LaunchTime']:%Y-%m-%dT%H:%M:%S}.000000Z"  # any other would say that it was restarted
    machine_status = {**seen, "readyAt": claimed_at, "launchedAt": launched_at, "conditions": [ready, secured]}
    await opened.patch(f"{MACHINES}/{name}/status", {"status": machine_status})
    served = _condition("Ready", "MachineReady", f"Machine {name} is running at {ip}.")
    told = {"phase": "Running", "observedGeneration": 1, "machine": name, "slot": 0, "privateIP": ip}
    times = {"claimedAt": claimed_at, "readyAt": claimed_at, "url": f"http://{ip}:8080/"}
    await opened.patch(f"{path}/status", {"status": {**told, **times, "conditions": [served]}})
    return name, uid


def _object(kind: str, name: str, spec: dict[str, Any], *, labels: dict[str, str] | None = None) -> dict[str, Any]:
    metadata = {"name": name, "labels": labels or {}}
    return {"apiVersion": "hotdesk.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec}


def _condition(kind: str, reason: str, message: str) -> dict[str, Any]:
    return {
        "type": kind,
        "status": "True",
        "reason": reason,
        "message": message,
        "lastTransitionTime": f"{_MOMENT}Z",
        "observedGeneration": 1,
    }
