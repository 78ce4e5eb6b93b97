"""The operator as a process: started and stopped between measurements, its CPU, memory and metrics read."""

import http.client
import os
import re
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from hotdesk_local.stack import LocalStack

_TICKS = os.sysconf("SC_CLK_TCK")
_UTIME, _STIME = 11, 12  # fields of /proc/PID/stat after the name: proc(5)
_SAMPLE = re.compile(r"^(?P<name>\w+)\{(?P<labels>[^}]*)\} (?P<value>\S+)$", re.MULTILINE)
_PAUSE = 0.5  # each look costs the operator about 3 ms of CPU


@dataclass(frozen=True)
class Gauges:
    """What of the operator's metrics a measurement needs, summed over labels."""

    idle: int
    booting: int
    waiting: int
    unsecured: float
    """Seconds since the oldest claim whose machine its group can still end; 0 when there is none."""
    hits: int
    misses: int


class Operator:
    """The stack's operator."""

    def __init__(self, stack: LocalStack) -> None:
        self._stack = stack

    def start(self) -> None:
        """Start it and return when it is ready."""
        # A person's settings, but for the logs: text that nobody reads would only fill the disk.
        self._stack.start_operator()

    def stop(self) -> None:
        """End it, if it runs."""
        self._stack.stop_operator()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._stack.state.last("operator").pid

    def cpu(self) -> float:
        """Return the CPU seconds it has used, all threads together."""
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[_UTIME]) + int(fields[_STIME])) / _TICKS

    def memory(self) -> float:
        """Return its resident memory in MB."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        found = re.search(r"^VmRSS:\s+(\d+) kB$", status, flags=re.MULTILINE)
        return int(found[1]) / 1000 if found else 0.0

    def gauges(self) -> Gauges:
        """Read its metrics."""
        with closing(http.client.HTTPConnection(urlsplit(self._stack.metrics_url).netloc, timeout=10)) as connection:
            connection.request("GET", "/metrics")
            samples = list(_SAMPLE.finditer(connection.getresponse().read().decode()))

        def total(name: str, label: str = "") -> float:
            return sum(float(s["value"]) for s in samples if s["name"] == name and label in s["labels"])

        return Gauges(
            idle=int(total("hotdesk_pool_count", 'state="idle"')),
            booting=int(total("hotdesk_pool_count", 'state="booting"')),
            waiting=int(total("hotdesk_pool_count", 'state="waiting"')),
            unsecured=total("hotdesk_unsecured_claim_age_seconds"),
            hits=int(total("hotdesk_claim_hits_total")),
            misses=int(total("hotdesk_claim_misses_total")),
        )

    def wait_for(self, condition: Callable[[Gauges], bool], *, within: float) -> bool:
        """Return whether the metrics satisfied the condition in time (seconds)."""
        deadline = time.monotonic() + within
        while not condition(self.gauges()):
            if time.monotonic() > deadline:
                return False
            time.sleep(_PAUSE)
        return True
