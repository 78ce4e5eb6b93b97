"""What a long step tells the person who waits: one line, its seconds growing while it works."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

# Off a terminal (a log, CI) a line cannot be rewritten, so a long step reports now and then instead.
_LOG_INTERVAL = 20.0
_TERMINAL_INTERVAL = 0.2


class Progress:
    """Writes steps to a stream; on a terminal the line of the running step is rewritten in place."""

    def __init__(self, *, stream: TextIO | None = None) -> None:
        """Write to the given stream, by default to what `sys.stderr` is when a line is written."""
        self._stream = stream

    @contextmanager
    def step(self, title: str) -> Iterator["Step"]:
        """Show one step from its beginning to its end, or to its failure."""
        running = Step(title=title, stream=self._stream or sys.stderr)
        running.show()
        try:
            yield running
        except BaseException:
            running.finish(outcome="failed")
            raise
        running.finish(outcome="done")


class Step:
    """One line of progress: title, detail, seconds since it began."""

    def __init__(self, *, title: str, stream: TextIO) -> None:
        self._title = title
        self._stream = stream
        self._terminal = stream.isatty()
        self._interval = _TERMINAL_INTERVAL if self._terminal else _LOG_INTERVAL
        self._began = time.monotonic()
        self._shown = float("-inf")
        self.detail = ""

    def update(self, detail: str | None = None) -> None:
        """Note what is known now; the line is written again when the last one has become old."""
        if detail is not None:
            self.detail = detail
        if time.monotonic() - self._shown >= self._interval:
            self.show()

    def show(self) -> None:
        """Write the line now."""
        self._shown = time.monotonic()
        self._write(ending="" if self._terminal else "\n")

    def finish(self, *, outcome: str) -> None:
        """Write the line for the last time."""
        self.detail = f"{outcome}, {self.detail}" if self.detail else outcome
        self._write(ending="\n")

    def _write(self, *, ending: str) -> None:
        seconds = int(time.monotonic() - self._began)
        detail = f": {self.detail}" if self.detail else ""
        start, clear = ("\r", "\x1b[K") if self._terminal else ("", "")
        self._stream.write(f"{start}{self._title}{detail} ({seconds} s){clear}{ending}")
        self._stream.flush()
