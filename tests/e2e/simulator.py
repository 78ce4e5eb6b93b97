"""The simulated AWS as tests look behind it, turn its knobs and interfere with its machines."""

import json
from functools import cached_property
from typing import TYPE_CHECKING, Any

import boto3
import urllib3

from hotdesk_local.simulated_aws import SimulatedAws

if TYPE_CHECKING:
    from mypy_boto3_autoscaling import AutoScalingClient

LIVE = frozenset({"pending", "running", "stopping", "stopped"})
"""The states that count against maxMachines."""

Shown = dict[str, Any]


class Simulator:
    """The control API of one simulated AWS, and a person's client beside it."""

    def __init__(self, aws: SimulatedAws) -> None:
        """Look at one; its configuration of now is what `reset` goes back to."""
        self.aws = aws
        self._http = urllib3.PoolManager(retries=False, timeout=20)
        self._config = self._ask("GET", "config")

    def close(self) -> None:
        """Close the connections."""
        self._http.clear()
        if "person" in self.__dict__:
            self.person.close()

    @cached_property
    def person(self) -> "AutoScalingClient":
        """Auto Scaling as a person with full rights calls it."""
        return self.aws.autoscaling

    def group(self, name: str) -> Shown:
        """Return a group as AWS describes it."""
        return dict(self.person.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"][0])

    def machines(self, group: str) -> list[Shown]:
        """Return every machine that a group has launched, whatever became of it."""
        machines: list[Shown] = self._ask("GET", f"machines?group={group}")["machines"]
        return machines

    def machine(self, name: str) -> Shown:
        """Return one machine of any group."""
        machines: list[Shown] = self._ask("GET", "machines")["machines"]
        return next(machine for machine in machines if machine["id"] == name)

    def live(self, group: str) -> list[Shown]:
        """Return the machines of a group that count against maxMachines."""
        return [machine for machine in self.machines(group) if machine["state"] in LIVE]

    def most_alive(self, group: str) -> int:
        """Return the highest number of live machines that a group's launches ever had at one moment."""
        most: int = self._ask("GET", f"history?group={group}")["max"]
        return most

    def last_call(self) -> int:
        """Return the number of the latest call, to ask for those `since`."""
        last: int = self._ask("GET", "calls?since=1000000000")["next"]
        return last

    def calls(self, action: str, *, since: int = 0) -> list[Shown]:
        """Return the calls of an action that came after number `since`."""
        calls: list[Shown] = self._ask("GET", f"calls?since={since}")["calls"]
        return [call for call in calls if call["action"] == action]

    def client(self, service: str) -> Any:
        """Return boto3's client of a service, as a person with full rights uses it; close it."""
        environment = self.aws.environment
        return boto3.client(
            service,
            endpoint_url=self.aws.endpoint,
            region_name=self.aws.region,
            aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        )

    def reclaim(self, machine: str) -> None:
        """Let AWS announce that it takes a spot machine, and take it two minutes later."""
        self._ask("POST", f"machines/{machine}/reclaim")

    def terminate(self, machine: str) -> None:
        """Terminate an instance as a person at the console would."""
        self._ask("POST", f"machines/{machine}/terminate")

    def configure(self, **changes: object) -> None:
        """Change the behaviour of AWS, until `reset`."""
        self._ask("PUT", "config", changes)

    def break_down(self, action: str, kind: str, **details: object) -> int:
        """Let calls fail, see the control API's `faults`; returns the fault's number."""
        number: int = self._ask("POST", "faults", {"action": action, "kind": kind, **details})["id"]
        return number

    def deny(self, service: str, action: str) -> int:
        """Take a permission from everybody."""
        code = "UnauthorizedOperation" if service == "ec2" else "AccessDenied"
        return self.break_down(f"{service}:{action}", "error", code=code)

    def mend(self, number: int | None = None) -> None:
        """Take back one fault, or all."""
        self._ask("DELETE", "faults" if number is None else f"faults/{number}")

    def unspent(self) -> list[Shown]:
        """Return the faults that are still in force."""
        faults: list[Shown] = self._ask("GET", "faults")["faults"]
        return faults

    def reset(self) -> None:
        """Take back every fault and every change of the configuration."""
        self.mend()
        self._ask("PUT", "config", self._config)

    def _ask(self, method: str, path: str, body: object = None) -> Shown:
        url = f"{self.aws.endpoint}/_sim/{path}"
        answer = self._http.request(method, url, body=None if body is None else json.dumps(body))
        said: Shown = answer.json()
        assert answer.status < 300, f"{method} /_sim/{path}: {answer.status} {said}"
        return said
