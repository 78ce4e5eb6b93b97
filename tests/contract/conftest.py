"""The simulated AWS that all Fleet tests of a worker share; each test leaves it empty."""

import asyncio
from collections.abc import Iterator

import pytest

from contract.fleet_harness import SimulatedAws, simulation


@pytest.fixture(scope="session")
def fleet_runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="session")
def simulated_fleet(tmp_path_factory: pytest.TempPathFactory, fleet_runner: asyncio.Runner) -> Iterator[SimulatedAws]:
    with simulation(tmp_path_factory.mktemp("aws")) as facts:
        made = SimulatedAws(
            endpoint=facts["endpoint"],
            subnets=facts["subnets"],
            image=facts["image"],
            region=facts["region"],
            runner=fleet_runner,
        )
        yield made
        made.fleets.close()
