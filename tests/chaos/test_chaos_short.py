"""A minute of faults that need no rights, on the real stack: every promise is kept. `make chaos` has more of it."""

import sys

import pytest

from chaos.checker import check
from chaos.faults import ANYWHERE
from chaos.report import report
from chaos.run import Plan, run

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]

_FAULTS = ("kill", "pause", "hand over")
_SECONDS = 35


@pytest.fixture
def say(capsys):
    """Tell a person something although the test passes."""

    def say(text: str) -> None:
        with capsys.disabled():
            sys.stdout.write(f"\n  {text}")

    return say


def test_a_minute_of_faults_breaks_no_promise(binaries, tmp_path, say):  # noqa: ARG001  # built before anything starts
    faults = {name: ANYWHERE[name] for name in _FAULTS}
    history = run(Plan(seed=1, seconds=_SECONDS, faults=faults, say=lambda _: None), tmp_path)
    breaches = check(history)
    for line in report(history, breaches):
        say(line)
    assert not breaches
