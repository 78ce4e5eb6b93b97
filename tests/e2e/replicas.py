"""Several operators on one stack, each of which can be ended, killed and paused, and who of them owns what."""

import http.client
import os
import re
import signal
import time
from collections import Counter
from contextlib import closing
from urllib.parse import urlsplit

from e2e.cluster import Cluster
from e2e.scene import SOON, Pool
from e2e.stage import PACE
from hotdesk_local.stack import LocalStack, operator_name
from waiting import wait_for

_LEASES = "/apis/coordination.k8s.io/v1/namespaces/hotdesk-system/leases"
_SAMPLE = re.compile(r"^(?P<name>\w+)\{(?P<labels>[^}]*)\} (?P<value>\S+)$", re.MULTILINE)
_LOOK = 0.005  # seconds between two looks at a workspace whose claim is timed


class Replicas:
    """The operators of a stack, by number from 1."""

    def __init__(self, stack: LocalStack, cluster: Cluster) -> None:
        self._stack = stack
        self._cluster = cluster

    def start(self, *numbers: int) -> None:
        """Start those that do not run."""
        for number in numbers:
            self._stack.start_operator(replica=number, extra_env=PACE)

    def stop(self, number: int) -> None:
        """End one in good order, and return when it has ended."""
        self._stack.stop_operator(replica=number)

    def kill(self, number: int) -> None:
        """End one as a crash would."""
        self._stack.kill_operator(replica=number)

    def send(self, number: int, what: signal.Signals) -> None:
        """Send a signal and return at once."""
        os.kill(self._stack.state.last(operator_name(number)).pid, what)

    def log(self, number: int) -> str:
        """Return what one has said so far, in all its lives."""
        return self._stack.state.log(operator_name(number)).read_text()

    def leases(self) -> dict[str, str]:
        """Return the holder of every Lease, by its name."""
        items = self._cluster._send("GET", _LEASES, None)["items"]
        return {item["metadata"]["name"]: item["spec"].get("holderIdentity", "") for item in items}

    def owner(self, pool: Pool) -> int | None:
        """Return who owns a pool now; None if nobody does who has a Lease."""
        leases = self.leases()
        name, _, uid = leases.get(f"pool-{pool.name}", "").partition("_")
        if not uid or f"replica-{name}" not in leases:
            return None
        return int(name.partition("-")[2] or 1)

    def wait_even(self, *numbers: int, pools: list[Pool], within: float = SOON) -> dict[int, list[Pool]]:
        """Wait until these replicas have even shares of these pools, and return who has which."""

        def even() -> dict[int, list[Pool]]:
            shares: dict[int, list[Pool]] = {number: [] for number in numbers}
            for pool in pools:
                owner = self.owner(pool)
                assert owner in shares, f"{pool.name} is owned by {owner}: {self.leases()}"
                shares[owner].append(pool)
            sizes = [len(share) for share in shares.values()]
            assert max(sizes) - min(sizes) <= 1, shares
            return shares

        return wait_for(even, what=f"replicas {numbers} have even shares", within=within)

    def writes(self, number: int) -> Counter[str]:
        """Return how often one has written to the API server and changed AWS, Leases left out."""
        with closing(
            http.client.HTTPConnection(urlsplit(self._stack.metrics_url_of(number)).netloc, timeout=10)
        ) as http_:
            http_.request("GET", "/metrics")
            text = http_.getresponse().read().decode()
        counts: Counter[str] = Counter()
        for sample in _SAMPLE.finditer(text):
            is_write = sample["name"] == "hotdesk_kubernetes_writes_total"
            is_call = sample["name"] == "hotdesk_aws_calls_total" and ":Describe" not in sample["labels"]
            if (is_write or is_call) and "fenced" not in sample["labels"]:
                counts[sample["labels"]] += int(float(sample["value"]))
        return counts


def claim(pool: Pool, name: str, *, within: float = SOON) -> float:
    """Create a workspace and return after how many seconds it was told its machine."""
    began = time.monotonic()
    pool.create(name)
    return await_claim(pool, name, began=began, within=within)


def await_claim(pool: Pool, name: str, *, began: float, within: float = SOON) -> float:
    """Return how many seconds after `began` a workspace was told its machine."""
    while not pool.workspace(name).get("status", {}).get("machine"):
        assert time.monotonic() - began < within, f"{name} is not served: {pool.workspace(name)}; {pool.status()}"
        time.sleep(_LOOK)
    return time.monotonic() - began
