"""A set that remembers in which order its names came, so that what is planned from it is told by the facts alone."""

from collections.abc import Iterable, Iterator, MutableSet
from collections.abc import Set as AbstractSet


class Names(MutableSet[str]):
    """Names or UIDs, first come first: Python's own sets have another order in each process."""

    __slots__ = ("_names",)

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._names = dict.fromkeys(names)

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __and__(self, others: AbstractSet[object]) -> "Names":  # Set has its own ask each of the others
        return Names(name for name in self._names if name in others)

    def add(self, value: str) -> None:
        """Put a name last, unless it is there."""
        self._names[value] = None

    def discard(self, value: str) -> None:
        """Take a name out, if it is there."""
        self._names.pop(value, None)
