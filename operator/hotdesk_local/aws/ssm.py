"""SSM's agents and the commands they run: delivered late, run for real, reported or not."""

import os
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hotdesk_local.aws.fleet import Fleet
from hotdesk_local.aws.model import Instance, State
from hotdesk_local.aws.ssm_model import OPEN, Command, Invocation, Mood, Status
from hotdesk_local.machines.blocks import Blocks
from hotdesk_local.machines.shell import Job, Outcome, Runner, Script

MOST_OUTPUT, MOST_ERROR = 24_000, 8_000
"""Characters GetCommandInvocation shows (API reference)."""
_OUTPUT_CUT, _ERROR_CUT = "\n---Output truncated---", "\n---Error truncated---"


@dataclass(slots=True)
class Guests:
    """The agents of all machines."""

    fleet: Fleet
    blocks: Blocks
    runner: Runner
    environment: dict[str, str] = field(default_factory=dict)
    """What a command finds in its environment besides its own disk: endpoint, region, keys."""
    moods: dict[str, Mood] = field(default_factory=dict)
    commands: dict[str, Command] = field(default_factory=dict)
    _open: dict[tuple[str, str], Invocation] = field(default_factory=dict)

    def mood(self, instance: Instance) -> Mood:
        """Return how the machine's agent behaves."""
        return self.moods.get(instance.id, Mood.ONLINE)

    def is_online(self, instance: Instance, *, now: float) -> bool:
        """Say whether the agent answers SSM's pings."""
        has_begun = instance.state is State.RUNNING and now >= instance.since + self.fleet.config.agent
        return has_begun and self.mood(instance) is not Mood.OFFLINE

    def is_registered(self, instance: Instance, *, now: float) -> bool:
        """Say whether SSM knows the machine: one that ran before stays registered, its connection lost."""
        if instance.state is State.RUNNING:
            return instance.created < instance.launched or now >= instance.since + self.fleet.config.agent
        return instance.state in {State.STOPPING, State.STOPPED} or (
            instance.state is State.PENDING and instance.created < instance.launched
        )

    def send(self, command: Command, instances: Iterable[Instance]) -> None:
        """Take a command for these machines; they run it when it has reached them."""
        self.commands[command.id] = command
        for instance in instances:
            invocation = Invocation(command=command, instance=instance)
            command.invocations[instance.id] = self._open[command.id, instance.id] = invocation

    def cancel(self, invocation: Invocation, *, now: float) -> None:
        """End a command that has not ended."""
        if invocation.status in OPEN:
            _kill(invocation.job)
            self._end(invocation, Status.CANCELLED, "Cancelled", now=now)

    def instance_changed(self, instance: Instance, before: State | None, _now: float) -> None:
        """Kill what runs on a machine that loses power: SSM hears nothing of it until the time is over."""
        if before is None or instance.state not in {State.STOPPING, State.SHUTTING_DOWN}:
            return
        for invocation in self._open.values():
            if invocation.instance is instance and invocation.job is not None:
                invocation.job.kill()
                invocation.job = None
        if instance.state is State.SHUTTING_DOWN:
            self.moods.pop(instance.id, None)

    def advance(self, *, now: float) -> None:
        """Let time pass: commands arrive, end, or are given up."""
        for invocation in list(self._open.values()):
            if invocation.status is Status.PENDING:
                self._deliver(invocation, now=now)
            if invocation.status is Status.IN_PROGRESS:
                self._look(invocation, now=now)

    def due(self, *, now: float) -> float:
        """Return when the next command may begin, end or be given up; infinity where none is open."""
        return min((self._due(invocation, now=now) for invocation in self._open.values()), default=float("inf"))

    def _due(self, invocation: Invocation, *, now: float) -> float:
        command, config = invocation.command, self.fleet.config
        if invocation.status is Status.PENDING:
            begins, given_up = command.asked + config.command, command.asked + command.timeout
            if self.is_online(invocation.instance, now=now):
                return min(begins, given_up)
            online = invocation.instance.since + config.agent
            return min(max(begins, online), given_up) if online > now else given_up
        started = invocation.started or now
        ended = invocation.job is not None and invocation.job.outcome is not None
        return started + (min(config.run, command.limit) if ended else command.limit)

    def _deliver(self, invocation: Invocation, *, now: float) -> None:
        command, instance = invocation.command, invocation.instance
        if self.is_online(instance, now=now) and now >= command.asked + self.fleet.config.command:
            self._begin(invocation, now=now)
        elif now >= command.asked + command.timeout:
            self._end(invocation, Status.TIMED_OUT, "DeliveryTimedOut", now=now)

    def _begin(self, invocation: Invocation, *, now: float) -> None:
        invocation.status, invocation.details, invocation.started = Status.IN_PROGRESS, "InProgress", now
        mood = self.mood(invocation.instance)
        if mood is Mood.FAILING or invocation.command.doomed:
            invocation.code, invocation.stderr = 1, "failed to run commands: exit status 1"
            self._end(invocation, Status.FAILED, "Failed", now=now)
        elif mood is not Mood.HANGING:
            invocation.job = self.runner.start(self._script(invocation))

    def _look(self, invocation: Invocation, *, now: float) -> None:
        started, outcome = invocation.started or now, invocation.job.outcome if invocation.job else None
        if outcome is not None and now >= started + self.fleet.config.run:
            self._report(invocation, outcome, now=now)
        elif now >= started + invocation.command.limit:
            _kill(invocation.job)
            self._end(invocation, Status.TIMED_OUT, "ExecutionTimedOut", now=now)

    def _report(self, invocation: Invocation, outcome: Outcome, *, now: float) -> None:
        invocation.code = outcome.code if outcome.code >= 0 else 128 - outcome.code
        invocation.stdout = _cut(outcome.stdout, MOST_OUTPUT, _OUTPUT_CUT)
        invocation.stderr = _cut(outcome.stderr, MOST_ERROR, _ERROR_CUT)
        if not outcome.in_time:
            self._end(invocation, Status.TIMED_OUT, "ExecutionTimedOut", now=now)
        elif outcome.code == 0:
            self._end(invocation, Status.SUCCESS, "Success", now=now)
        else:
            self._end(invocation, Status.FAILED, "Failed", now=now)

    def _end(self, invocation: Invocation, status: Status, details: str, *, now: float) -> None:
        invocation.status, invocation.details, invocation.ended, invocation.job = status, details, now, None
        self._open.pop((invocation.command.id, invocation.instance.id), None)

    def _script(self, invocation: Invocation) -> Script:
        command, disk = invocation.command, self.blocks.disk(invocation.instance.id)
        self.blocks.make_folder(disk / "tmp")
        return Script(
            text=command.script,
            folder=_inside(disk, command.folder),
            environment=self._environment(invocation.instance, disk),
            limit=min(command.limit, self.fleet.config.command_limit),
        )

    def _environment(self, instance: Instance, disk: Path) -> Mapping[str, str]:
        return {
            **self.environment,
            "PATH": os.environ.get("PATH", os.defpath),
            "LANG": "C.UTF-8",
            "HOME": str(disk),
            "HOTDESK_ROOT": str(disk),
            "TMPDIR": str(disk / "tmp"),
            "AWS_SSM_INSTANCE_ID": instance.id,
        }


def new_command_id() -> str:
    """Return an id in SSM's form."""
    return str(uuid.uuid4())


def _inside(disk: Path, folder: str | None) -> Path:
    """Return the working directory: below the disk, whatever was asked for."""
    wanted = (disk / (folder or "").lstrip("/")).resolve()
    return wanted if wanted.is_relative_to(disk.resolve()) and wanted.is_dir() else disk


def _kill(job: Job | None) -> None:
    if job is not None:
        job.kill()


def _cut(text: str, most: int, suffix: str) -> str:
    return text if len(text) <= most else text[: most - len(suffix)] + suffix
