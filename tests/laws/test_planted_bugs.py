"""The law machine finds what it is there for: bugs put into the product on purpose."""

from pathlib import Path

import pytest

from laws.planted import BUGS, Bug
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


def test_every_planted_bug_stands_in_the_table(checkout: Path):
    page = (checkout / "docs" / "reliability.md").read_text()
    assert not [bug.name for bug in BUGS if f"| {bug.name} |" not in page]
