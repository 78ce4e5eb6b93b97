"""Which machines EC2 has ceased to show, and for how long."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

# EC2 may not know an instance for moments after its launch, and forgets a terminated one after about an hour.
_LOOKS = 3
_LASTING = 300.0  # seconds


@dataclass(slots=True)
class _Absence:
    since: float  # seconds of the monotonic clock
    looks: int = 1


@dataclass(slots=True)
class Absences:
    """The machines with a record that looks have missed, one look after the other."""

    _missed: dict[str, _Absence] = field(default_factory=dict)

    def __iter__(self) -> Iterator[str]:
        return iter(self._missed)

    def __contains__(self, name: object) -> bool:
        return name in self._missed

    def miss(self, name: str, *, at: float, has_record: bool) -> None:
        """Take in that a look which began at this moment did not show a machine that it should have shown."""
        absence = self._missed.get(name)
        if absence is not None:
            absence.looks += 1
        elif has_record:
            self._missed[name] = _Absence(since=at)

    def end(self, names: Iterable[str]) -> None:
        """Take in that machines were seen, or are nobody's concern any more."""
        for name in names:
            self._missed.pop(name, None)

    def clear(self) -> None:
        """Forget all of them."""
        self._missed.clear()

    def is_lasting(self, name: str, *, at: float) -> bool:
        """Tell whether a machine has been missed so often, and until `at` for so long, that it is gone."""
        absence = self._missed.get(name)
        return absence is not None and absence.looks >= _LOOKS and at - absence.since >= _LASTING
