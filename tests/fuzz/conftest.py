"""Fuzzing that is the same in every process."""

from collections.abc import Iterator
from unittest.mock import patch

import pytest
from hypothesis.internal.conjecture.providers import HypothesisProvider


@pytest.fixture(autouse=True, scope="session")
def _same_examples_everywhere() -> Iterator[None]:
    """Hypothesis mixes in constants of whatever source is imported, which depends on the tests that ran before."""
    with patch.object(HypothesisProvider, "_maybe_draw_constant", lambda *_, **__: None):
        yield
