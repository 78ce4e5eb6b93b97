"""Hypothesis as these tests use it: the same examples in every run, and no clock that fails them on a busy machine."""

from hypothesis import Phase, settings

# Explaining a failure traces every line, which takes minutes on Python 3.11.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate, Phase.target, Phase.shrink)

settings.register_profile("unit", deadline=None, derandomize=True, phases=PHASES)
settings.load_profile("unit")
