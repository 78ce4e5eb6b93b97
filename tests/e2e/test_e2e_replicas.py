"""Several operators share the pools: whatever happens to one of them, its pools are served again within seconds.

The times are printed and not asserted: `make bench-scale` measures them on a machine that does nothing else.
"""

import signal
import sys
import time

import pytest

from e2e import laws
from e2e.cluster import Cluster
from e2e.journal import Journal
from e2e.replicas import Replicas, await_claim, claim
from e2e.scene import open_scene
from e2e.simulator import Simulator
from e2e.stage import PACE, start_stack
from waiting import wait_for

pytestmark = pytest.mark.stack

_POOLS = 4


@pytest.fixture
def say(capsys):
    """Tell a person something although the test passes."""

    def say(text: str) -> None:
        with capsys.disabled():
            sys.stdout.write(f"\n  {text}\n")

    return say


@pytest.fixture(scope="module")
def shared(binaries, tmp_path_factory):  # noqa: ARG001  # built before anything is started
    """A stack of this module's own, with two operators, which tests end and start again."""
    stack = start_stack(tmp_path_factory.mktemp("stack"))
    try:
        stack.start_operator(extra_env=PACE)
        stack.start_operator(replica=2, extra_env=PACE)
        yield stack
    finally:
        stack.stop()


@pytest.fixture(scope="module")
def journal(shared):
    return Journal(shared.controlplane)


@pytest.fixture
def scene(shared, journal):
    """A scene on that stack, whose laws are checked at the end."""
    cluster, simulator = Cluster(shared.controlplane), Simulator(shared.aws)
    scene = open_scene(stack=shared, cluster=cluster, simulator=simulator)
    yield scene
    try:
        laws.everything_holds(scene, journal)
    finally:
        scene.clear()
        cluster.close()
        simulator.close()


@pytest.fixture
def replicas(shared, scene):
    """Two operators that run; a third is stopped afterwards, if the test has started it."""
    replicas = Replicas(shared, scene.cluster)
    replicas.start(1, 2)
    yield replicas
    replicas.stop(3)


@pytest.fixture
def pools(scene, replicas):  # noqa: ARG001  # who shall share them runs before
    """Four pools with a buffer that is full."""
    pools = [scene.pool(idle=2, max_machines=12) for _ in range(_POOLS)]
    for pool in pools:
        pool.wait_idle(2)
    return pools


@pytest.fixture
def shares(replicas, pools):
    """Who of the two has which of the pools."""
    return replicas.wait_even(1, 2, pools=pools)


def test_one_that_is_told_to_end_hands_over_at_once(replicas, pools, shares, say):
    served, other = shares[1][0], shares[2][0]
    began = time.monotonic()
    replicas.send(1, signal.SIGTERM)
    served.create("handed-over")
    unaffected = claim(other, "unaffected")
    took = await_claim(served, "handed-over", began=began)
    say(f"planned takeover: served {1000 * took:.0f} ms after SIGTERM; meanwhile elsewhere {1000 * unaffected:.0f} ms")
    replicas.wait_even(2, pools=pools)
    replicas.stop(1)
    assert "replica-operator" not in replicas.leases(), "it has given back its own Lease"
    replicas.start(1)
    for pool in pools:
        claim(pool, f"afterwards-{pool.name}")


def test_the_pools_of_one_that_was_killed_are_taken_over(replicas, pools, shares, say):
    served, other = shares[2][0], shares[1][0]
    began = time.monotonic()
    replicas.kill(2)
    served.create("taken-over")
    meanwhile = [claim(other, f"unaffected-{number}") for number in range(2)]
    took = await_claim(served, "taken-over", began=began)
    say(
        f"takeover after kill -9: served after {took:.2f} s; meanwhile elsewhere {1000 * max(meanwhile):.0f} ms at most"
    )
    replicas.wait_even(1, pools=pools)
    replicas.start(2)
    replicas.wait_even(1, 2, pools=pools)


def test_one_that_was_killed_and_comes_back_under_its_name_goes_on_at_once(replicas, pools, shares, say):
    served = shares[1][0]
    before = replicas.leases()
    replicas.send(2, signal.SIGSTOP)  # so that it takes nothing over, however long the other needs to start
    try:
        replicas.kill(1)
        began = time.monotonic()
        served.create("after-the-crash")
        replicas.start(1)
        took = await_claim(served, "after-the-crash", began=began)
        after = replicas.leases()
    finally:
        replicas.send(2, signal.SIGCONT)
    say(f"restart under the same name: served {took:.2f} s after the crash")
    for pool in shares[1]:
        name = f"pool-{pool.name}"
        assert after[name] == before[name]
    replicas.wait_even(1, 2, pools=pools)


def test_one_that_was_paused_writes_nothing_for_pools_that_are_anothers_by_then(replicas, pools, shares, say):
    served, other = shares[2][0], shares[1][0]
    told = replicas.log(2).count('"joined"')
    before = wait_for(lambda: _steady(replicas, 2), what="the replica has nothing to write")
    replicas.send(2, signal.SIGSTOP)
    try:
        began = time.monotonic()
        served.create("first", "second")  # it will hear of them when it goes on, late
        unaffected = claim(other, "unaffected")
        took = await_claim(served, "first", began=began)
        say(f"takeover after SIGSTOP: served after {took:.2f} s; meanwhile elsewhere {1000 * unaffected:.0f} ms")
        replicas.wait_even(1, pools=pools)
    finally:
        replicas.send(2, signal.SIGCONT)
    wait_for(lambda: replicas.log(2).count('"joined"') > told, what="it finds out, and joins anew")
    assert replicas.writes(2) - before == {}, "nothing of what it believed was written"
    served.wait_bound("first", "second")
    replicas.wait_even(1, 2, pools=pools)
    for pool in pools:
        claim(pool, f"afterwards-{pool.name}")


def test_one_that_is_paused_in_the_middle_of_a_burst_breaks_no_law(replicas, pools, shares):
    served = shares[1][0]
    names = [f"burst-{number}" for number in range(10)]
    served.create(*names[:3])
    replicas.send(1, signal.SIGSTOP)
    try:
        served.create(*names[3:])
        served.wait_bound(*names)
    finally:
        replicas.send(1, signal.SIGCONT)
    served.delete(*names[:5])
    replicas.wait_even(1, 2, pools=pools)
    laws.is_at_rest(served, idle=2)
    laws.live_machines_stay_within(served, 12)


def test_a_third_gets_its_share_and_nobody_waits_for_that(replicas, pools, shares, say):  # noqa: ARG001  # even before
    for pool in pools:
        pool.change(buffer={"idle": 8, "scaleDownDelay": "0s"})
        pool.wait_idle(8)  # so that no claim waits for a launch
    replicas.start(3)
    longest = 0.0
    for number in range(6):
        longest = max(longest, *(claim(pool, f"meanwhile-{pool.name}-{number}") for pool in pools))
    say(f"while pools move to a third: a claim took {1000 * longest:.0f} ms at most")
    replicas.wait_even(1, 2, 3, pools=pools)
    replicas.stop(3)
    replicas.wait_even(1, 2, pools=pools)
    for pool in pools:
        laws.is_at_rest(pool, idle=6)  # 12 at most


def _steady(replicas, number):
    """Return what one has written if it has written nothing for a second."""
    before = replicas.writes(number)
    time.sleep(1)
    return before if replicas.writes(number) == before else None
