"""The simulated AWS as a process of the stack, and the groups made in it."""

import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from hotdesk_local.state import State
from hotdesk_local.waiting import wait_for_answer

if TYPE_CHECKING:
    from mypy_boto3_autoscaling import AutoScalingClient
    from mypy_boto3_ec2 import EC2Client

_START_WITHIN = 60.0
# The file with the one line it prints when it answers.
_SAID = "aws.json"
# The simulation knows no accounts; any key does, but a client without one refuses to sign.
_KEY, _SECRET = "hotdesk-local", "hotdesk-local"


@dataclass(frozen=True)
class SimulatedAws:
    """Where the simulated AWS answers and what it holds from the start."""

    endpoint: str
    network: str
    subnets: tuple[str, ...]
    image: str
    region: str

    @classmethod
    def launch(cls, state: State, *, config: Mapping[str, Any] | None = None, address: str = "127.0.0.1") -> None:
        """Start it, if it does not run, without waiting for it. `config` is that of its control API."""
        if state.process("aws"):
            return
        folder = state.folder / "aws"
        folder.mkdir(exist_ok=True)
        command: list[str | Path] = [
            sys.executable,
            "-m",
            "hotdesk_local.aws",
            "--state-dir",
            folder,
            "--address",
            address,
        ]
        configured = ["--config", json.dumps(dict(config))] if config else []
        state.start(name="aws", command=[*command, *configured], output=state.folder / _SAID)

    @classmethod
    def await_answer(cls, state: State) -> "SimulatedAws":
        """Return it as soon as it answers; it must have been launched."""
        return wait_for_answer(
            lambda: _read(state.folder / _SAID),
            process=state.last("aws"),
            log=state.log("aws"),
            what="it says where it answers",
            within=_START_WITHIN,
        )

    @property
    def environment(self) -> dict[str, str]:
        """What makes boto3 and the aws command talk to it."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_ACCESS_KEY_ID": _KEY,
            "AWS_SECRET_ACCESS_KEY": _SECRET,
            # The person's own accounts stay out of it, whatever their files say.
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    @property
    def ec2(self) -> "EC2Client":
        """A client for EC2."""
        return _session(self).client("ec2", endpoint_url=self.endpoint, config=_CLIENT)

    @property
    def autoscaling(self) -> "AutoScalingClient":
        """A client for Auto Scaling."""
        return _session(self).client("autoscaling", endpoint_url=self.endpoint, config=_CLIENT)

    @property
    def s3(self) -> Any:  # its type would be one more package to lock
        """A client for S3."""
        return _session(self).client("s3", endpoint_url=self.endpoint, config=_CLIENT)

    def create_bucket(self, name: str) -> None:
        """Make an S3 bucket in the region, unless there is one."""
        client = self.s3  # whose exceptions are its own
        with suppress(client.exceptions.BucketAlreadyOwnedByYou):
            client.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": self.region})

    def create_group(
        self,
        name: str,
        *,
        max_size: int,
        min_size: int = 0,
        instance_type: str = "m7i.large",
        subnets: Sequence[str] | None = None,
    ) -> None:
        """Make an Auto Scaling group with a launch template of its own, as a platform team would."""
        self.ec2.create_launch_template(
            LaunchTemplateName=name,
            LaunchTemplateData={"ImageId": self.image, "InstanceType": instance_type},  # type: ignore[typeddict-item]  # any type name
        )
        self.autoscaling.create_auto_scaling_group(
            AutoScalingGroupName=name,
            MinSize=min_size,
            MaxSize=max_size,
            DesiredCapacity=min_size,
            LaunchTemplate={"LaunchTemplateName": name, "Version": "$Latest"},
            VPCZoneIdentifier=",".join(subnets or self.subnets),
        )

    def facts(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self)


# Few tries: an error the simulation was told to answer shall be seen, not hidden.
_CLIENT = Config(retries={"total_max_attempts": 2}, connect_timeout=5, read_timeout=30)


def _session(aws: SimulatedAws) -> "boto3.Session":
    return boto3.Session(aws_access_key_id=_KEY, aws_secret_access_key=_SECRET, region_name=aws.region)


def _read(path: Path) -> SimulatedAws | None:
    """Return what it printed, once the line is complete."""
    line, newline, _ = path.read_text(encoding="utf-8").partition("\n")
    if not newline:
        return None
    facts = json.loads(line)
    return SimulatedAws(
        endpoint=facts["endpoint"],
        network=facts["network"],
        subnets=tuple(facts["subnets"]),
        image=facts["image"],
        region=facts["region"],
    )
