"""A stack whose AWS is a hundred times as fast as AWS, with an operator that looks as much more often."""

from pathlib import Path

from hotdesk_local.controlplane.apiserver import Options
from hotdesk_local.stack import LocalStack
from hotdesk_local.state import State

LAUNCH_TEMPLATE = "tests"
"""What every group of the tests launches from."""

PACE = {
    "HOTDESK_LOOK_SECONDS": "2",
    "HOTDESK_LOOK_MOVING_SECONDS": "0.3",
    "HOTDESK_RESYNC_SECONDS": "3",
    # Five minutes against AWS, which may carry a call out that long after it was signed. The simulated AWS carries
    # every call out before it answers or hangs up, and no test delays one by more than this.
    "HOTDESK_LATE_CALL_SECONDS": "3",
}

_FAST_AWS = {
    "launch": 0.3,
    "boot": 0.2,
    "terminate": 0.2,
    "stop": 0.2,
    "detach": 0.1,
    "healthCheck": 0.5,
    "retry": 0.5,
}
"""Seconds, where AWS needs minutes."""


def start_stack(folder: Path | State, *, options: Options | None = None, aws_address: str = "127.0.0.1") -> LocalStack:
    """Start a stack without an operator."""
    stack = LocalStack.start(folder, operator=False, aws_config=_FAST_AWS, aws_address=aws_address, options=options)
    stack.aws.ec2.create_launch_template(
        LaunchTemplateName=LAUNCH_TEMPLATE,
        LaunchTemplateData={"ImageId": stack.aws.image, "InstanceType": "m7i.large"},
    )
    return stack
