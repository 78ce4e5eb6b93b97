"""The short run of the law machine; `make soak` is the long one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from laws.life_machine import LifeMachine
from laws.running import run

_WORLDS = 2
_STEPS = 40


@pytest.mark.parametrize("number", range(1, 5))
def test_no_law_is_broken_whatever_happens(number: int):
    run(number, steps=_STEPS, worlds=_WORLDS)


@pytest.mark.parametrize("number", range(1, 4))
def test_no_file_is_lost_and_nobody_at_work_is_stopped_whatever_happens(number: int):
    run(number, steps=_STEPS, worlds=_WORLDS, machine=LifeMachine)


def test_the_same_seed_tells_the_same_story_in_every_process():
    told = [_told(hash_seed) for hash_seed in ("1", "2")]
    assert told[0] == told[1]
    assert told[0].count("\n") > 400, "too little happened to compare"


def _told(hash_seed: str) -> str:
    """Return the stories of one seed, told by a process in which Python orders its sets as this number says."""
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(Path(__file__).parents[1])}
    asked = [sys.executable, "-m", "laws.telling", "7", "2", "15"]
    return subprocess.run(asked, env=environment, check=True, capture_output=True, text=True).stdout
