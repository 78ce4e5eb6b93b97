"""Every flow, with the operator dying at each of its writes in every way: it always goes on, and no law is broken."""

from collections.abc import Callable

import pytest

from laws.flows import FLOWS, Flow
from laws.lifecycle_flows import LIFECYCLE_FLOWS
from laws.matrix import cells_of, run

# Beside another operator the lifecycle's flows take minutes: `make test-laws` runs them.
_CASES = [
    *(pytest.param(flow, 1, id=f"{flow.name}-alone") for flow in (*FLOWS, *LIFECYCLE_FLOWS)),
    *(pytest.param(flow, 2, id=f"{flow.name}-beside another") for flow in FLOWS),
    *(pytest.param(flow, 2, id=f"{flow.name}-beside another", marks=pytest.mark.laws) for flow in LIFECYCLE_FLOWS),
]


@pytest.mark.parametrize(("flow", "operators"), _CASES)
def test_dying_at_any_write_breaks_no_law(flow: Flow, operators: int, record_property: Callable[[str, object], None]):
    failed: list[str] = []
    cells = list(cells_of(flow, operators))
    for cell in cells:
        try:
            run(flow, operators, cell=cell)
        except AssertionError as error:
            failed.append(f"{cell}\n{error}")
    record_property("cells of the crash matrix", len(cells))
    assert not failed, f"{len(failed)} of {len(cells)} cells failed:\n" + "\n\n".join(failed)
