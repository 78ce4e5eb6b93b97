"""Two ways to have a vault: in memory on a clock we move, and the real one on the simulated AWS with real bytes."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, Final, TypeVar

import pytest

from component.simulated_cloud import Cloud
from fakes.awsworld import ManualClock
from fakes.fleet import FakeFleet
from fakes.vault import FakeVault
from hotdesk.adapters.aws.fleets import AwsFleets
from hotdesk.adapters.clock import SystemClock
from hotdesk.api.v1alpha1 import Backup, BackupMethod, ClaimedBy, S3Place
from hotdesk.core.backups import BackupJob, BackupProgress, Kept, RestoreJob, RestoreProgress, Stage
from hotdesk.core.facts import Instance
from hotdesk.ports import Fleet, HotdeskError, Vault

T = TypeVar("T")
POOL: Final = "blue"
_SECOND: Final = timedelta(seconds=1)
_NUMBERS = count(1)
_PATIENCE: Final = 400  # looks at a job


class VaultWorld(ABC):
    """A vault, machines with files, and people."""

    vault: Vault
    fleet: Fleet
    bucket = "archives"

    def __init__(self) -> None:
        self.runner = asyncio.Runner()
        self._numbers = count(1)

    def run(self, awaitable: Awaitable[T]) -> T:
        async def wait() -> T:
            return await awaitable

        return self.runner.run(wait())

    def instance(self, machine: str) -> Instance:
        return self.run(self.fleet.describe_instances([machine]))[machine]

    def backup(self, method: BackupMethod, *paths: str) -> Backup:
        place = S3Place(bucket=self.bucket, prefix="desk/") if method == "S3Archive" else None
        return Backup(method=method, paths=paths or ("/home",), s3=place)

    def workspace(self, name: str = "desk") -> ClaimedBy:
        return ClaimedBy(namespace="lab", name=name, uid=f"uid-{next(self._numbers)}")

    def ready(self, machine: str, method: BackupMethod) -> None:
        """Bring the machine into the state in which the method saves it."""
        if method == "EBSSnapshot":
            self.stop(machine)

    def backup_job(self, machine: str, backup: Backup, **changes: Any) -> BackupJob:
        instance = self.instance(machine)
        assert instance.launched_at is not None
        facts: dict[str, Any] = {
            "instance": machine,
            "zone": instance.zone,
            "launched_at": instance.launched_at,
            "slot": 0,
            "workspace": self.workspace(),
            "owner": "ada",
            "pool": POOL,
            "backup": backup,
            "not_before": self.now(),
            "is_running": backup.method == "S3Archive",
            **changes,
        }
        return BackupJob(**facts)

    def restore_job(self, machine: str, of: BackupJob, kept: Kept, **changes: Any) -> RestoreJob:
        facts: dict[str, Any] = {
            "instance": machine,
            "zone": self.instance(machine).zone,
            "slot": 0,
            "workspace": of.workspace,
            "claimed_at": self.now(),
            "pool": POOL,
            "backup": of.backup,
            "kept_id": kept.id,
            "owner": of.owner,
            **changes,
        }
        return RestoreJob(**facts)

    def back_up(self, job: BackupJob) -> Kept:
        """See a backup through and return its proof."""
        kept = self.backed_up(job, Stage.DONE).kept
        assert kept is not None
        return kept

    def backed_up(self, job: BackupJob, stage: Stage) -> BackupProgress:
        return self._asked(lambda: self.vault.back_up(job), stage)

    def restore(self, job: RestoreJob) -> None:
        """See a restore through."""
        self.restored(job, Stage.DONE)

    def restored(self, job: RestoreJob, stage: Stage) -> RestoreProgress:
        return self._asked(lambda: self.vault.restore(job), stage)

    def found(self, job: BackupJob) -> list[Kept]:
        who = job.workspace
        return list(self.run(self.vault.find(pool=POOL, backup=job.backup, namespace=who.namespace, uid=who.uid)))

    def _asked(self, ask: Callable[[], Awaitable[Any]], stage: Stage) -> Any:
        """Ask until the job is so far; a lost answer is asked for again."""
        heard: list[str] = []
        for _ in range(_PATIENCE):
            try:
                progress = self.run(ask())
            except HotdeskError as error:
                heard.append(repr(error))
            else:
                heard.append(f"{progress.stage.name}: {progress.message}")
                if progress.stage is stage:
                    return progress
            self.pause()
        pytest.fail(f"never {stage.name}, but {list(dict.fromkeys(heard))}")

    @abstractmethod
    def now(self) -> datetime: ...

    @abstractmethod
    def pause(self) -> None: ...

    @abstractmethod
    def launch(self, zone: int = 0) -> str: ...

    @abstractmethod
    def stop(self, machine: str) -> None: ...

    @abstractmethod
    def start(self, machine: str) -> None: ...

    @abstractmethod
    def kill(self, machine: str) -> None: ...

    @abstractmethod
    def write(self, machine: str, path: str, text: str) -> None: ...

    @abstractmethod
    def files(self, machine: str) -> dict[str, str]:
        """The users' files on the machine's disk."""

    @abstractmethod
    def break_next_backup(self, method: BackupMethod) -> None: ...

    @abstractmethod
    def close(self) -> None: ...


class FakeWorld(VaultWorld):
    """In memory."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock()
        self.fleet = self.world = FakeFleet(clock=self.clock)
        self.world.add_group("desks")
        self.vault = self.fake = FakeVault(self.world, takes=3 * _SECOND)

    def now(self) -> datetime:
        return self.clock.now()

    def pause(self) -> None:
        self.clock.advance(_SECOND)

    def launch(self, zone: int = 0) -> str:
        """Launch one; the fake gives zones in turn."""
        while True:
            self.run(self.world.set_desired_capacity(group="desks", desired=len(self.world.live("desks")) + 1))
            machine = self.world.live("desks")[-1]
            if self.instance(machine).zone == self.world.groups["desks"].zones[zone]:
                return machine

    def stop(self, machine: str) -> None:
        self._leave(machine)
        self.run(self.world.stop_instance(id=machine))

    def start(self, machine: str) -> None:
        self.pause()
        self.run(self.world.start_instance(id=machine))

    def kill(self, machine: str) -> None:
        self._leave(machine)
        self.world.kill(machine)

    def write(self, machine: str, path: str, text: str) -> None:
        self.fake.disks[machine][path] = text

    def files(self, machine: str) -> dict[str, str]:
        return dict(self.fake.disks[machine])

    def break_next_backup(self, method: BackupMethod) -> None:
        del method
        self.fake.end_badly("back_up")

    def close(self) -> None:
        self.runner.close()

    def _leave(self, machine: str) -> None:
        if machine in self.world.groups["desks"].members:
            self.run(self.world.detach(group="desks", ids=[machine]))


class RealWorld(VaultWorld):
    """The real vault; every disk is a directory."""

    def __init__(self, cloud: Cloud) -> None:
        super().__init__()
        self.cloud = cloud
        self.calls: list[tuple[str, str]] = []  # action and outcome
        self.gate: Callable[[], None] = lambda: None  # called before each write
        self._fleets: list[AwsFleets] = []
        self.restart()
        subnets = cloud.ec2.describe_subnets(SubnetIds=list(cloud.aws.ready.subnets))["Subnets"]
        self._subnets = {subnet["SubnetId"]: subnet["AvailabilityZone"] for subnet in subnets}
        self.s3 = cloud.client("s3")
        self.bucket = f"archives-{next(_NUMBERS)}"
        self.s3.create_bucket(
            Bucket=self.bucket, CreateBucketConfiguration={"LocationConstraint": cloud.aws.ready.region}
        )

    def restart(self) -> None:
        """Let the operator die, and start another, which remembers nothing."""
        fleets = AwsFleets(on_call=self._note, gate=self._check_gate)
        where = {"region": self.cloud.aws.ready.region, "endpoint_url": self.cloud.aws.endpoint, "role_arn": None}
        self.fleet, self.vault = fleets.fleet(**where), fleets.vault(**where)
        for earlier in self._fleets:
            earlier.close()
        self._fleets = [fleets]

    def now(self) -> datetime:
        return SystemClock().now()

    def pause(self) -> None:
        self.runner.run(asyncio.sleep(0.02))

    def launch(self, zone: int = 0) -> str:
        subnet = list(self._subnets)[zone]
        tags = [{"ResourceType": "instance", "Tags": [{"Key": "hotdesk.dev/pool", "Value": POOL}]}]
        made = self.cloud.ec2.run_instances(
            ImageId=self.cloud.aws.ready.image, MinCount=1, MaxCount=1, SubnetId=subnet, TagSpecifications=tags
        )
        machine = str(made["Instances"][0]["InstanceId"])
        self.cloud.until_state(machine, "running")
        return machine

    def stop(self, machine: str) -> None:
        self.cloud.ec2.stop_instances(InstanceIds=[machine])
        self.cloud.until_state(machine, "stopped")

    def start(self, machine: str) -> None:
        before = self.instance(machine).launched_at
        self.cloud.ec2.start_instances(InstanceIds=[machine])
        self.cloud.until_state(machine, "running")
        assert self.instance(machine).launched_at != before

    def kill(self, machine: str) -> None:
        self.cloud.sim(f"machines/{machine}/terminate", method="POST")
        self.cloud.until_state(machine, "terminated")

    def write(self, machine: str, path: str, text: str) -> None:
        file = self.disk(machine) / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def files(self, machine: str) -> dict[str, str]:
        disk = self.disk(machine)
        ours = ("var", "tmp", "mnt")
        found = (file for file in disk.rglob("*") if file.is_file())
        named = {file.relative_to(disk): file for file in found}
        return {f"/{name}": file.read_text() for name, file in named.items() if name.parts[0] not in ours}

    def disk(self, machine: str) -> Path:
        return Path(self.cloud.machine(machine)["disk"])

    def break_next_backup(self, method: BackupMethod) -> None:
        self.cloud.fault("CreateSnapshot" if method == "EBSSnapshot" else "SendCommand", "fail-later", count=1)

    def mood(self, machine: str, mood: str) -> None:
        """Let SSM's agent be online, offline, failing or hanging."""
        self.cloud.sim(f"machines/{machine}/agent", method="POST", body={"mood": mood})

    def sent(self, action: str) -> int:
        """How often the operator called this."""
        return sum(called == action for called, _ in self.calls)

    def close(self) -> None:
        for fleets in self._fleets:
            fleets.close()
        self.s3.close()
        self.runner.close()

    def _check_gate(self) -> None:
        self.gate()

    def _note(self, action: str, outcome: str, _seconds: float) -> None:
        self.calls.append((action, outcome))
