"""What every act of the demo stands on: a running stack, a voice, a kubectl whose commands are shown."""

import os
import shlex
import subprocess
import sysconfig
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from hotdesk_local.demo.observer import Observer
from hotdesk_local.errors import LocalStackError
from hotdesk_local.simulated_aws import SimulatedAws
from hotdesk_local.stack import LocalStack

_WIDTH = 100
# Everything here takes seconds; a minute means that something is broken.
PATIENCE = 60


@dataclass(frozen=True)
class Stage:
    """A stack, and somebody who watches its workspaces as their users would."""

    stack: LocalStack
    observer: Observer

    def say(self, text: str) -> None:
        """Tell something, wrapped to the width of a page."""
        click.echo(textwrap.fill(text, width=_WIDTH) + "\n")

    def show(self, lines: Sequence[str]) -> None:
        """Show lines as they are, set off from what is told."""
        click.echo(textwrap.indent("\n".join(lines), "  ") + "\n")

    def kubectl(self, *arguments: str, manifest: str | None = None) -> str:
        """Run kubectl, showing the command, the manifest it reads and what it says."""
        click.secho(f"  $ kubectl {shlex.join(arguments)}", fg="cyan")
        if manifest is not None:
            click.echo(textwrap.indent(manifest, "  | "))
        said = self.stack.controlplane.kubectl(*arguments, input=manifest).stdout
        self.show([line.rstrip() for line in said.splitlines()])
        return said

    def hotdesk(self, *arguments: str) -> str:
        """Run the hotdesk command, showing it and what it says."""
        click.secho(f"  $ hotdesk {shlex.join(arguments)}", fg="cyan")
        command = [str(Path(sysconfig.get_path("scripts")) / "hotdesk"), *arguments]
        environment = {**os.environ, **self.stack.env}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=PATIENCE)
        if done.returncode:
            raise LocalStackError(f"hotdesk {shlex.join(arguments)} failed: {done.stderr.strip()}")
        self.show([line.rstrip() for line in done.stdout.splitlines()])
        return done.stdout

    def ask(self, *arguments: str) -> str:
        """Run kubectl without showing it, and return what it says."""
        return self.stack.controlplane.kubectl(*arguments).stdout.strip()

    @property
    def aws(self) -> SimulatedAws:
        """The cloud behind it, for what kubectl does not show."""
        return self.stack.aws

    def state_of(self, machine: str) -> str:
        """Return what EC2 says of a machine."""
        answer = self.aws.ec2.describe_instances(InstanceIds=[machine])
        return str(answer["Reservations"][0]["Instances"][0]["State"]["Name"])

    def objects_in(self, bucket: str) -> list[tuple[str, int]]:
        """Return keys and sizes of what S3 has in a bucket."""
        found = self.aws.s3.list_objects_v2(Bucket=bucket).get("Contents", [])
        return [(one["Key"], one["Size"]) for one in found]

    def wait_for_phase(self, workspace: str, phase: str) -> None:
        """Wait until a workspace is in a phase in which it stays."""
        self.wait(f"ws/{workspace}", f"--for=jsonpath={{.status.phase}}={phase}")

    def wait(self, what: str, *arguments: str) -> None:
        """Wait with kubectl, without showing what it says."""
        self.stack.controlplane.kubectl("wait", f"--timeout={PATIENCE}s", what, *arguments)


@dataclass(frozen=True)
class Step:
    """One thing the demo shows."""

    title: str
    perform: Callable[[Stage], None]
