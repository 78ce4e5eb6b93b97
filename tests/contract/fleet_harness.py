"""Two ways to have an AWS: in memory on a clock we move, and simulated behind HTTP in real time."""

import asyncio
import json
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from enum import Enum, auto
from pathlib import Path
from typing import Any, TypeVar
from urllib.request import Request, urlopen

import boto3
import pytest

from fakes.awsworld import Delays, ManualClock
from fakes.fleet import FakeFleet
from hotdesk.adapters.aws.fleets import AwsFleets
from hotdesk.core.facts import Member
from hotdesk.ports import Denied, Fleet, Throttled, Unanswered
from waiting import wait_for

T = TypeVar("T")
_SECOND = timedelta(seconds=1)
_FAST = {
    "launch": 0.1,
    "boot": 0,
    "stop": 0.1,
    "terminate": 0.1,
    "detach": 0.1,
    "healthCheck": 0.1,
    "retry": 0.2,
    "quotas": False,
    "serve": False,
    "capacity": None,
}
_WITNESS = "witness"


class Fault(Enum):
    """What goes wrong with the next call."""

    THROTTLED = auto()
    DENIED = auto()
    LOST_CALL = auto()
    LOST_ANSWER = auto()


class Aws(ABC):
    """An AWS to test a Fleet on, and what people do in it."""

    fleet: Fleet

    def run(self, awaitable: Awaitable[T]) -> T:
        async def wait() -> T:
            return await awaitable

        return self.runner.run(wait())

    def members(self, group: str, count: int) -> Mapping[str, Member]:
        """The InService members, once there are so many."""

        def seen() -> Mapping[str, Member] | None:
            members = self.run(self.fleet.describe_groups([group]))[group].members
            serving = {i: m for i, m in members.items() if m.lifecycle == "InService"}
            return serving if len(serving) == count else None

        return self.until(seen, what=f"{count} members of {group} are InService")

    @property
    @abstractmethod
    def runner(self) -> asyncio.Runner: ...

    @abstractmethod
    def until(self, condition: Callable[[], T], *, what: str) -> T: ...

    @abstractmethod
    def pass_time(self) -> None:
        """Let AWS do whatever it still would do."""

    @abstractmethod
    def add_group(  # what a group has
        self,
        name: str,
        *,
        desired: int = 0,
        min_size: int = 0,
        max_size: int = 10,
        protects_new: bool = True,
        tags: Mapping[str, str] | None = None,
    ) -> None: ...

    @abstractmethod
    def kill(self, machine: str) -> None: ...

    @abstractmethod
    def stop(self, machine: str) -> None: ...

    @abstractmethod
    def unprotect(self, group: str, machine: str) -> None: ...

    @abstractmethod
    def limit_machines(self, limit: int | None) -> None: ...

    @abstractmethod
    def fail_next(self, method: str, operation: str, fault: Fault) -> None: ...

    @abstractmethod
    def count(self, method: str, operation: str) -> int: ...


class FakeAws(Aws):
    """The in-memory fake, slow enough that every state between can be seen."""

    def __init__(self, runner: asyncio.Runner) -> None:
        self._runner = runner
        self._clock = ManualClock()
        delays = Delays(
            reaction=_SECOND, launch=2 * _SECOND, detach=_SECOND, terminate=_SECOND, health_check=_SECOND, retry=_SECOND
        )
        self.fleet: FakeFleet = FakeFleet(clock=self._clock, delays=delays)

    @property
    def runner(self) -> asyncio.Runner:
        return self._runner

    def until(self, condition: Callable[[], T], *, what: str) -> T:
        for _ in range(100):
            if seen := condition():
                return seen
            self._clock.advance(_SECOND / 2)
        pytest.fail(f"never: {what}")

    def pass_time(self) -> None:
        self._clock.advance(timedelta(minutes=10))

    def add_group(self, name: str, **settings: Any) -> None:
        self.fleet.add_group(name, **{"max_size": 10, **settings})

    def kill(self, machine: str) -> None:
        self.fleet.kill(machine)

    def stop(self, machine: str) -> None:
        self.fleet.stop(machine)

    def unprotect(self, group: str, machine: str) -> None:
        assert machine in self.fleet.groups[group].members
        self.fleet.unprotect(machine)

    def limit_machines(self, limit: int | None) -> None:
        self.fleet.launch_limit = limit

    def fail_next(self, method: str, operation: str, fault: Fault) -> None:
        del operation
        error = {Fault.THROTTLED: Throttled("throttled"), Fault.DENIED: Denied("denied")}
        self.fleet.fail_next(method, error.get(fault, Unanswered("lost")), effect=fault is Fault.LOST_ANSWER)

    def count(self, method: str, operation: str) -> int:
        del operation
        return self.fleet.count(method)


class SimulatedAws(Aws):
    """AwsFleet on the simulated AWS; `between_tests` makes it empty again."""

    def __init__(self, *, endpoint: str, subnets: list[str], image: str, region: str, runner: asyncio.Runner) -> None:
        self.endpoint = endpoint
        self.outcomes: list[tuple[str, str]] = []
        self.fleets = AwsFleets(on_call=lambda action, outcome, _: self.outcomes.append((action, outcome)))
        self.fleet = self.fleets.fleet(region=region, endpoint_url=endpoint, role_arn=None)
        self.ec2 = boto3.client("ec2", region_name=region, endpoint_url=endpoint)
        self.autoscaling = boto3.client("autoscaling", region_name=region, endpoint_url=endpoint)
        self._runner = runner
        self._subnets = subnets
        self._since = 0
        self.ec2.create_launch_template(
            LaunchTemplateName="desk", LaunchTemplateData={"ImageId": image, "InstanceType": "m5.large"}
        )
        self.add_group(_WITNESS, desired=1)

    @property
    def runner(self) -> asyncio.Runner:
        return self._runner

    def ask(self, path: str, *, method: str = "GET", body: Mapping[str, Any] | None = None) -> Any:
        """Call the simulation's control API."""
        data = None if body is None else json.dumps(body).encode()
        with urlopen(Request(f"{self.endpoint}/_sim/{path}", data=data, method=method)) as answer:  # noqa: S310
            return json.load(answer)

    @contextmanager
    def between_tests(self) -> Iterator["SimulatedAws"]:
        self._since = self.ask("calls")["next"]
        yield self
        self.ask("faults", method="DELETE")
        self.configure(**_FAST)
        for group in self._groups() - {_WITNESS}:
            self.autoscaling.delete_auto_scaling_group(AutoScalingGroupName=group, ForceDelete=True)
        wait_for(lambda: self._groups() == {_WITNESS}, what="the groups of the test are gone")
        for machine in self.ask("machines")["machines"]:
            if machine["state"] in {"running", "pending", "stopped"} and machine["group"] != _WITNESS:
                self.kill(machine["id"])

    def until(self, condition: Callable[[], T], *, what: str) -> T:
        return wait_for(condition, what=what, within=20)

    def pass_time(self) -> None:
        # AWS has had time for everything when it has noticed a death and launched a replacement elsewhere.
        (witness,) = self.members(_WITNESS, 1)
        self.kill(witness)
        self.until(lambda: witness not in self.members(_WITNESS, 1), what="AWS has replaced the witness")

    def add_group(  # what a group has
        self,
        name: str,
        *,
        desired: int = 0,
        min_size: int = 0,
        max_size: int = 10,
        protects_new: bool = True,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        wanted: list[Any] = [{"Key": k, "Value": v, "PropagateAtLaunch": True} for k, v in (tags or {}).items()]
        self.autoscaling.create_auto_scaling_group(
            AutoScalingGroupName=name,
            MinSize=min_size,
            MaxSize=max_size,
            DesiredCapacity=desired,
            LaunchTemplate={"LaunchTemplateName": "desk", "Version": "$Latest"},
            VPCZoneIdentifier=",".join(self._subnets),
            NewInstancesProtectedFromScaleIn=protects_new,
            Tags=[*wanted, {"Key": "stays-with-the-group", "Value": "x", "PropagateAtLaunch": False}],
        )

    def kill(self, machine: str) -> None:
        self.ask(f"machines/{machine}/terminate", method="POST")

    def stop(self, machine: str) -> None:
        self.ask(f"machines/{machine}/stop", method="POST")

    def unprotect(self, group: str, machine: str) -> None:
        self.autoscaling.set_instance_protection(
            AutoScalingGroupName=group, InstanceIds=[machine], ProtectedFromScaleIn=False
        )

    def limit_machines(self, limit: int | None) -> None:
        room = None if limit is None else limit + 1  # the witness takes one
        self.configure(capacity=room)

    def fail_next(self, method: str, operation: str, fault: Fault) -> None:
        del method
        kind: Mapping[Fault, Mapping[str, str]] = {
            Fault.THROTTLED: {"kind": "throttle"},
            Fault.DENIED: {"kind": "error", "code": "AccessDenied"},
            Fault.LOST_CALL: {"kind": "drop-before"},
            Fault.LOST_ANSWER: {"kind": "drop-after"},
        }
        self.arm(action=operation, count=1, **kind[fault])

    def count(self, method: str, operation: str) -> int:
        del method
        return sum(call["action"] == operation for call in self.calls())

    def calls(self) -> list[dict[str, Any]]:
        """Every call since the test began."""
        return self.ask(f"calls?since={self._since}")["calls"]

    def arm(self, **fault: Any) -> None:
        """Order a fault, in the words of the simulation's control API."""
        self.ask("faults", method="POST", body=fault)

    def configure(self, **changes: Any) -> None:
        """Change delays and limits, in the words of the simulation's control API."""
        self.ask("config", method="PUT", body=changes)

    def _groups(self) -> set[str]:
        pages = self.autoscaling.get_paginator("describe_auto_scaling_groups").paginate()
        return {group["AutoScalingGroupName"] for page in pages for group in page["AutoScalingGroups"]}


@contextmanager
def simulation(folder: Path) -> Iterator[Mapping[str, Any]]:
    """Run the simulated AWS as a process; yields what it says about itself."""
    command = [sys.executable, "-m", "hotdesk_local.aws", "--state-dir", str(folder), "--config", json.dumps(_FAST)]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE) as process,
        pytest.MonkeyPatch.context() as environment,
    ):
        environment.setenv("AWS_ACCESS_KEY_ID", "test")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "test")
        environment.setenv("AWS_EC2_METADATA_DISABLED", "true")
        try:
            assert process.stdout is not None
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()
