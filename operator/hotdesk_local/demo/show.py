"""The demo from its first word to its last: its own stack, one step after the other, nothing left behind."""

import shutil
import tempfile
import time
from pathlib import Path

import click

from hotdesk_local.demo import resting_machines, warm_machines
from hotdesk_local.demo.observer import Observer
from hotdesk_local.demo.stage import Stage
from hotdesk_local.progress import Progress
from hotdesk_local.stack import LocalStack

_OPENING = """\
Hotdesk is a Kubernetes operator. It keeps cloud machines running before anyone asks for one, so that
whoever applies a Workspace has the address of a running machine within milliseconds. It stops the machines
of those who do not work, and keeps their files.

All of it runs on this computer for the next minute: a real Kubernetes API server, the operator, and
a simulated AWS whose machines are small web servers on loopback addresses. No account is used.
"""
_CLOSING = """\
That was all of it, in {seconds:.0f} seconds, and nothing of it runs any more.
To try it yourself:  make up
"""

# Machines of the simulated AWS boot quicker than anywhere else: it is shown what happens, not how long AWS takes.
_QUICK = {"launch": 2, "boot": 1, "stop": 0.5, "terminate": 0.5, "agent": 0.5}


def show_demo() -> None:
    """Show everything. If a step fails, the logs stay and the error says where."""
    began = time.monotonic()
    click.echo(_OPENING)
    folder = Path(tempfile.mkdtemp(prefix="hotdesk-demo-"))
    try:
        _perform(folder)
    except BaseException:
        click.echo(f"\nThe demo did not come to its end. What each part said is in {folder}/logs.", err=True)
        raise
    shutil.rmtree(folder)
    click.echo(_CLOSING.format(seconds=time.monotonic() - began))


def _perform(folder: Path) -> None:
    stack = LocalStack.start(folder, aws_config=_QUICK, progress=Progress())
    try:
        stack.create_group(warm_machines.GROUP, max_size=0)
        stage = Stage(stack=stack, observer=Observer(controlplane=stack.controlplane, namespace="default"))
        for number, step in enumerate((*warm_machines.STEPS, *resting_machines.STEPS), start=1):
            click.secho(f"\n{number}. {step.title}\n", bold=True)
            step.perform(stage)
    finally:
        stack.stop()
