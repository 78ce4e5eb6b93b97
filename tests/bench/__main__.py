"""`make bench`: Hotdesk beside an ideal client, under load from a process of its own."""

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.cloud import Cloud
from bench.cluster import Cluster
from bench.course import Results, carry_out
from bench.figures import Measured, verdicts
from bench.measure import POOL, Bench, Broken
from bench.operating import Operator
from bench.plan import Plan, default_plan, quick_plan
from bench.report import opening, shown, shown_saturation
from bench.wire import Access
from hotdesk_local.controlplane.credentials import read_or_make_token
from hotdesk_local.progress import Progress
from hotdesk_local.stack import LocalStack

_RESULTS = Path(".hotdesk/bench")
# Machines only exist in EC2's answers: nobody opens a workspace here.
_AWS = {"serve": False, "terminate": 0, "forget": 5}


def main() -> None:
    """Measure, print, and write the figures to .hotdesk/bench. Exit 1 only if something broke."""
    plan = _plan()
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="hotdesk-bench-"))
    collect_seldom()
    stack = LocalStack.start(folder, operator=False, aws_config=_AWS, progress=Progress())
    try:
        say(opening())
        results = carry_out(plan, make_bench(stack), began=began, say=say)
    except Broken as broken:
        sys.exit(f"\nBROKEN: {broken}\nThe logs are in {folder}/logs.")
    finally:
        stack.stop()
    shutil.rmtree(folder)
    _show(results)
    seconds = time.monotonic() - began
    say(f"\n{seconds:.0f} s in all. Every figure: {_write(results, seconds=seconds)}")


def collect_seldom() -> None:
    """Have the API server and etcd collect garbage seldom: they share the cores, and spend a fifth of theirs on it."""
    os.environ["GOGC"] = "400"


def make_bench(stack: LocalStack) -> Bench:
    """Return everything that measures, on a stack of its own; it makes the group of its pool."""
    plane = stack.controlplane
    access = Access(url=plane.url, authority=str(plane.files.certificate), token=read_or_make_token(plane.files.tokens))
    stack.create_group(POOL, max_size=0)
    return Bench(
        stack=stack,
        access=access,
        cluster=Cluster(access),
        cloud=Cloud(stack.aws_endpoint),
        operator=Operator(stack),
    )


def _show(results: Results) -> None:
    for measured in results.shapes.values():
        say(f"\n{shown(measured)}")
    if results.saturation is not None:
        say(f"\n{shown_saturation(results.saturation)}")
    if results.left_out:
        say(f"\nLeft out for want of time: {', '.join(results.left_out)}")


def _write(results: Results, *, seconds: float) -> Path:
    saturation = results.saturation
    content = {
        "seconds": seconds,
        "shapes": {name: _facts(measured) for name, measured in results.shapes.items()},
        "saturation": None if saturation is None else {**asdict(saturation), "ratio": saturation.ratio},
        "leftOut": results.left_out,
    }
    _RESULTS.mkdir(parents=True, exist_ok=True)
    path = _RESULTS / f"{datetime.now(UTC):%Y%m%d-%H%M%S}.json"  # noqa: TID251  # a name for a file
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return path


def _facts(measured: Measured) -> dict[str, Any]:
    return {
        **asdict(measured),
        "ratios": {name: measured.ratio(name) for name in ("p50", "p90", "p99", "max")},
        "targets": [{**asdict(verdict), "met": verdict.met} for verdict in verdicts(measured)],
    }


def say(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


def _plan() -> Plan:
    names = list(dict.fromkeys(step.name for step in default_plan().steps))
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short pair of each shape: at most two minutes")
    parser.add_argument("--shapes", nargs="+", choices=names, default=names, help="only these")
    parser.add_argument("--seconds", type=float, help="begin no pair that would not end within this time")
    chosen = parser.parse_args()
    plan = quick_plan() if chosen.quick else default_plan()
    steps = tuple(step for step in plan.steps if step.name in chosen.shapes)
    if not steps:
        parser.error("--quick has none of these shapes: leave it out")
    return replace(plan, steps=steps, seconds=chosen.seconds or plan.seconds)


if __name__ == "__main__":
    main()
