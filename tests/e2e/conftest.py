"""One stack for all tests that let the API server live; each test gets a scene of its own on it."""

from collections.abc import Iterator

import pytest

from e2e import laws
from e2e.cluster import Cluster
from e2e.journal import Journal
from e2e.scene import Pool, Scene, open_scene
from e2e.simulator import Simulator
from e2e.stage import PACE, start_stack
from hotdesk_local.stack import LocalStack


@pytest.fixture(scope="session")
def stack(binaries, tmp_path_factory) -> Iterator[LocalStack]:  # noqa: ARG001  # built before anything is started
    """A whole stack. Who kills its operator starts it again; nobody stops the rest."""
    stack = start_stack(tmp_path_factory.mktemp("stack"))
    try:
        stack.start_operator(extra_env=PACE)
        yield stack
    finally:
        stack.stop()


@pytest.fixture(scope="session")
def cluster(stack) -> Iterator[Cluster]:
    """The stack's API server."""
    cluster = Cluster(stack.controlplane)
    yield cluster
    cluster.close()


@pytest.fixture(scope="session")
def simulator(stack) -> Iterator[Simulator]:
    """The stack's AWS."""
    simulator = Simulator(stack.aws)
    yield simulator
    simulator.close()


@pytest.fixture(scope="session")
def journal(stack) -> Journal:
    """Everything that happens on the stack."""
    return Journal(stack.controlplane)


@pytest.fixture
def scene(stack, cluster, simulator, journal) -> Iterator[Scene]:
    """A namespace and pools of the test's own. Afterwards the laws must hold, and everything is let go."""
    scene = open_scene(stack=stack, cluster=cluster, simulator=simulator)
    yield scene
    try:
        laws.everything_holds(scene, journal)
    finally:
        scene.clear()


@pytest.fixture(scope="session")
def steady(stack, cluster, simulator) -> Pool:
    """A pool that no test troubles, to see that the operator goes on serving it."""
    return open_scene(stack=stack, cluster=cluster, simulator=simulator).pool(name="steady", max_machines=6, idle=2)
