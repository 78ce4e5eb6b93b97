"""Commands that run for real in a machine's directory, with an end: a time limit, a process group, a kill."""

import os
import select
import shlex
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import IO, Protocol

READ = 100_000
"""Bytes of a command's output that are kept."""


@dataclass(frozen=True, slots=True)
class Script:
    """What to run: the text in `folder`, for at most `limit` seconds of real time."""

    text: str
    folder: Path
    environment: Mapping[str, str]
    limit: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """How it ended. `code` is the exit status, negative for a signal; `in_time` is false where the limit ended it."""

    code: int
    stdout: str
    stderr: str
    in_time: bool = True


class Job(Protocol):
    """A script under way."""

    @property
    def outcome(self) -> Outcome | None:
        """Return how it ended, None while it runs."""

    def kill(self) -> None:
        """End it and all it started; its outcome no longer matters."""


class Runner(Protocol):
    """Runs scripts."""

    def start(self, script: Script) -> Job:
        """Begin."""

    def close(self) -> None:
        """End whatever still runs."""


@dataclass(slots=True)
class _Process:
    """A shell with a process group of its own; a thread waits for its end."""

    process: "subprocess.Popen[bytes]"
    outcome: Outcome | None = None

    def kill(self) -> None:
        """End it and all of its group."""
        if self.process.returncode is None:  # not waited for yet: the number is still its own
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)

    def finish(self, *, limit: float, stdout: IO[bytes], stderr: IO[bytes]) -> None:
        """Wait for the shell; what it left behind in its group ends with it."""
        in_time = self._ends_within(limit)
        self.kill()
        code = self.process.wait()
        with stdout, stderr:
            self.outcome = Outcome(code=code, stdout=_read(stdout), stderr=_read(stderr), in_time=in_time)

    def _ends_within(self, limit: float) -> bool:
        """Wait for the end without reaping, so that its group can still be named."""
        handle = os.pidfd_open(self.process.pid)
        try:
            end = select.poll()
            end.register(handle, select.POLLIN)
            return bool(end.poll(limit * 1000))
        finally:
            os.close(handle)


@dataclass(slots=True)
class Beside:
    """Runs scripts beside the simulator: for real time."""

    _running: list[tuple[_Process, Thread]] = field(default_factory=list)

    def start(self, script: Script) -> Job:
        """Begin; a thread waits for the end."""
        job, stdout, stderr = _begun(script)
        thread = Thread(
            target=job.finish, kwargs={"limit": script.limit, "stdout": stdout, "stderr": stderr}, daemon=True
        )
        thread.start()
        self._running = [(j, t) for j, t in self._running if t.is_alive()]
        self._running.append((job, thread))
        return job

    def close(self) -> None:
        """End whatever still runs."""
        for job, thread in self._running:
            if thread.is_alive():
                job.kill()
                thread.join()


@dataclass(slots=True)
class AtOnce:
    """Runs a script to its end before the call returns: for a clock that a test moves."""

    def start(self, script: Script) -> Job:
        """Run it."""
        job, stdout, stderr = _begun(script)
        job.finish(limit=script.limit, stdout=stdout, stderr=stderr)
        return job

    def close(self) -> None:
        """Do nothing: nothing runs."""


@dataclass(frozen=True, slots=True)
class Pretended:
    """A script that never ran and went well."""

    outcome: Outcome | None = Outcome(code=0, stdout="", stderr="")

    def kill(self) -> None:
        """Do nothing."""


@dataclass(frozen=True, slots=True)
class Pretending:
    """Runs nothing, and every script goes well."""

    def start(self, script: Script) -> Job:
        """Say that it has run."""
        del script
        return Pretended()

    def close(self) -> None:
        """Do nothing."""


def _begun(script: Script) -> tuple[_Process, IO[bytes], IO[bytes]]:
    stdout, stderr = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115  # finish() closes them
    # Files, not pipes: a child in the background must not keep the command from ending, nor fill the memory.
    process = subprocess.Popen(
        _command(script.text),
        cwd=script.folder,
        env=dict(script.environment),
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        start_new_session=True,
    )
    return _Process(process), stdout, stderr


def _command(text: str) -> list[str]:
    first, _, _ = text.partition("\n")
    interpreter = shlex.split(first.removeprefix("#!")) if first.startswith("#!") else ["/bin/sh"]
    return [*interpreter, "-c", text]


def _read(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read(READ).decode("utf-8", "replace")
