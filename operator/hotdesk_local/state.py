"""What a stack has started, on disk before anything else happens, so that `down` ends exactly that."""

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hotdesk_local.errors import LocalStackError
from hotdesk_local.processes import Process, start_process

_FILE = "state.json"
LOCK = "lock"


class State:
    """The folder of one stack: the processes it started, in order, and the facts needed to start them again."""

    def __init__(self, folder: Path) -> None:
        """Read what is recorded in the folder; an empty or absent folder becomes that of a stack."""
        self.folder = folder.resolve()
        self.folder.mkdir(parents=True, exist_ok=True)
        self._processes: dict[str, Process] = {}
        self._facts: dict[str, Any] = {}
        if State.is_at(self.folder):
            self._processes, self._facts = _read(self.folder / _FILE)
        elif any(self.folder.iterdir()):
            # A stack removes its files when it ends: never in a folder that holds something else.
            raise LocalStackError(f"{self.folder} is neither empty nor the folder of a stack: choose another one.")
        else:
            self._write()

    @staticmethod
    def is_at(folder: Path) -> bool:
        """Whether the folder is that of a stack, running or not."""
        return (folder / _FILE).is_file()

    @property
    def processes(self) -> Sequence[Process]:
        """The recorded processes, oldest first; some may have ended by themselves."""
        return tuple(self._processes.values())

    def process(self, name: str) -> Process | None:
        """Return the process of this name if it runs."""
        process = self._processes.get(name)
        return process if process is not None and process.running else None

    def last(self, name: str) -> Process:
        """Return the process of this name, whether it still runs or not."""
        return self._processes[name]

    def fact(self, name: str) -> Any:
        """Return a recorded fact, or None."""
        return self._facts.get(name)

    def note(self, **facts: Any) -> None:
        """Record facts (JSON values)."""
        self._facts.update(facts)
        self._write()

    def log(self, name: str) -> Path:
        """Return where the program of this name writes."""
        return self.folder / "logs" / f"{name}.log"

    def start(
        self,
        *,
        name: str,
        command: Sequence[str | Path],
        environment: Mapping[str, str] | None = None,
        output: Path | None = None,
    ) -> Process:
        """Start a program with the caller's environment, except for AWS, and these additions; record it."""
        if self.process(name):
            raise LocalStackError(f"{name} of {self.folder} runs already; end it first.")
        process = start_process(
            name=name,
            command=command,
            environment={**_without_aws(os.environ), **(environment or {})},
            log=self.log(name),
            output=output,
        )
        # Last in order even where it was recorded before: it was started last.
        self._processes.pop(name, None)
        self._processes[name] = process
        self._write()
        return process

    def end(self, name: str, *, grace: float = 20.0) -> bool:
        """End one process and forget it; return whether it ran."""
        process = self._processes.get(name)
        if process is None:
            return False
        ran = process.running
        process.end(grace=grace)
        del self._processes[name]
        self._write()
        return ran

    def kill(self, name: str) -> None:
        """End one process as a crash would, and forget it."""
        process = self._processes.pop(name, None)
        if process is not None:
            process.kill()
            self._write()

    def end_all(self) -> Sequence[str]:
        """End what was started, last first; return the names of those that still ran."""
        return [name for name in reversed(tuple(self._processes)) if self.end(name)]

    def clear(self, *, keep: Sequence[str] = ()) -> None:
        """Remove what the stack wrote, and forget all facts; every process must have been ended."""
        for entry in self.folder.iterdir():
            if entry.name in {_FILE, LOCK, *keep}:
                continue
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()
        self._facts = {}
        self._write()

    def _write(self) -> None:
        record = {"processes": [asdict(process) for process in self.processes], "facts": self._facts}
        made = self.folder / f"{_FILE}.new"
        made.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
        # Facts hold the admin's token.
        made.chmod(0o600)
        made.replace(self.folder / _FILE)


def _without_aws(environment: Mapping[str, str]) -> dict[str, str]:
    """Leave out the person's own profile, keys and roles: nothing of the stack may ever reach a real account."""
    return {name: value for name, value in environment.items() if not name.startswith("AWS_")}


def _read(path: Path) -> tuple[dict[str, Process], dict[str, Any]]:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        processes = {entry["name"]: Process(**entry) for entry in record["processes"]}
        return processes, dict(record["facts"])
    except (ValueError, KeyError, TypeError) as error:
        raise LocalStackError(
            f"{path} cannot be read ({error}). If no process of that stack runs any more, remove the file."
        ) from error
