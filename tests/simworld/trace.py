"""What happened in a world, in order, told for people: put into words only when somebody asks."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from simworld.timeline import Timeline

Words = str | Callable[[], str]
_ZEROS = re.compile(r"\bi-0+")


@dataclass(slots=True)
class Trace:
    """Lines with the moment and who did it."""

    timeline: Timeline
    lines: list[tuple[float, str, Words]] = field(default_factory=list)

    def add(self, who: str, what: Words) -> None:
        """Note one thing."""
        self.lines.append((self.timeline.now, who, what))

    def told(self, *, last: int | None = None) -> str:
        """Return the story, the last so many lines of it if wanted."""
        lines = self.lines if last is None else self.lines[-last:]
        skipped = [f"… {len(self.lines) - len(lines)} lines before"] if len(lines) < len(self.lines) else []
        return "\n".join([*skipped, *(_line(*line) for line in lines)])


def _line(at: float, who: str, what: Words) -> str:
    minutes, seconds = divmod(at, 60)
    hours, minutes = divmod(int(minutes), 60)
    words = _ZEROS.sub("i-", what if isinstance(what, str) else what())
    return f"{hours}:{minutes:02d}:{seconds:06.3f} {who:<8} {words}"
