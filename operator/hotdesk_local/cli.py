"""`hotdesk local`: the whole of Hotdesk on one machine, for trying it and for its tests."""

import fcntl
import importlib.util
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import click

from hotdesk_local.controlplane.binaries import find_or_build
from hotdesk_local.demo.show import show_demo
from hotdesk_local.demo.warm_machines import GROUP
from hotdesk_local.errors import LocalStackError
from hotdesk_local.progress import Progress
from hotdesk_local.shell import write_environment
from hotdesk_local.stack import LocalStack, operator_name
from hotdesk_local.state import LOCK, State

# Without these three there is no stack; the operator may be left out or started later.
_CORE = ("etcd", "apiserver", "aws")
# Of the extra `local`; the ones that are imported late, by programs the stack starts.
_LIBRARIES = ("flask", "kubernetes", "moto")

_state_dir = click.option(
    "--state-dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".hotdesk"),
    show_default=True,
    help="Folder of this stack; another folder is another stack.",
)


class _Group(click.Group):
    """Says what went wrong in a sentence instead of a traceback, and ends well when it is told to end."""

    def invoke(self, ctx: click.Context) -> object:
        signal.signal(signal.SIGTERM, _end_well)
        try:
            _check_extra()
            return super().invoke(ctx)
        except LocalStackError as error:
            raise click.ClickException(str(error)) from error


def _check_extra() -> None:
    absent = [name for name in _LIBRARIES if importlib.util.find_spec(name) is None]
    if absent:
        raise LocalStackError(f"The local stack needs {', '.join(absent)}: pip install 'hotdesk[local]'")


@click.group(cls=_Group)
def local() -> None:
    """Run Hotdesk on this machine: real API server, simulated AWS, machines that answer."""


@local.command()
@_state_dir
@click.option("--operator/--no-operator", default=True, help="Start the operator too.", show_default=True)
@click.option("--replicas", type=click.IntRange(1, 9), default=1, help="How many of it.", show_default=True)
def up(*, state_dir: Path, operator: bool, replicas: int) -> None:
    """Start the stack and leave it running."""
    with _locked(state_dir) as state:
        running = all(state.process(name) for name in _CORE)
        if not running:
            _make_room(state)
        wanted = [operator_name(number) for number in range(1, replicas + 1)] if operator else []
        complete = running and all(state.process(name) for name in wanted)
        stack = LocalStack.start(state, operator=operator, replicas=replicas, progress=Progress())
        if state.fact("group") is None:
            stack.create_group(GROUP, max_size=0)
            state.note(group=GROUP)
        environment = write_environment(stack)
    click.echo("The stack runs already." if complete else "The stack runs.")
    click.echo(_how_to_use(environment=environment, state_dir=state_dir))


@local.command()
@_state_dir
def down(*, state_dir: Path) -> None:
    """End exactly what `up` started, and remove its data (the logs stay)."""
    if not State.is_at(state_dir):
        click.echo(f"There is no stack in {state_dir}.")
        return
    with _locked(state_dir) as state:
        ended = state.end_all()
        state.clear(keep=("logs",))
    click.echo(f"Ended: {', '.join(ended)}." if ended else "Nothing of it ran.")


@local.command()
@_state_dir
def status(*, state_dir: Path) -> None:
    """Show what of the stack runs. Exit code 1 if etcd, the API server or AWS does not."""
    if not State.is_at(state_dir):
        raise LocalStackError(f"There is no stack in {state_dir}. Start one with `hotdesk local up`.")
    state = State(state_dir)
    for process in state.processes:
        word = "runs" if process.running else "has ended"
        click.echo(f"{process.name:<10} {word:<10} pid {process.pid:<8} {state.log(process.name)}")
    if not all(state.process(name) for name in _CORE):
        click.echo("The stack does not run. Start it with `hotdesk local up`.")
        sys.exit(1)


@local.command()
def demo() -> None:
    """Show what Hotdesk does, on a stack of its own, in under a minute."""
    show_demo()


@local.command()
def build() -> None:
    """Build etcd, kube-apiserver and kubectl, if they are not in the cache yet, and print their folder."""
    click.echo(find_or_build(progress=Progress()).folder)


def _make_room(state: State) -> None:
    """End and remove what is left of a stack that cannot go on: without its AWS, its machines are gone for good."""
    left = state.end_all()
    if left:
        click.echo(f"Part of this stack had ended; starting anew (ended: {', '.join(left)}).")
    state.clear()


def _how_to_use(*, environment: Path, state_dir: Path) -> str:
    elsewhere = "" if state_dir == Path(".hotdesk") else f" --state-dir {state_dir}"
    return f"""
  source {environment}
  kubectl get mpool,mach,ws

Its Auto Scaling group is called {GROUP}. End it with: hotdesk local down{elsewhere}"""


@contextmanager
def _locked(folder: Path) -> Iterator[State]:
    """Hold the stack's folder, so that two commands at once do not both start or end it."""
    State(folder)
    with (folder / LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise LocalStackError(
                f"Another `hotdesk local` command works on {folder}; wait until it is done."
            ) from error
        # Read again: the record may have changed until we held the lock.
        yield State(folder)


def _end_well(_number: int, _frame: FrameType | None) -> None:
    # As Ctrl-C does, so that what was begun is ended.
    raise KeyboardInterrupt
