"""`python -m hotdesk_local.aws`: the simulated AWS as a process."""

import json
import logging
import resource
import signal
import sys
from dataclasses import asdict
from pathlib import Path

import click

from hotdesk_local.aws.server import SimulatedAws


@click.command()
@click.option("--state-dir", type=click.Path(path_type=Path), required=True, help="Where the machines' disks are kept.")
@click.option("--port", default=0, show_default="a free one", help="Port of the endpoint.")
@click.option("--address", default="127.0.0.1", show_default=True, help="Address of the endpoint, not of machines.")
@click.option("--region", default="eu-central-1", show_default=True)
@click.option("--config", default="{}", help="JSON object, e.g. '{\"launch\": 0.5}'; see docs/local-aws.md.")
def main(*, state_dir: Path, port: int, address: str, region: str, config: str) -> None:
    """Run a simulated AWS until SIGTERM. Prints one line of JSON once it answers."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    _allow_many_listeners()
    simulator = SimulatedAws(state_dir=state_dir, address=address, port=port, region=region, config=json.loads(config))
    try:
        ready = simulator.start()
    except (OSError, RuntimeError, ValueError) as exc:
        raise click.ClickException(str(exc)) from exc
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: simulator.ask_to_stop())
    sys.stdout.write(json.dumps(asdict(ready)) + "\n")
    sys.stdout.flush()
    simulator.wait()


def _allow_many_listeners() -> None:
    """Raise the soft limit of open files to the hard one: every running machine is a listener."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


if __name__ == "__main__":
    main()
