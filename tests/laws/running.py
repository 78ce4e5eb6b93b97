"""Running the law machine from a seed: the same seed tells the same stories, whatever else the process has done."""

from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.internal.conjecture.providers import HypothesisProvider
from hypothesis.stateful import run_state_machine_as_test

from laws.machine import LawMachine
from simworld.world import SimWorld

WORLDS = 10
"""Worlds for each seed."""


@dataclass
class Tally:
    """How much has happened."""

    stories: int = 0
    seconds: float = 0.0  # of the worlds' own time
    calls: int = 0  # of operators, to the API server and to AWS

    def add(self, world: SimWorld) -> None:
        """Count one story."""
        self.stories += 1
        self.seconds += world.timeline.now
        self.calls += world.server.network.carried + world.line.network.carried

    def __str__(self) -> str:
        return f"{self.stories:,} stories, {self.seconds / 3600:,.0f} simulated hours, {self.calls:,} calls"


def run(
    number: int,
    *,
    steps: int,
    shrink: bool = False,
    worlds: int = WORLDS,
    machine: type[LawMachine] = LawMachine,
    tally: Tally | None = None,
) -> None:
    """Run the worlds of one seed; raises what broke a law."""
    phases = [Phase.generate, Phase.shrink] if shrink else [Phase.generate]
    seeded: Any = seed(number)(type("SeededLawMachine", (machine,), {"ended": (tally or Tally()).add}))
    # Hypothesis mixes in constants that it finds in the source of whatever is imported: another story in each process.
    with patch.object(HypothesisProvider, "_maybe_draw_constant", lambda *_, **__: None):
        run_state_machine_as_test(seeded, settings=_settings(steps=steps, worlds=worlds, phases=phases))


def _settings(*, steps: int, worlds: int, phases: list[Phase]) -> settings:
    return settings(
        max_examples=worlds,
        stateful_step_count=steps,
        phases=phases,
        database=None,
        deadline=None,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
