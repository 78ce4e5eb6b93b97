"""Wait for a program to answer, or say why it does not."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from hotdesk_local.errors import LocalStackError
from hotdesk_local.processes import Process

_Answer = TypeVar("_Answer")
_PAUSE = 0.05  # seconds between two looks: short beside any start, long enough to cost nothing
_TAIL = 15  # lines of a log that usually hold the reason


def wait_for_answer(
    ask: Callable[[], _Answer | None], *, process: Process, log: Path, what: str, within: float
) -> _Answer:
    """Return the first answer that is not None; raise once the process is gone or `within` seconds are over."""
    deadline = time.monotonic() + within
    while True:
        answer = ask()
        if answer is not None:
            return answer
        if not process.running:
            raise LocalStackError(f"{process.name} ended before {what}.\n{_tail(log)}")
        if time.monotonic() > deadline:
            raise LocalStackError(f"{process.name} runs, but not yet {what} after {within:.0f} s.\n{_tail(log)}")
        time.sleep(_PAUSE)


def _tail(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-_TAIL:] if log.is_file() else []
    return "\n".join([f"The end of {log}:", *lines])
