"""Two ways to have a vault: in memory on a clock we move, and the real one on the simulated AWS with real bytes."""

import asyncio
import re
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any, Final, TypeVar

import pytest
from botocore.exceptions import ConnectionClosedError

from component.simulated_cloud import Cloud
from fakes.awsworld import ManualClock
from fakes.fleet import FakeFleet
from fakes.vault import FakeVault
from hotdesk.adapters.aws.budgets import Budgets
from hotdesk.adapters.aws.calls import THREADS, Calls
from hotdesk.adapters.aws.clients import Clients, Service, Target, Timeouts
from hotdesk.adapters.aws.fleet import AwsFleet
from hotdesk.adapters.aws.vault import AwsVault
from hotdesk.adapters.aws.vault.packing import PART_SIZE
from hotdesk.adapters.clock import SystemClock
from hotdesk.api.v1alpha1 import Backup, BackupMethod, ClaimedBy, S3Place
from hotdesk.core.backups import BackupJob, BackupProgress, Kept, RestoreJob, RestoreProgress, Stage
from hotdesk.core.facts import Instance
from hotdesk.ports import Fleet, HotdeskError, Vault
from waiting import wait_for

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
        return ClaimedBy(namespace="lab", name=name, uid=f"uid-{next(_NUMBERS)}")

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
            except Died:
                heard.append("the operator died")
                self.restart()
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
    def restart(self) -> None:
        """Let the operator die, and start another, which remembers nothing."""

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
            desired = self.world.groups["desks"].desired + 1
            self.run(self.world.set_desired_capacity(group="desks", desired=desired))
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

    def restart(self) -> None:
        pass  # the fake is AWS and operator in one

    def close(self) -> None:
        self.runner.close()

    def _leave(self, machine: str) -> None:
        if machine in self.world.groups["desks"].members:
            self.run(self.world.detach(group="desks", ids=[machine]))


class Fate(Enum):
    """What becomes of one call of the operator."""

    WELL = auto()
    DIES_BEFORE = auto()  # the operator ends before it sends the call
    DIES_AFTER = auto()  # the call has its effect, and the operator ends before it hears the answer
    LOST_CALL = auto()
    LOST_ANSWER = auto()


class Died(BaseException):  # nothing may catch it
    """The end of the operator."""


@dataclass(frozen=True)
class Called:
    """One call, without what differs each time it is made."""

    service: str
    method: str
    arguments: str


Fates = Callable[[Called], Fate]


def well(_called: Called) -> Fate:
    return Fate.WELL


class MortalClients(Clients):
    """Clients whose calls go as `fates` say; making real ones is slow, so operators share theirs."""

    def __init__(self, fates: Fates, *, clients: Clients) -> None:
        self._fates = fates
        self._shared = clients

    def client(self, service: Service, *, retries: bool) -> Any:
        return _MortalClient(self._shared.client(service, retries=retries), service, self._fates)


@cache
def _clients(endpoint: str, region: str) -> Clients:
    return Clients(target=Target(region=region, endpoint_url=endpoint), timeouts=Timeouts(), connections=THREADS)


class _MortalClient:
    def __init__(self, client: Any, service: str, fates: Fates) -> None:
        self._client = client
        self._service = service
        self._fates = fates

    def __getattr__(self, method: str) -> Any:
        send = getattr(self._client, method)
        if method == "generate_presigned_url":
            return send

        def sent(**arguments: Any) -> Any:
            told = re.sub(r"X-Amz-[^ ]*", "", repr(sorted(arguments.items())))
            fate = self._fates(Called(self._service, method, told))
            if fate is Fate.DIES_BEFORE:
                raise Died
            if fate is Fate.LOST_CALL:
                raise ConnectionClosedError(endpoint_url="nowhere")
            answer = send(**arguments)
            if fate in (Fate.DIES_AFTER, Fate.LOST_ANSWER) and "Body" in answer:
                answer["Body"].close()
            if fate is Fate.DIES_AFTER:
                raise Died
            if fate is Fate.LOST_ANSWER:
                raise ConnectionClosedError(endpoint_url="nowhere")
            return answer

        return sent


class RealWorld(VaultWorld):
    """The real vault; every disk is a directory."""

    def __init__(self, cloud: Cloud) -> None:
        super().__init__()
        self.cloud = cloud
        self.calls: list[tuple[str, str]] = []  # action and outcome
        self.fates: Fates = well
        self.part_size = PART_SIZE
        clients = _clients(cloud.aws.endpoint, cloud.aws.ready.region)
        self._observing = Calls(clients=clients, budgets=Budgets(), on_call=lambda *_: None)
        self.fleet = AwsFleet(self._observing)  # the test's own eyes: nothing befalls its calls
        self._operating: Calls | None = None
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
        if self._operating is not None:
            self._operating.close()
        clients = MortalClients(self._fate, clients=_clients(self.cloud.aws.endpoint, self.cloud.aws.ready.region))
        self._operating = Calls(clients=clients, budgets=Budgets(), on_call=self._note)
        self.vault = AwsVault(self._operating, part_size=self.part_size)

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
        before, asked = self.instance(machine).launched_at, self.now()
        wait_for(lambda: self.now() > asked + _SECOND, what="EC2's clock, of whole seconds, has moved")
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

    def objects(self) -> list[str]:
        """The keys in the bucket."""
        return [one["Key"] for one in self.s3.list_objects_v2(Bucket=self.bucket).get("Contents", [])]

    def sent(self, action: str) -> int:
        """How often the operator called this."""
        return sum(called == action for called, _ in self.calls)

    def close(self) -> None:
        for calls in (self._operating, self._observing):
            assert calls is not None
            calls.close()
        self.s3.close()
        self.runner.close()

    def _fate(self, called: Called) -> Fate:
        return self.fates(called)

    def _note(self, action: str, outcome: str, _seconds: float) -> None:
        self.calls.append((action, outcome))
