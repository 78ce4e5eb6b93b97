"""The law machine finds what it is there for: bugs put into the product on purpose."""

from pathlib import Path

import pytest

from laws.flows import Flow
from laws.lifecycle_flows import LIFECYCLE_FLOWS
from laws.matrix import Cell, Death, cells_of, start_of
from laws.matrix import run as run_flow
from laws.planted import BUGS, Bug
from laws.planted_life import LIFE_BUGS, LifeBug
from laws.running import run

_SEEDS = 12  # tried one after the other from the bug's own on; that one finds it at once unless something has changed
_STEPS = 40
_WORLDS = 6


@pytest.mark.laws
@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_the_law_machine_finds_a_planted_bug(bug: Bug):
    found = _found(bug)
    assert found is not None, f"not found with the seeds {bug.seed} to {bug.seed + _SEEDS - 1}: {bug.name}"
    assert "an operator failed inside" not in found, f"it crashes where it should break a law: {found}"


def _found(bug: Bug) -> str | None:
    """Return what the first seed that met the bug told."""
    with bug.planted():
        for number in range(bug.seed, bug.seed + _SEEDS):
            try:
                run(number, steps=_STEPS, worlds=_WORLDS)
            except AssertionError as error:
                return str(error)
    return None


@pytest.mark.laws
@pytest.mark.parametrize("bug", LIFE_BUGS, ids=lambda bug: bug.name)
def test_a_flow_of_the_lifecycle_finds_a_planted_bug(bug: LifeBug):
    for flow in LIFECYCLE_FLOWS:
        start_of(flow)  # what is there before is right
    with bug.planted():
        found = next(filter(None, (_broken_by(flow, bug) for flow in LIFECYCLE_FLOWS)), None)
    assert found is not None, f"no flow breaks: {bug.name}"
    assert "an operator failed inside" not in found, f"it crashes where it should break a law: {found}"


def _broken_by(flow: Flow, bug: LifeBug) -> str | None:
    """Return what breaks a flow: undisturbed, or with an operator that dies at such writes."""
    try:
        for cell in _cells(flow, bug) if bug.dies_at else [None]:
            run_flow(flow, bug.operators, cell=cell)
    except AssertionError as error:
        return str(error)
    return None


def _cells(flow: Flow, bug: LifeBug) -> list[Cell]:
    cells = cells_of(flow, bug.operators)
    return [cell for cell in cells if cell.call.startswith(bug.dies_at) and cell.death is Death.ANSWER_LOST]


def test_every_planted_bug_stands_in_the_table(checkout: Path):
    page = (checkout / "docs" / "reliability.md").read_text()
    assert not [bug.name for bug in (*BUGS, *LIFE_BUGS) if f"| {bug.name} |" not in page]
