"""SSM's answers about commands, in boto3's shape."""

from hotdesk_local.aws.clock import moment
from hotdesk_local.aws.model import Params
from hotdesk_local.aws.ssm_model import OPEN, Command, Invocation, Status

DOCUMENT = "AWS-RunShellScript"
PLUGIN = "aws:runShellScript"


def shown_invocation(invocation: Invocation) -> Params:
    """Return what GetCommandInvocation says."""
    ended, started = invocation.ended, invocation.started
    return {
        "CommandId": invocation.command.id,
        "InstanceId": invocation.instance.id,
        "Comment": invocation.command.comment,
        "DocumentName": DOCUMENT,
        "DocumentVersion": "$DEFAULT",
        "PluginName": PLUGIN,
        "ResponseCode": invocation.code,
        "ExecutionStartDateTime": _written(started),
        "ExecutionElapsedTime": "" if started is None or ended is None else f"PT{ended - started:.3f}S",
        "ExecutionEndDateTime": _written(ended),
        "Status": invocation.status.value,
        "StatusDetails": invocation.details,
        "StandardOutputContent": invocation.stdout,
        "StandardErrorContent": invocation.stderr,
        "StandardOutputUrl": "",
        "StandardErrorUrl": "",
    }


def shown_command(command: Command) -> Params:
    """Return what SendCommand and ListCommands say."""
    invocations = list(command.invocations.values())
    status = _overall(invocations)
    return {
        "CommandId": command.id,
        "DocumentName": DOCUMENT,
        "DocumentVersion": "$DEFAULT",
        "Comment": command.comment,
        "Parameters": command.parameters,
        "InstanceIds": list(command.invocations),
        "Targets": command.targets,
        "RequestedDateTime": moment(command.asked),
        "ExpiresAfter": moment(command.asked + command.timeout),
        "Status": status.value,
        "StatusDetails": status.value,
        "TimeoutSeconds": int(command.timeout),
        "MaxConcurrency": "50",
        "MaxErrors": "0",
        "TargetCount": len(invocations),
        "CompletedCount": sum(1 for i in invocations if i.status not in OPEN),
        "ErrorCount": sum(1 for i in invocations if i.status in {Status.FAILED, Status.TIMED_OUT}),
        "DeliveryTimedOutCount": sum(1 for i in invocations if i.details == "DeliveryTimedOut"),
    }


def _overall(invocations: list[Invocation]) -> Status:
    """Return the worst of the ended, or how far the slowest is."""
    seen = {i.status for i in invocations}
    order = (
        Status.IN_PROGRESS,
        Status.PENDING,
        Status.FAILED,
        Status.TIMED_OUT,
        Status.CANCELLED,
    )
    return next((status for status in order if status in seen), Status.SUCCESS)


def listed_invocation(invocation: Invocation, *, details: bool) -> Params:
    """Return what ListCommandInvocations says."""
    plugin = {
        "Name": PLUGIN,
        "Status": invocation.status.value,
        "StatusDetails": invocation.details,
        "ResponseCode": invocation.code,
        "ResponseStartDateTime": moment(invocation.started) if invocation.started is not None else None,
        "ResponseFinishDateTime": moment(invocation.ended) if invocation.ended is not None else None,
        "Output": (invocation.stdout + invocation.stderr)[:2500],
    }
    return {
        "CommandId": invocation.command.id,
        "InstanceId": invocation.instance.id,
        "Comment": invocation.command.comment,
        "DocumentName": DOCUMENT,
        "RequestedDateTime": moment(invocation.command.asked),
        "Status": invocation.status.value,
        "StatusDetails": invocation.details,
        "CommandPlugins": [plugin] if details else [],
    }


def _written(seconds: float | None) -> str:
    return "" if seconds is None else moment(seconds).isoformat(timespec="milliseconds").replace("+00:00", "Z")
