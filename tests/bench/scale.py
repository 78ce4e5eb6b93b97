"""`make bench-scale`: claims, restart, memory and rest beside up to 10,000 workspaces that are being served."""

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench.__main__ import collect_seldom, make_bench, say
from bench.figures import Verdict
from bench.measure import POOL, Bench, Broken
from bench.report import judged
from bench.settled import settle
from bench.shapes import poisson, serial
from hotdesk_local.progress import Progress
from hotdesk_local.stack import LocalStack

_RESULTS = Path(".hotdesk/bench")
_SIZES = (100, 1_000, 10_000)
_SERIAL, _POISSON = serial(60), poisson(45, 8)
_SPARE = 10
_REST = 60.0  # seconds
_SETTLES = 15.0  # seconds until nothing that was begun is under way: what a start costs is measured by itself
_SERVED_WITHIN = 60.0
_WIDTH = 50  # characters of the longest bar


@dataclass(frozen=True)
class Size:
    """What was measured beside so many machines and as many workspaces."""

    objects: int
    first_claim: float
    """Seconds from the start of the operator's process until a workspace that waited for it had its IP."""
    handover: float
    """Seconds from SIGTERM to the acting replica until the next workspace had its IP from the other one."""
    takeover: float
    """The same after `kill -9`."""
    serial_p50: float
    serial_p99: float
    poisson_p50: float
    poisson_p99: float
    cpu: float
    """CPU milliseconds a claim under the Poisson load."""
    memory: float
    """Resident MB after all of it."""
    rest_cpu: float
    """Percent of one core while nothing happens."""
    rest_calls: float
    """AWS calls a second while nothing happens."""


def main() -> None:
    """Measure every size on one API server, print, and write the figures to .hotdesk/bench."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", nargs="+", type=int, default=_SIZES, help="machines that are being used")
    sizes: list[int] = sorted(parser.parse_args().sizes)
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="hotdesk-bench-"))
    collect_seldom()
    stack = LocalStack.start(folder, operator=False, aws_config={"serve": False, "forget": 5}, progress=Progress())
    try:
        found = _measure_all(make_bench(stack), sizes)
    except Broken as broken:
        sys.exit(f"\nBROKEN: {broken}\nThe logs are in {folder}/logs.")
    finally:
        stack.stop()
    shutil.rmtree(folder)
    say("\n".join(shown(found)))
    say(f"\n{time.monotonic() - began:.0f} s in all. Every figure: {_write(found)}")


def shown(found: list[Size]) -> list[str]:
    """Return the table, and each target beside its figure."""
    head = ("objects", "first", "hand-", "take-", "serial", "", "Poisson", "", "CPU", "memory", "rest", "rest")
    under = ("", "claim", "over", "over", "p50", "p99", "p50", "p99", "/claim", "MB", "CPU %", "calls/s")
    rows = [
        (
            *(f"{size.objects:,}", f"{size.first_claim:.1f} s", f"{size.handover:.2f} s", f"{size.takeover:.1f} s"),
            *(f"{size.serial_p50:.1f}", f"{size.serial_p99:.1f}"),
            *(f"{size.poisson_p50:.1f}", f"{size.poisson_p99:.1f}", f"{size.cpu:.1f}", f"{size.memory:.0f}"),
            *(f"{size.rest_cpu:.1f}", f"{size.rest_calls:.2f}"),
        )
        for size in found
    ]
    lines = ["".join(f"{cell:>10}" for cell in row) for row in (head, under, *rows)]
    curves = [
        *_bars("CPU milliseconds a claim", {size.objects: size.cpu for size in found}),
        *_bars("Poisson p50, milliseconds", {size.objects: size.poisson_p50 for size in found}),
    ]
    return [*lines, "", *curves, "", *(judged(verdict) for verdict in _verdicts(found))]


def _bars(title: str, figures: dict[int, float]) -> list[str]:
    """Return a plot of a figure over the number of objects; a flat one says that a claim costs the same beside any."""
    unit = max(figures.values()) / _WIDTH
    return [title, *(f"{objects:>10,} {'#' * round(value / unit)} {value:.1f}" for objects, value in figures.items())]


def _verdicts(found: list[Size]) -> list[Verdict]:
    small, large = found[0], found[-1]
    size = f"at {large.objects:,} objects of each kind"
    return [
        Verdict(target=f"times the serial p50 {size}", figure=large.serial_p50 / small.serial_p50, limit=1.5),
        Verdict(target=f"times the serial p99 {size}", figure=large.serial_p99 / small.serial_p99, limit=1.5),
        Verdict(target=f"times the Poisson p50 {size}", figure=large.poisson_p50 / small.poisson_p50, limit=1.5),
        Verdict(target=f"times the Poisson p99 {size}", figure=large.poisson_p99 / small.poisson_p99, limit=1.5),
        Verdict(target=f"seconds from start to the first claim {size}", figure=large.first_claim, limit=10),
        Verdict(target=f"seconds from SIGTERM to the next claim {size}", figure=large.handover, limit=1),
        Verdict(target=f"seconds from kill -9 to the next claim {size}", figure=large.takeover, limit=8),
        Verdict(target=f"MB resident {size}", figure=large.memory, limit=300),
        Verdict(target=f"percent of a core at rest {size}", figure=large.rest_cpu, limit=2),
        Verdict(target=f"AWS calls a second at rest {size}", figure=large.rest_calls, limit=1),
    ]


def _measure_all(bench: Bench, sizes: list[int]) -> list[Size]:
    bench.cluster.make_namespace()
    found: list[Size] = []
    there = 0
    for objects in sizes:
        started = time.monotonic()
        bench.cloud.configure(launch=0.05, quotas=False)
        settle(objects - there, pool=POOL, access=bench.access, aws=bench.stack.aws)
        bench.cloud.configure(quotas=True)
        there = objects
        say(f"{objects:,} workspaces are being served ({time.monotonic() - started:.0f} s)")
        found.append(_measure(bench, objects))
        say(f"measured {objects:,} ({time.monotonic() - started:.0f} s)")
    return found


def _measure(bench: Bench, objects: int) -> Size:
    bench.fill(_POISSON.claims + _SPARE)
    bench.operator.stop()
    first = _first_claim(bench)
    handover, takeover = _changes_of_hand(bench)
    time.sleep(_SETTLES)
    one, _ = bench.hotdesk(_SERIAL)
    bench.tidy()
    bench.fill(_POISSON.claims + _SPARE)
    time.sleep(_SETTLES)
    many, costs = bench.hotdesk(_POISSON)
    bench.tidy()
    bench.fill(_POISSON.claims + _SPARE)
    time.sleep(_SETTLES)
    mark, cpu = bench.cloud.mark(), bench.operator.cpu()
    time.sleep(_REST)
    rest = bench.operator.cpu() - cpu
    calls = len(bench.cloud.calls(since=mark))
    memory = bench.operator.memory()
    bench.operator.stop()
    return Size(
        objects=objects,
        first_claim=first,
        handover=handover,
        takeover=takeover,
        serial_p50=one.latencies.p50,
        serial_p99=one.latencies.p99,
        poisson_p50=many.latencies.p50,
        poisson_p99=many.latencies.p99,
        cpu=many.cpu,
        memory=max(memory, costs.memory),
        rest_cpu=100 * rest / _REST,
        rest_calls=calls / _REST,
    )


def _first_claim(bench: Bench) -> float:
    """Start the operator while one Workspace waits for it, and return the seconds until that has its IP."""
    bench.cluster.ask("first", pool=POOL)
    started = datetime.now(UTC)  # noqa: TID251  # the operator dates its claims by the wall clock
    bench.operator.start()
    seconds = _served(bench, "first", since=started)
    bench.tidy()
    bench.fill(_POISSON.claims + _SPARE)
    return seconds


def _changes_of_hand(bench: Bench) -> tuple[float, float]:
    """Return the seconds until the other replica serves: once the acting one is told to end, and once it is killed."""
    stack = bench.stack
    stack.start_operator(replica=2)  # stands by, warm, when this returns
    handover = _next_claim(bench, "handover", ending=lambda: stack.stop_operator(replica=1))
    stack.start_operator(replica=1)
    takeover = _next_claim(bench, "takeover", ending=lambda: stack.kill_operator(replica=2))
    bench.tidy()
    bench.fill(_POISSON.claims + _SPARE)
    return handover, takeover


def _next_claim(bench: Bench, name: str, *, ending: Callable[[], None]) -> float:
    """Return the seconds from the begin of a replica's end until a Workspace has its IP from the other one.

    It is asked for when the replica is gone, or before: as soon as it has given the pool back.
    """
    holder, started = bench.cluster.holder(POOL), datetime.now(UTC)  # noqa: TID251  # as above
    with ThreadPoolExecutor(max_workers=1) as threads:
        ended = threads.submit(ending)
        while not ended.done() and bench.cluster.holder(POOL) == holder:
            time.sleep(0.01)
        bench.cluster.ask(name, pool=POOL)
        seconds = _served(bench, name, since=started)
        ended.result()
    return seconds


def _served(bench: Bench, name: str, *, since: datetime) -> float:
    """Wait until a Workspace has its IP, and return how many seconds that was after `since`."""
    deadline = time.monotonic() + _SERVED_WITHIN
    while not (told := bench.cluster.workspace(name).get("status", {}).get("readyAt")):
        if time.monotonic() > deadline:
            raise Broken(f"workspace {name} was not served within {_SERVED_WITHIN:g} s")
        time.sleep(0.1)
    return (datetime.fromisoformat(told) - since).total_seconds()


def _write(found: list[Size]) -> Path:
    _RESULTS.mkdir(parents=True, exist_ok=True)
    path = _RESULTS / f"scale-{time.strftime('%Y%m%d-%H%M%S')}.json"
    path.write_text(json.dumps([asdict(size) for size in found], indent=2) + "\n", encoding="utf-8")
    return path


if __name__ == "__main__":
    main()
