"""Which fields of AWS's long answers are read: those that `convert` makes facts of."""

from datetime import datetime
from typing import Any, Final

from hotdesk.adapters.aws.lean_xml import Fields, Items, Struct, Text, read_leanly


def _is_true(text: str) -> bool:
    return text == "true"


INSTANCES: Final[Fields] = {
    "DescribeInstancesResponse": Struct(
        None,
        {
            "nextToken": Text("NextToken"),
            "reservationSet": Items(
                "Reservations",
                {
                    "instancesSet": Items(
                        "Instances",
                        {
                            "instanceId": Text("InstanceId"),
                            "instanceLifecycle": Text("InstanceLifecycle"),
                            "instanceState": Struct("State", {"name": Text("Name")}),
                            "instanceType": Text("InstanceType"),
                            "ipAddress": Text("PublicIpAddress"),
                            "launchTime": Text("LaunchTime", datetime.fromisoformat),
                            "placement": Struct("Placement", {"availabilityZone": Text("AvailabilityZone")}),
                            "privateIpAddress": Text("PrivateIpAddress"),
                            "reason": Text("StateTransitionReason"),
                            "tagSet": Items("Tags", {"key": Text("Key"), "value": Text("Value")}),
                        },
                    )
                },
            ),
        },
    )
}
GROUPS: Final[Fields] = {
    "DescribeAutoScalingGroupsResponse": Struct(
        None,
        {
            "DescribeAutoScalingGroupsResult": Struct(
                None,
                {
                    "NextToken": Text("NextToken"),
                    "AutoScalingGroups": Items(
                        "AutoScalingGroups",
                        {
                            "AutoScalingGroupName": Text("AutoScalingGroupName"),
                            "DesiredCapacity": Text("DesiredCapacity", int),
                            "MinSize": Text("MinSize", int),
                            "MaxSize": Text("MaxSize", int),
                            "NewInstancesProtectedFromScaleIn": Text("NewInstancesProtectedFromScaleIn", _is_true),
                            "HealthCheckType": Text("HealthCheckType"),
                            "CapacityRebalance": Text("CapacityRebalance", _is_true),
                            "MaxInstanceLifetime": Text("MaxInstanceLifetime", int),
                            "Status": Text("Status"),
                            "SuspendedProcesses": Items("SuspendedProcesses", {"ProcessName": Text("ProcessName")}),
                            "Tags": Items(
                                "Tags",
                                {
                                    "Key": Text("Key"),
                                    "Value": Text("Value"),
                                    "PropagateAtLaunch": Text("PropagateAtLaunch", _is_true),
                                },
                            ),
                            "Instances": Items(
                                "Instances",
                                {
                                    "InstanceId": Text("InstanceId"),
                                    "AvailabilityZone": Text("AvailabilityZone"),
                                    "LifecycleState": Text("LifecycleState"),
                                    "HealthStatus": Text("HealthStatus"),
                                    "ProtectedFromScaleIn": Text("ProtectedFromScaleIn", _is_true),
                                },
                            ),
                        },
                    ),
                },
            )
        },
    )
}


def read_ec2_leanly(client: Any) -> None:
    """Let an EC2 client read DescribeInstances by the plan above."""
    nothing = b"<DescribeInstancesResponse/>"
    read_leanly(client, operation="DescribeInstances", plan=INSTANCES, nothing=nothing)


def read_auto_scaling_leanly(client: Any) -> None:
    """Let an Auto Scaling client read DescribeAutoScalingGroups by the plan above."""
    result = b"<DescribeAutoScalingGroupsResult/>"
    nothing = b"<DescribeAutoScalingGroupsResponse>" + result + b"</DescribeAutoScalingGroupsResponse>"
    read_leanly(client, operation="DescribeAutoScalingGroups", plan=GROUPS, nothing=nothing)
