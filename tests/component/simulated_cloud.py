"""A simulated AWS in this process, and boto3 clients that talk to it as real ones would."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import boto3
from botocore.config import Config

from hotdesk_local.aws.server import SimulatedAws
from waiting import wait_for

FAST = {
    "launch": 0.1,
    "boot": 0.05,
    "stop": 0.1,
    "terminate": 0.1,
    "detach": 0.1,
    "events": {"queue": None, "delay": 0, "jitter": 0, "duplicates": 0, "losses": 0},
    "spotWarning": 0.1,
    "agent": 0.05,
    "command": 0,
    "run": 0,
    "volume": 0.1,
    "attach": 0.1,
    "snapshot": 0.1,
    "healthCheck": 0.1,
    "consistency": 0,
    "retry": 0.1,
    "forget": 3600,
    "capacity": None,
    "zoneCapacity": {},
    "vcpuQuota": None,
    "quotas": False,
    "program": "code-server",
    "serve": False,
}
NEVER = 3600
# Patient, because the first call to another service loads moto.
_ONE_TRY = Config(retries={"total_max_attempts": 1}, connect_timeout=30, read_timeout=120)


@dataclass
class Cloud:
    """The simulator with what tests do to it. Every group made here has a name of its own."""

    aws: SimulatedAws
    ec2: Any
    asg: Any
    _names: Iterator[int] = field(default_factory=count)

    def client(self, service: str, *, config: Config = _ONE_TRY) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.aws.endpoint,
            region_name=self.aws.ready.region,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=config,
        )

    def sim(self, path: str, *, method: str = "GET", body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        with urlopen(Request(f"{self.aws.endpoint}/_sim/{path}", data=data, method=method), timeout=60) as answer:  # noqa: S310  # http, ours
            return json.load(answer)

    def configure(self, **values: Any) -> None:
        self.sim("config", method="PUT", body=values)

    def fault(self, action: str, kind: str, **more: Any) -> None:
        self.sim("faults", method="POST", body={"action": action, "kind": kind, **more})

    def reset(self) -> None:
        """Forget what an earlier test turned, and end its machines."""
        self.sim("faults", method="DELETE")
        self.configure(**FAST)
        for group in self.asg.describe_auto_scaling_groups()["AutoScalingGroups"]:
            name = group["AutoScalingGroupName"]
            self.asg.update_auto_scaling_group(AutoScalingGroupName=name, DeletionProtection="none")
            self.asg.delete_auto_scaling_group(AutoScalingGroupName=name, ForceDelete=True)
        for machine in self.sim("machines")["machines"]:
            if machine["state"] not in {"shutting-down", "terminated"}:
                self.sim(f"machines/{machine['id']}/terminate", method="POST")
        wait_for(self._is_empty, what="everything of the last test is gone")

    def _is_empty(self) -> bool:
        groups = self.asg.describe_auto_scaling_groups()["AutoScalingGroups"]
        return not groups and all(m["state"] == "terminated" for m in self.sim("machines")["machines"])

    def template(self, **data: Any) -> str:
        made = self.ec2.create_launch_template(
            LaunchTemplateName=f"template-{next(self._names)}",
            LaunchTemplateData={"ImageId": self.aws.ready.image, "InstanceType": "t3.large", **data},
        )
        return str(made["LaunchTemplate"]["LaunchTemplateId"])

    def group(self, *, desired: int = 0, maximum: int = 10, ready: bool = True, **more: Any) -> str:
        """Make a group as Hotdesk wants it, and wait until its members are in service."""
        name = f"group-{next(self._names)}"
        settings = {
            "MinSize": 0,
            "MaxSize": maximum,
            "DesiredCapacity": desired,
            "NewInstancesProtectedFromScaleIn": True,
            "VPCZoneIdentifier": ",".join(self.aws.ready.subnets),
            **more,
        }
        if "MixedInstancesPolicy" not in settings:
            settings.setdefault("LaunchTemplate", {"LaunchTemplateId": self.template(), "Version": "$Latest"})
        self.asg.create_auto_scaling_group(AutoScalingGroupName=name, **settings)
        if ready and desired:
            self.in_service(name, desired)
        return name

    def describe(self, group: str) -> dict[str, Any]:
        (found,) = self.asg.describe_auto_scaling_groups(AutoScalingGroupNames=[group])["AutoScalingGroups"]
        return found

    def members(self, group: str) -> dict[str, dict[str, Any]]:
        return {m["InstanceId"]: m for m in self.describe(group)["Instances"]}

    def in_service(self, group: str, number: int) -> list[str]:
        """Wait until the group holds exactly so many members, all InService, and return their ids."""

        def seen() -> list[str] | None:
            members = self.members(group)
            serving = [i for i, m in members.items() if m["LifecycleState"] == "InService"]
            return serving if len(serving) == len(members) == number else None

        if number == 0:
            wait_for(lambda: not self.members(group), what=f"{group} is empty")
            return []
        return wait_for(seen, what=f"{number} members of {group} in service") or []

    def replacement(self, group: str, lost: str) -> str:
        """Wait until another one member stands in for the lost one, and return its id."""
        wait_for(lambda: lost not in self.members(group), what=f"{lost} left {group}")
        (found,) = self.in_service(group, 1)
        return found

    def instance(self, instance_id: str) -> dict[str, Any]:
        (reservation,) = self.ec2.describe_instances(InstanceIds=[instance_id])["Reservations"]
        (found,) = reservation["Instances"]
        return found

    def state(self, instance_id: str) -> str:
        return str(self.instance(instance_id)["State"]["Name"])

    def until_state(self, instance_id: str, state: str) -> None:
        wait_for(lambda: self.state(instance_id) == state, what=f"{instance_id} is {state}")

    def machine(self, instance_id: str) -> dict[str, Any]:
        (found,) = [m for m in self.sim("machines")["machines"] if m["id"] == instance_id]
        return found

    def tags(self, instance_id: str) -> dict[str, str]:
        return {t["Key"]: t["Value"] for t in self.instance(instance_id).get("Tags", [])}

    def detach(self, group: str, ids: Sequence[str], *, decrement: bool = False) -> Any:
        return self.asg.detach_instances(
            AutoScalingGroupName=group,
            InstanceIds=list(ids),
            ShouldDecrementDesiredCapacity=decrement,
        )

    def terminate(self, instance_id: str, *, decrement: bool = False) -> Any:
        return self.asg.terminate_instance_in_auto_scaling_group(
            InstanceId=instance_id,
            ShouldDecrementDesiredCapacity=decrement,
        )

    def protect(self, group: str, ids: Sequence[str], *, protected: bool) -> None:
        self.asg.set_instance_protection(
            AutoScalingGroupName=group,
            InstanceIds=list(ids),
            ProtectedFromScaleIn=protected,
        )

    def desire(self, group: str, number: int) -> None:
        self.asg.set_desired_capacity(AutoScalingGroupName=group, DesiredCapacity=number)

    def activities(self, group: str) -> list[dict[str, Any]]:
        return list(self.asg.describe_scaling_activities(AutoScalingGroupName=group)["Activities"])


@contextmanager
def running_cloud(state_dir: Path, **config: Any) -> Iterator[Cloud]:
    """A cloud for one module's tests."""
    with SimulatedAws(state_dir=state_dir, config={**FAST, **config}) as aws:
        cloud = Cloud(aws=aws, ec2=None, asg=None)
        cloud.ec2, cloud.asg = cloud.client("ec2"), cloud.client("autoscaling")
        yield cloud
        cloud.ec2.close()
        cloud.asg.close()
