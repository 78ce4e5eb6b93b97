"""The `hotdesk` command: the operator, the gateway and its tokens, usage, the CRDs, and what other packages add."""

from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Literal

import click

_INCOMPLETE = 3  # exit code of a sum without what could not be read
_COMMANDS = "hotdesk.commands"
# What to install for a command whose package or libraries are absent.
_EXTRAS = {"local": "pip install 'hotdesk[local]'"}


class _Commands(click.Group):
    """A group whose further commands are imported only when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *_added()})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in _added():
            return _load(_added()[cmd_name])
        return super().get_command(ctx, cmd_name)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="hotdesk")
def main() -> None:
    """Hand every workspace a warm EC2 machine."""


@main.command()
def operator() -> None:
    """Run the operator; it takes its settings from the environment."""
    from hotdesk.main import run  # noqa: PLC0415  # kopf and boto3 take a second that other commands need not pay

    run()


@main.command()
def gateway() -> None:
    """Take heartbeats of workspaces; it takes its settings from the environment."""
    from hotdesk.gateway_main import run  # noqa: PLC0415  # as above

    run()


@main.command()
@click.argument("workspace", metavar="NAMESPACE/NAME")
@click.option(
    "--keys",
    envvar="HOTDESK_HEARTBEAT_KEYS",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file with the keys; without it, they are read from the Secret.",
)
@click.option("--secret", metavar="NAMESPACE/NAME", default="hotdesk-system/hotdesk-heartbeat", show_default=True)
def token(workspace: str, keys: Path | None, secret: str) -> None:
    """Print the token that a workspace beats with."""
    from hotdesk.gateway_main import CannotMint, mint_token  # noqa: PLC0415  # as above

    if any(len(given.split("/")) != 2 or not all(given.split("/")) for given in (workspace, secret)):  # noqa: PLR2004
        raise click.UsageError("give a namespace and a name: NAMESPACE/NAME")
    try:
        click.echo(mint_token(workspace, keys=keys, secret=secret))
    except CannotMint as error:
        raise click.ClickException(str(error)) from None


@main.command()
@click.option("--by", type=click.Choice(["owner", "workspace", "pool", "day"]), default="owner", show_default=True)
@click.option("--month", metavar="YYYY-MM", help="A month in UTC. Without it, and without --since: this month.")
@click.option("--since", metavar="TIME", help="The first moment that counts, like 2026-11-01 or 2026-11-01T08:00:00Z.")
@click.option("--until", metavar="TIME", help="The first moment that counts no more. Without it: now.")
@click.option("--output", "-o", type=click.Choice(["table", "json", "csv"]), default="table", show_default=True)
@click.option("--ledger", metavar="s3://BUCKET/PREFIX", help="Where the ledger is. Without it: as HOTDESK_LEDGER says.")
def usage(
    by: Literal["owner", "workspace", "pool", "day"],
    month: str | None,
    since: str | None,
    until: str | None,
    output: Literal["table", "json", "csv"],
    ledger: str | None,
) -> None:
    """Add up from the ledger for how long machines ran, and for whom.

    Exits 1 if the ledger cannot be read, 3 if objects in it cannot: then the sums are without those.
    """
    from hotdesk.usage_main import BadPeriod, CannotRead, period_of, report  # noqa: PLC0415  # as above

    try:
        is_whole = report(by=by, period=period_of(month=month, since=since, until=until), output=output, ledger=ledger)
    except BadPeriod as error:
        raise click.UsageError(str(error)) from None
    except CannotRead as error:
        raise click.ClickException(str(error)) from None
    if not is_whole:
        raise click.exceptions.Exit(_INCOMPLETE)


@main.command()
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Write one file a kind into this folder.")
def crds(out: Path | None) -> None:
    """Print the CustomResourceDefinitions, or write them to files."""
    from hotdesk.api.crd import render  # noqa: PLC0415  # as above

    files = render()
    if out is None:
        click.echo("---\n".join(files.values()), nl=False)
        return
    out.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (out / name).write_text(text, encoding="utf-8")


def _added() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=_COMMANDS)}


def _load(point: EntryPoint) -> click.Command:
    """Import a command of another package; where that fails for want of a library, put a command that says so."""
    try:
        command = point.load()
    except ModuleNotFoundError as error:
        return _absent(point, missing=(error.name or str(error)).partition(".")[0])
    if not isinstance(command, click.Command):
        raise click.ClickException(f"{point.value} is not a command")
    return command


def _absent(point: EntryPoint, *, missing: str) -> click.Command:
    install = _EXTRAS.get(point.name, f"install what brings {missing}")

    @click.command(
        name=point.name,
        short_help=f"(not installed: {install})",
        # Whatever was to follow on the command line: the answer is the same.
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
        add_help_option=False,
    )
    def absent() -> None:
        raise click.ClickException(f"`hotdesk {point.name}` needs {missing}, which is not installed: {install}")

    return absent
