"""EC2's writes: run, start, stop, reboot, terminate, protect."""

from collections.abc import Mapping

from hotdesk_local.aws.calls import Call
from hotdesk_local.aws.ebs_disks import read_disks
from hotdesk_local.aws.ebs_model import ROOT_DEVICE
from hotdesk_local.aws.ec2_describe import shown, state
from hotdesk_local.aws.ec2_tags import check_tags
from hotdesk_local.aws.errors import AwsError
from hotdesk_local.aws.fleet import check_start, check_stop
from hotdesk_local.aws.launch_templates import DEFAULT_TYPE, read_tags, read_template
from hotdesk_local.aws.model import Instance, LaunchSpec, Params, State, Subnet
from hotdesk_local.aws.world import ACCOUNT, Handler, World

LARGEST_BATCH = 1000


def _run(world: World, params: Params, call: Call) -> Params:
    token = params.get("ClientToken")
    earlier = [i for i in world.fleet.instances.values() if token and i.client_token == token]
    if earlier:
        return _launched(earlier, world)
    spec, subnet = _spec(world, params), _subnet(world, params)
    tags = read_tags(params.get("TagSpecifications", []), of="instance")
    check_tags(tags, existing={})
    instances: list[Instance] = []
    for index in range(params["MaxCount"]):
        try:
            started = world.fleet.launch(
                spec,
                subnet=subnet,
                cause=call.cause,
                now=call.time,
                tags={**spec.tags, **tags},
                client_token=token,
            )
        except AwsError:
            if index < params["MinCount"]:
                for instance in instances:
                    world.fleet.terminate(instance, cause=call.cause, now=call.time)
                raise
            break
        started.protected_from_termination = params.get("DisableApiTermination", False)
        started.protected_from_stop = params.get("DisableApiStop", False)
        instances.append(started)
    return _launched(instances, world)


def _launched(instances: list[Instance], world: World) -> Params:
    return {
        "ReservationId": instances[0].reservation,
        "OwnerId": ACCOUNT,
        "Groups": [],
        "Instances": [shown(i, world) for i in instances],
    }


def _spec(world: World, params: Params) -> LaunchSpec:
    base = (
        read_template(world.templates, params)
        if params.get("LaunchTemplate")
        else LaunchSpec(image="", instance_type=DEFAULT_TYPE)
    )
    image = params.get("ImageId", base.image)
    if not image:
        raise AwsError("MissingParameter", "The request must contain the parameter ImageId")
    market = params.get("InstanceMarketOptions", {}).get("MarketType")
    return LaunchSpec(
        image=image,
        instance_type=params.get("InstanceType", base.instance_type),
        tags=base.tags,
        volume_tags={**base.volume_tags, **read_tags(params.get("TagSpecifications", []), of="volume")},
        disks=read_disks(params["BlockDeviceMappings"]) if params.get("BlockDeviceMappings") else base.disks,
        spot=market == "spot" or base.spot,
        key_name=params.get("KeyName", base.key_name),
    )


def _subnet(world: World, params: Params) -> Subnet:
    wanted = params.get("SubnetId")
    zone = params.get("Placement", {}).get("AvailabilityZone")
    for subnet in world.network.subnets:
        if (wanted is None or subnet.id == wanted) and (zone is None or subnet.zone == zone):
            return subnet
    raise AwsError("InvalidSubnetID.NotFound", f"The subnet ID '{wanted or zone}' does not exist")


def _start(world: World, params: Params, call: Call) -> Params:
    instances = _known(world, params, call)
    for instance in instances:
        check_start(instance)
        if ROOT_DEVICE not in world.storage.attached(instance.id):
            raise AwsError(
                "InvalidParameterValue",
                f"Invalid value '{instance.id}' for instanceId. Instance does not have a volume attached at root "
                f"({ROOT_DEVICE})",
            )
    before = [i.state for i in instances]
    for instance in instances:
        world.fleet.start(instance, cause=call.cause, now=call.time)
    return {"StartingInstances": [_moved(i, b) for i, b in zip(instances, before, strict=True)]}


def _stop(world: World, params: Params, call: Call) -> Params:
    instances = _known(world, params, call)
    for instance in instances:
        if instance.protected_from_stop:
            raise _protected(instance, "stop", "disableApiStop")
        check_stop(instance)
    before = [i.state for i in instances]
    for instance in instances:
        world.fleet.stop(instance, cause=call.cause, now=call.time)
    return {"StoppingInstances": [_moved(i, b) for i, b in zip(instances, before, strict=True)]}


def _reboot(world: World, params: Params, call: Call) -> Params:
    _known(world, params, call)
    return {}


def _terminate(world: World, params: Params, call: Call) -> Params:
    instances = _known(world, params, call)
    refused = [i for i in instances if i.protected_from_termination]
    spared = {i.subnet.zone for i in refused}
    before = [i.state for i in instances]
    for instance in instances:
        # One protected instance saves all of its own zone; the other zones are terminated although the call fails.
        if instance.subnet.zone not in spared:
            world.fleet.terminate(instance, cause=call.cause, now=call.time)
    if refused:
        raise _protected(refused[0], "terminate", "disableApiTermination")
    return {"TerminatingInstances": [_moved(i, b) for i, b in zip(instances, before, strict=True)]}


def _modify_attribute(world: World, params: Params, call: Call) -> Params:
    (instance,) = world.fleet.known([params["InstanceId"]], now=call.time)
    termination, stop = _switch(params, "disableApiTermination"), _switch(params, "disableApiStop")
    mappings: list[Params] = params.get("BlockDeviceMappings", [])
    for mapping in mappings:
        _keep_or_delete(world, instance, mapping)
    if termination is None and stop is None and not mappings:
        raise AwsError("InvalidParameterCombination", "No attributes specified that the simulated AWS keeps.")
    if termination is not None:
        if termination and instance.spec.spot:
            raise AwsError("UnsupportedOperation", "Termination protection is not supported for Spot Instances.")
        old, instance.protected_from_termination = instance.protected_from_termination, termination
        _note(world, instance, "termination protection", old=old, new=termination, call=call)
    if stop is not None:
        old, instance.protected_from_stop = instance.protected_from_stop, stop
        _note(world, instance, "stop protection", old=old, new=stop, call=call)
    return {}


def _keep_or_delete(world: World, instance: Instance, mapping: Params) -> None:
    volume = world.storage.attached(instance.id).get(mapping["DeviceName"])
    if volume is None or volume.attachment is None:
        raise AwsError("InvalidInstanceAttributeValue", f"No device is currently mapped at {mapping['DeviceName']}")
    volume.attachment.delete_on_termination = bool(mapping.get("Ebs", {}).get("DeleteOnTermination"))
    instance.rendered = None


def _switch(params: Params, attribute: str) -> bool | None:
    """Return the wanted value in either of the two forms the API takes."""
    nested: Params | None = params.get(attribute[0].upper() + attribute[1:])
    if nested is not None:
        return bool(nested.get("Value"))
    return str(params.get("Value")).lower() == "true" if params.get("Attribute") == attribute else None


def _note(world: World, instance: Instance, what: str, *, old: bool, new: bool, call: Call) -> None:  # one record
    if old != new:
        world.fleet.note(instance, what, old=str(old).lower(), new=str(new).lower(), cause=call.cause, now=call.time)


def _known(world: World, params: Params, call: Call) -> list[Instance]:
    ids = params.get("InstanceIds", [])
    if not ids:
        raise AwsError("MissingParameter", "The request must contain the parameter InstanceId")
    if len(ids) > LARGEST_BATCH:
        raise AwsError("InvalidParameterValue", f"A call takes at most {LARGEST_BATCH} instances.")
    return world.fleet.known(ids, now=call.time)


def _moved(instance: Instance, before: State) -> Params:
    return {"InstanceId": instance.id, "CurrentState": state(instance.state), "PreviousState": state(before)}


def _protected(instance: Instance, verb: str, attribute: str) -> AwsError:
    return AwsError(
        "OperationNotPermitted",
        f"The instance '{instance.id}' may not be {'terminated' if verb == 'terminate' else 'stopped'}. Modify its "
        f"'{attribute}' instance attribute and try again.",
    )


ACTIONS: Mapping[str, Handler] = {
    "RunInstances": _run,
    "StartInstances": _start,
    "StopInstances": _stop,
    "RebootInstances": _reboot,
    "TerminateInstances": _terminate,
    "ModifyInstanceAttribute": _modify_attribute,
}
