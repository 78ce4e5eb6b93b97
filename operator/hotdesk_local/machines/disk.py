"""A machine's disk: a directory that no path from outside may leave."""

from dataclasses import dataclass
from pathlib import Path


class OutsideDiskError(ValueError):
    """The path does not name a file on this disk."""


@dataclass(frozen=True, slots=True)
class Disk:
    """One machine's files below `root`."""

    root: Path

    def files(self) -> list[str]:
        """Return every file's path relative to the disk, sorted. Symbolic links are not followed."""
        if not self.root.is_dir():
            return []
        found = [path for path in self.root.rglob("*") if path.is_file() and not path.is_symlink()]
        return sorted(str(path.relative_to(self.root)) for path in found)

    def read(self, name: str) -> bytes:
        """Return a file's bytes. Raises FileNotFoundError, or OutsideDiskError."""
        path = self._inside(name)
        if not path.is_file():
            raise FileNotFoundError(name)
        return path.read_bytes()

    def write(self, name: str, content: bytes) -> None:
        """Store a file whole: a reader sees the old bytes or the new. Raises OutsideDiskError."""
        path = self._inside(name)
        if path.is_dir():
            raise OutsideDiskError(f"{name} is a folder: name a file in it.")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            beside = path.with_name(f".{path.name}.part")
            beside.write_bytes(content)
        except OSError as exc:
            raise OutsideDiskError(f"{name} cannot be a file: {exc.strerror}.") from exc
        beside.replace(path)

    def _inside(self, name: str) -> Path:
        if not name or "\0" in name:
            raise OutsideDiskError("A file needs a name.")
        path = (self.root / name).resolve()
        if not path.is_relative_to(self.root.resolve()) or path == self.root.resolve():
            raise OutsideDiskError(f"{name} is not on this machine's disk.")
        return path
