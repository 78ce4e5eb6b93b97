"""What the simulated AWS answers itself: service → action → handler. moto answers the rest."""

from collections.abc import Mapping

from hotdesk_local.aws import (
    asg_groups,
    asg_members,
    asg_settings,
    asg_tags,
    cloudwatch,
    ebs_snapshots,
    ebs_volumes,
    ec2_change,
    ec2_describe,
    ec2_tags,
    launch_templates,
    s3_buckets,
    s3_objects,
    s3_uploads,
    sns,
    sqs_messages,
    sqs_queues,
    ssm_agents,
    ssm_commands,
    sts,
)
from hotdesk_local.aws.wire import Renders
from hotdesk_local.aws.world import Handler

Handlers = Mapping[str, Mapping[str, Handler]]


def handlers(*, ec2: Renders, autoscaling: Renders) -> Handlers:
    """Return all handlers; the two writers write an instance and a member once, until it changes."""
    return {
        "ec2": {
            **ec2_describe.actions(ec2),
            **ec2_change.ACTIONS,
            **ec2_tags.ACTIONS,
            **launch_templates.ACTIONS,
            **ebs_volumes.ACTIONS,
            **ebs_snapshots.ACTIONS,
        },
        "autoscaling": {
            **asg_groups.actions(autoscaling),
            **asg_members.ACTIONS,
            **asg_settings.ACTIONS,
            **asg_tags.ACTIONS,
        },
        "s3": {**s3_buckets.ACTIONS, **s3_objects.ACTIONS, **s3_uploads.ACTIONS},
        "cloudwatch": cloudwatch.ACTIONS,
        "sns": sns.ACTIONS,
        "sqs": {**sqs_queues.ACTIONS, **sqs_messages.ACTIONS},
        "ssm": {**ssm_commands.ACTIONS, **ssm_agents.ACTIONS},
        "sts": sts.ACTIONS,
    }
