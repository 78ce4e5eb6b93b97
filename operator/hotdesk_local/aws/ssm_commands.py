"""SSM's calls about commands: send, look, list, cancel."""

from collections.abc import Iterable, Mapping

from hotdesk_local.aws.calls import Call
from hotdesk_local.aws.errors import AwsError
from hotdesk_local.aws.model import Instance, Params, State
from hotdesk_local.aws.pages import page
from hotdesk_local.aws.ssm import new_command_id
from hotdesk_local.aws.ssm_model import Command
from hotdesk_local.aws.ssm_shown import DOCUMENT, listed_invocation, shown_command, shown_invocation
from hotdesk_local.aws.world import ACCOUNT, Handler, World

PAGE = 50
DELIVER_WITHIN, RUN_WITHIN = 3600, 3600
"""Seconds unless asked otherwise (the document's defaults)."""


def _send(world: World, params: Params, call: Call) -> Params:
    if str(params["DocumentName"]).rpartition("/")[2] != DOCUMENT:
        raise AwsError("InvalidDocument", f"document name {params['DocumentName']} does not exist")
    parameters: dict[str, list[str]] = params.get("Parameters", {})
    if not parameters.get("commands"):
        raise AwsError("InvalidParameters", "Parameter commands must be supplied.")
    instances = list(_targets(world, params, call))
    _check(world, instances, call)
    command = Command(
        id=new_command_id(),
        number=call.n,
        script="\n".join(parameters["commands"]),
        folder=(parameters.get("workingDirectory") or [None])[0],  # type: ignore[list-item]  # absent is None
        parameters=parameters,
        comment=params.get("Comment", ""),
        asked=call.time,
        timeout=float(params.get("TimeoutSeconds", DELIVER_WITHIN)),
        limit=float((parameters.get("executionTimeout") or [str(RUN_WITHIN)])[0]),
        targets=params.get("Targets", []),
        doomed=call.doomed,
    )
    world.guests.send(command, instances)
    return {"Command": shown_command(command)}


def _targets(world: World, params: Params, call: Call) -> Iterable[Instance]:
    ids: list[str] = params.get("InstanceIds", [])
    if len(ids) > PAGE:
        raise AwsError("ValidationException", f"Member must have length less than or equal to {PAGE}")
    yield from (_instance(world, one) for one in dict.fromkeys(ids))
    for target in params.get("Targets", []):
        key, values = str(target["Key"]), target.get("Values", [])
        if key.lower() == "instanceids":
            yield from (_instance(world, one) for one in values)
        elif key.startswith("tag:"):
            # By tag SSM takes whoever is registered, and no error where nobody is.
            tagged = (i for i in world.fleet.instances.values() if i.tags.get(key.removeprefix("tag:")) in values)
            yield from (i for i in tagged if _takes_commands(world, i, call))


def _instance(world: World, name: str) -> Instance:
    instance = world.fleet.instances.get(name)
    if instance is None:
        raise _invalid([name])
    return instance


def _check(world: World, instances: Iterable[Instance], call: Call) -> None:
    refused = [i.id for i in instances if not _takes_commands(world, i, call)]
    if refused:
        raise _invalid(refused)


def _takes_commands(world: World, instance: Instance, call: Call) -> bool:
    return instance.state is State.RUNNING and world.guests.is_registered(instance, now=call.time)


def _invalid(names: list[str]) -> AwsError:
    return AwsError("InvalidInstanceId", f"Instances [[{', '.join(names)}]] not in a valid state for account {ACCOUNT}")


def _get(world: World, params: Params, call: Call) -> Params:
    command = world.guests.commands.get(params["CommandId"])
    invocation = command.invocations.get(params["InstanceId"]) if command else None
    if invocation is None or call.time < invocation.command.asked + world.config.consistency:
        raise AwsError("InvocationDoesNotExist", "")
    return shown_invocation(invocation)


def _list_invocations(world: World, params: Params, call: Call) -> Params:
    wanted_command, wanted_instance = params.get("CommandId"), params.get("InstanceId")
    found, token = page(
        (
            invocation
            for command in world.guests.commands.values()
            if wanted_command in {None, command.id} and call.time >= command.asked + world.config.consistency
            for _, invocation in sorted(command.invocations.items())
            if wanted_instance in {None, invocation.instance.id}
        ),
        size=min(params.get("MaxResults") or PAGE, PAGE),
        token=params.get("NextToken"),
        place=lambda i: f"{i.command.number:012d} {i.instance.id}",
    )
    return {
        "CommandInvocations": [listed_invocation(i, details=params.get("Details", False)) for i in found],
        "NextToken": token,
    }


def _list_commands(world: World, params: Params, _call: Call) -> Params:
    wanted = params.get("CommandId")
    found, token = page(
        (c for c in world.guests.commands.values() if wanted in {None, c.id}),
        size=min(params.get("MaxResults") or PAGE, PAGE),
        token=params.get("NextToken"),
        place=lambda c: f"{c.number:012d}",
    )
    return {"Commands": [shown_command(c) for c in found], "NextToken": token}


def _cancel(world: World, params: Params, call: Call) -> Params:
    command = world.guests.commands.get(params["CommandId"])
    if command is None:
        raise AwsError("InvalidCommandId", "")
    wanted = params.get("InstanceIds")
    for instance_id, invocation in command.invocations.items():
        if not wanted or instance_id in wanted:
            world.guests.cancel(invocation, now=call.time)
    return {}


ACTIONS: Mapping[str, Handler] = {
    "SendCommand": _send,
    "GetCommandInvocation": _get,
    "ListCommandInvocations": _list_invocations,
    "ListCommands": _list_commands,
    "CancelCommand": _cancel,
}
