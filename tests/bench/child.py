"""The load and the floor as processes of their own: one line of JSON in, ready, go, one line of JSON out."""

import json
import subprocess
import sys
from dataclasses import asdict
from typing import Any, Self

from bench.wire import Access


class Child:
    """A process `python -m bench.NAME` that says "ready", starts at "go", and answers once when it has ended."""

    def __init__(self, module: str, access: Access, **config: Any) -> None:
        self._module = module
        self._process = subprocess.Popen(
            [sys.executable, "-m", f"bench.{module}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._say({"access": asdict(access), **config})
        self._expect()

    def go(self) -> None:
        """Let it begin."""
        self._say("go")

    def result(self) -> Any:
        """Wait for its answer. Closing its input first is what ends a child that would go on for ever."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        answer = self._expect()
        self._process.wait()
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None and not pipe.closed:
                pipe.close()

    def _say(self, words: Any) -> None:
        if self._process.stdin is not None:
            self._process.stdin.write(json.dumps(words) + "\n")
            self._process.stdin.flush()

    def _expect(self) -> Any:
        line = self._process.stdout.readline() if self._process.stdout is not None else ""
        if not line:
            raise RuntimeError(f"bench.{self._module} ended without an answer (exit code {self._process.wait()})")
        return json.loads(line)


def read_config() -> Any:
    """In the child: return what it was told."""
    return json.loads(sys.stdin.readline())


def answer(words: Any) -> None:
    """In the child: say something."""
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()
