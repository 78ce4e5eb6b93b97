"""How long and how the fuzzing runs: the same inputs every time, `FUZZ_EXAMPLES=20` times as many on demand."""

import os
from typing import Any

from hypothesis import HealthCheck, Phase, settings

_TIMES = float(os.environ.get("FUZZ_EXAMPLES", "1"))


def fuzzed(examples: int, **changes: Any) -> settings:
    """Return the settings of a test that tries so many examples in `make test`."""
    return settings(
        max_examples=max(1, round(examples * _TIMES)),
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        **{"phases": [Phase.explicit, Phase.generate, Phase.shrink], **changes},
    )
