"""EC2's reads: DescribeInstances, DescribeInstanceStatus, DescribeInstanceAttribute."""

from collections.abc import Iterator, Mapping
from typing import Any

from hotdesk_local.aws.calls import Call
from hotdesk_local.aws.clock import moment
from hotdesk_local.aws.ebs_model import ROOT_DEVICE, Volume
from hotdesk_local.aws.errors import AwsError
from hotdesk_local.aws.filters import INSTANCES, matcher
from hotdesk_local.aws.model import LIVE, STATE_CODES, Instance, Params, State
from hotdesk_local.aws.pages import page
from hotdesk_local.aws.wire import Renders
from hotdesk_local.aws.world import ACCOUNT, Handler, World

PAGE = 1000
SMALLEST_PAGE = 5


def actions(wire: Renders) -> Mapping[str, Handler]:
    """Return the handlers; `wire` writes an instance once and again only after it changed."""

    def describe_instances(world: World, params: Params, call: Call) -> Params:
        found, token = _asked_for(world, params, call)
        return {"Reservations": [_reservation(i, _rendered(i, world, wire)) for i in found], "NextToken": token}

    return {
        "DescribeInstances": describe_instances,
        "DescribeInstanceStatus": _describe_status,
        "DescribeInstanceAttribute": _describe_attribute,
    }


def shown(instance: Instance, world: World) -> Params:
    """Return an instance in boto3's shape."""
    alive = instance.state in LIVE
    public = instance.public_ip
    return {
        "InstanceId": instance.id,
        "ImageId": instance.spec.image,
        "State": state(instance.state),
        "PrivateDnsName": f"ip-{instance.private_ip.replace('.', '-')}.{world.region}.compute.internal"
        if alive
        else "",
        "PublicDnsName": f"ec2-{public.replace('.', '-')}.{world.region}.compute.amazonaws.com" if public else "",
        "StateTransitionReason": instance.transition,
        "StateReason": _reason(instance),
        "KeyName": instance.spec.key_name,
        "AmiLaunchIndex": 0,
        "InstanceType": instance.spec.instance_type,
        "LaunchTime": moment(int(instance.launched)),
        "Placement": {"AvailabilityZone": instance.subnet.zone, "GroupName": "", "Tenancy": "default"},
        "Monitoring": {"State": "disabled"},
        "SubnetId": instance.subnet.id if alive else None,
        "VpcId": world.network.vpc if alive else None,
        "PrivateIpAddress": instance.private_ip if alive else None,
        "PublicIpAddress": public,
        "Architecture": "x86_64",
        "ClientToken": instance.client_token or "",
        "Hypervisor": "xen",
        "VirtualizationType": "hvm",
        "RootDeviceName": ROOT_DEVICE,
        "RootDeviceType": "ebs",
        "BlockDeviceMappings": [
            _disk(device, volume) for device, volume in world.storage.attached(instance.id).items()
        ],
        "InstanceLifecycle": "spot" if instance.spec.spot else None,
        "SpotInstanceRequestId": f"sir-{instance.id[2:10]}" if instance.spec.spot else None,
        "SecurityGroups": [{"GroupId": world.network.security_group, "GroupName": "default"}] if alive else [],
        "Tags": [{"Key": key, "Value": value} for key, value in instance.tags.items()],
    }


def state(value: State) -> Params:
    """Return a state in boto3's shape."""
    return {"Code": STATE_CODES[value], "Name": value.value}


def _disk(device: str, volume: Volume) -> Params:
    # No AttachTime: SDKs read a moment slowly, and this answer is read often. DescribeVolumes has it.
    attachment = volume.attachment
    ebs: Params = {"VolumeId": volume.id}
    if attachment is not None:
        ebs["DeleteOnTermination"] = attachment.delete_on_termination
        ebs["Status"] = attachment.state.value
    return {"DeviceName": device, "Ebs": ebs}


def _reason(instance: Instance) -> Params | None:
    return None if instance.reason is None else {"Code": instance.reason[0], "Message": instance.reason[1]}


def _rendered(instance: Instance, world: World, wire: Renders) -> Any:
    if instance.rendered is None:
        instance.rendered = wire.render("Instance", shown(instance, world))
    return instance.rendered


def _reservation(instance: Instance, written: Any) -> Params:
    return {"ReservationId": instance.reservation, "OwnerId": ACCOUNT, "Groups": [], "Instances": [written]}


def _asked_for(world: World, params: Params, call: Call) -> tuple[list[Instance], str | None]:
    ids, size = params.get("InstanceIds"), params.get("MaxResults")
    if size is not None and ids:
        raise AwsError(
            "InvalidParameterCombination",
            "The parameter instancesSet cannot be used with the parameter maxResults",
        )
    if size is not None and not SMALLEST_PAGE <= size <= PAGE:
        raise AwsError(
            "InvalidParameterValue",
            f"Value ( {size} ) for parameter maxResults is invalid. "
            f"Expecting a value between {SMALLEST_PAGE} and {PAGE}.",
        )
    wanted = matcher(params.get("Filters", []), INSTANCES)
    if ids:
        return [i for i in world.fleet.known(ids, now=call.time) if wanted(i)], None
    candidates = (i for i in _visible(world, params.get("Filters", []), call) if wanted(i))
    return page(
        candidates,
        size=size or PAGE,
        token=params.get("NextToken"),
        place=lambda i: f"{i.number:012d}",
    )


def _visible(world: World, filters: list[Params], call: Call) -> Iterator[Instance]:
    """Yield what EC2 admits to knowing, oldest first; an `instance-id` filter without wildcards is a look-up."""
    instances = world.fleet.instances
    named = next((f["Values"] for f in filters if f.get("Name") == "instance-id" and f.get("Values")), None)
    if named is None or any("*" in v or "?" in v for v in named):
        candidates = iter(instances.values())
    else:
        candidates = iter(sorted((instances[v] for v in set(named) if v in instances), key=lambda i: i.number))
    return (i for i in candidates if call.time >= i.created + world.config.consistency)


def _describe_status(world: World, params: Params, call: Call) -> Params:
    found, token = _asked_for(world, params, call)
    everything = params.get("IncludeAllInstances", False)
    return {
        "InstanceStatuses": [_status(i) for i in found if everything or i.state is State.RUNNING],
        "NextToken": token,
    }


def _status(instance: Instance) -> Params:
    verdict = {"Status": "ok" if instance.state is State.RUNNING else "not-applicable"}
    return {
        "InstanceId": instance.id,
        "AvailabilityZone": instance.subnet.zone,
        "InstanceState": state(instance.state),
        "InstanceStatus": verdict,
        "SystemStatus": verdict,
    }


def _describe_attribute(world: World, params: Params, call: Call) -> Params:
    (instance,) = world.fleet.known([params["InstanceId"]], now=call.time)
    values: Mapping[str, Params] = {
        "disableApiTermination": {"DisableApiTermination": {"Value": instance.protected_from_termination}},
        "disableApiStop": {"DisableApiStop": {"Value": instance.protected_from_stop}},
        "instanceType": {"InstanceType": {"Value": instance.spec.instance_type}},
        "rootDeviceName": {"RootDeviceName": {"Value": ROOT_DEVICE}},
    }
    asked = params["Attribute"]
    if asked not in values:
        raise AwsError("InvalidParameterValue", f"The simulated AWS does not keep the attribute '{asked}'.")
    return {"InstanceId": instance.id, **values[asked]}
