"""Programs that outlive the command that started them, and are ended only if they are still themselves."""

import os
import select
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

# Where the fields "state" and "start time" stand in /proc/PID/stat, counted after the name: proc(5), fields 3 and 22.
_STATE_FIELD = 0
_START_FIELD = 19


@dataclass(frozen=True)
class Process:
    """One started program. `identity` tells it from a stranger that has its pid later."""

    name: str
    pid: int
    identity: str

    @property
    def running(self) -> bool:
        """Whether this very process is alive."""
        _reap(self.pid)
        # One that ended before it could be looked at has no identity, and nor has anything that is gone.
        return bool(self.identity) and _identity(self.pid) == self.identity

    def end(self, *, grace: float = 20.0) -> bool:
        """Ask it to go; after `grace` seconds end it with all it started. Return whether it went by itself.

        Gone already is success.
        """
        self._signal_and_wait(signal.SIGTERM, timeout=grace)
        went = not self.running
        self.kill()
        return went

    def kill(self) -> None:
        """End it with its process group at once, as a crash would, and wait until it is gone."""
        self._signal_and_wait(signal.SIGKILL, timeout=None)

    def _signal_and_wait(self, number: signal.Signals, *, timeout: float | None) -> None:
        try:
            handle = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return
        try:
            # Compared after the handle was opened: from here on it means this process, whatever becomes of the pid.
            if not self.running:
                return
            if number == signal.SIGKILL:
                os.killpg(self.pid, number)
            else:
                signal.pidfd_send_signal(handle, number)
            select.select([handle], [], [], timeout)
        finally:
            os.close(handle)
            _reap(self.pid)


def start_process(
    *, name: str, command: Sequence[str | Path], environment: Mapping[str, str], log: Path, output: Path | None = None
) -> Process:
    """Start a program in a session of its own, its words appended to `log`, or its standard output put in `output`."""
    log.parent.mkdir(parents=True, exist_ok=True)
    append = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    replace = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    standard_output = (str(output), replace) if output else (str(log), append)
    pid = os.posix_spawnp(
        str(command[0]),
        [str(part) for part in command],
        dict(environment),
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, *standard_output, 0o644),
            (os.POSIX_SPAWN_OPEN, 2, str(log), append, 0o644),
        ],
        # Its own session: Ctrl-C in the terminal ends the command, not the stack.
        setsid=True,
        setsigdef=[signal.SIGINT, signal.SIGPIPE],
    )
    return Process(name=name, pid=pid, identity=_identity(pid))


def _identity(pid: int) -> str:
    """Return what no other process with this pid has, also after a reboot; nothing for one that is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    # The name, in parentheses, may itself hold blanks and parentheses.
    fields = stat.rpartition(")")[2].split()
    if fields[_STATE_FIELD] in "ZX":
        return ""
    return f"{boot}/{fields[_START_FIELD]}"


def _reap(pid: int) -> None:
    """Let go of a dead child; a process that another command started is not ours to wait for."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return
