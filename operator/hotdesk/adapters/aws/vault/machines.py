"""The machine that a job is about, as EC2 and SSM show it."""

from datetime import datetime
from typing import Any

from hotdesk.adapters.aws import convert
from hotdesk.adapters.aws.calls import Answer, Calls
from hotdesk.core.facts import Instance, InstanceState

_GONE = (InstanceState.SHUTTING_DOWN, InstanceState.TERMINATED)


class Machines:
    """Reads about machines."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def find(self, name: str) -> Instance | None:
        """Return the machine; None if it is gone or on its way out."""
        asked = {"Filters": [{"Name": "instance-id", "Values": [name]}]}
        page = await self._calls.read("ec2", "DescribeInstances", asked, convert.instances_of)
        found = page.facts.get(name)
        return None if found is None or found.state in _GONE else found

    async def is_listening(self, name: str) -> bool:
        """Whether SSM's agent on the machine answers."""
        asked = {"Filters": [{"Key": "InstanceIds", "Values": [name]}]}
        return (await self._calls.read("ssm", "DescribeInstanceInformation", asked, _is_online)).facts

    async def root_volume(self, name: str) -> str | None:
        """Return the id of the volume that the machine starts from."""
        asked = {"InstanceId": name, "Attribute": "rootDeviceName"}
        root = (await self._calls.read("ec2", "DescribeInstanceAttribute", asked, _root_device)).facts
        return (await self.devices(name)).get(root)

    async def devices(self, name: str) -> dict[str, str]:
        """Return the attached volumes by their device's name."""
        asked = {"Filters": [{"Name": "attachment.instance-id", "Values": [name]}]}
        return (await self._calls.read("ec2", "DescribeVolumes", asked, lambda a: _devices(a, name))).facts


def refusal(machine: Instance | None, *, name: str, launched_at: datetime, state: InstanceState) -> str | None:
    """Say why this machine cannot be backed up: it must be in this state, and on that start."""
    if machine is None:
        return f"{name} is gone"
    if machine.launched_at != launched_at:
        return f"{name} was started at {machine.launched_at}, and the backup was asked for its start at {launched_at}"
    if machine.state is not state:
        return f"{name} is {machine.state}, and must be {state} for this backup"
    return None


def _is_online(answer: Answer) -> bool:
    return any(agent["PingStatus"] == "Online" for agent in answer["InstanceInformationList"])


def _root_device(answer: Answer) -> str:
    return str(answer["RootDeviceName"]["Value"])


def _devices(answer: Answer, name: str) -> dict[str, str]:
    volumes: list[dict[str, Any]] = answer["Volumes"]
    return {
        str(attachment["Device"]): str(volume["VolumeId"])
        for volume in volumes
        for attachment in volume.get("Attachments") or ()
        if attachment["InstanceId"] == name
    }
