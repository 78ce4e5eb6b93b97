"""Compile one program with Go, showing how far it is."""

import os
import queue
import signal
import subprocess
import tempfile
import threading
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from hotdesk_local.errors import LocalStackError
from hotdesk_local.progress import Progress, Step

# How the folders begin in which programs are made.
SCRATCH = ".building-"
_TICK = 0.2  # seconds between two looks at the clock while nothing is said
_GRACE = 10  # seconds for an interrupted compiler to go by itself


@dataclass(frozen=True)
class Program:
    """One program: the Go module (a folder beside go.mod) it is built from, and its package."""

    name: str
    module: str
    package: str
    link_flags: str


def compile_program(program: Program, *, go: Path, sources: Path, folder: Path, progress: Progress) -> None:
    """Put the program into the folder, complete or not at all."""
    with tempfile.TemporaryDirectory(dir=folder, prefix=f"{SCRATCH}{program.name}-") as scratch:
        made = Path(scratch) / program.name
        command: list[str | Path] = [go, "build", "-v", "-trimpath", "-mod=readonly", "-buildvcs=false"]
        # What a debugger needs is a fifth of a compiler's work; the linker would drop it anyway.
        command += ["-gcflags=all=-dwarf=false", "-ldflags", program.link_flags, "-o", made, program.package]
        with progress.step(f"building {program.name}") as step:
            _run(command, cwd=sources / program.module, step=step, name=program.name)
        made.replace(folder / program.name)


def _run(command: list[str | Path], *, cwd: Path, step: Step, name: str) -> None:
    # Static, with this very compiler and without a surrounding go.work: the same program on every machine.
    environment = {**os.environ, "GOTOOLCHAIN": "local", "GOWORK": "off", "CGO_ENABLED": "0"}
    compiler = subprocess.Popen(
        command, cwd=cwd, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    assert compiler.stderr is not None  # noqa: S101  # asked for above
    try:
        said = _follow(compiler.stderr, step=step)
        failed = compiler.wait() != 0
    finally:
        _end(compiler)
        compiler.stderr.close()
    if failed:
        raise LocalStackError(
            f"Building {name} failed. The end of what the compiler said:\n" + "\n".join(said) + "\n"
            "Go needs its module proxy the first time, and about 6 GB for its caches."
        )


def _follow(stream: IO[str], *, step: Step) -> deque[str]:
    """Count what Go says until it closes the stream; return the end of what was neither count."""
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    threading.Thread(target=_pump, args=(stream, lines), daemon=True).start()
    fetched = compiled = 0
    said: deque[str] = deque(maxlen=30)
    while True:
        try:
            line = lines.get(timeout=_TICK)
        except queue.Empty:
            step.update()
            continue
        if line is None:
            return said
        if line.startswith("go: downloading "):
            fetched += 1
        elif " " not in line:  # `go build -v` names each package it compiles, alone on its line
            compiled += 1
        else:
            said.append(line)
        step.update(_describe(fetched=fetched, compiled=compiled))


def _describe(*, fetched: int, compiled: int) -> str:
    counts = ((fetched, "modules fetched"), (compiled, "packages compiled"))
    return ", ".join(f"{count} {what}" for count, what in counts if count)


def _pump(stream: IO[str], lines: "queue.SimpleQueue[str | None]") -> None:
    for line in stream:
        lines.put(line.rstrip("\n"))
    lines.put(None)


def _end(compiler: "subprocess.Popen[str]") -> None:
    """End the compiler and the processes it started, if they still run."""
    if compiler.poll() is not None:
        return
    os.killpg(compiler.pid, signal.SIGTERM)
    try:
        compiler.wait(timeout=_GRACE)
    except subprocess.TimeoutExpired:
        os.killpg(compiler.pid, signal.SIGKILL)
        compiler.wait()
