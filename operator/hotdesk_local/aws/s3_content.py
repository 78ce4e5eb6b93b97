"""Bytes on their way into S3 and at rest there: a file each, or memory where the world has no folder."""

import base64
import hashlib
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import IO, Protocol

CHUNK = 1 << 20


class _Hash(Protocol):
    def update(self, data: bytes, /) -> None: ...
    def digest(self) -> bytes: ...


class _Crc32:
    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes, /) -> None:
        self._value = zlib.crc32(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(4, "big")


def _md5() -> _Hash:
    return hashlib.md5(usedforsecurity=False)


def _sha1() -> _Hash:
    return hashlib.sha1(usedforsecurity=False)


ALGORITHMS: Mapping[str, Callable[[], _Hash]] = {
    "CRC32": _Crc32,
    "SHA1": _sha1,
    "SHA256": hashlib.sha256,
    "SHA512": hashlib.sha512,
}
"""Checksums that are verified; others (CRC32C, CRC64NVME, …) are kept as given."""


@dataclass(slots=True, eq=False)
class Content:
    """Bytes that are complete. `held` says that an object or a part owns them."""

    size: int
    md5: bytes
    place: Path | bytes
    held: bool = False

    @property
    def etag(self) -> str:
        """Return the ETag of an object uploaded in one piece."""
        return f'"{self.md5.hex()}"'

    def chunks(self, *, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Yield bytes from `start` on."""
        left = self.size - start if length is None else length
        if isinstance(self.place, bytes):
            yield self.place[start : start + left]
            return
        with self.place.open("rb") as file:
            file.seek(start)
            while left > 0 and (chunk := file.read(min(CHUNK, left))):
                left -= len(chunk)
                yield chunk

    def checksum(self, algorithm: str) -> bytes:
        """Return a checksum of everything."""
        hasher = ALGORITHMS[algorithm]()
        for chunk in self.chunks():
            hasher.update(chunk)
        return hasher.digest()

    def erase(self) -> None:
        """Lose the bytes."""
        self.held = False
        if isinstance(self.place, Path):
            self.place.unlink(missing_ok=True)


@dataclass(slots=True)
class Incoming:
    """Bytes that still come."""

    _file: IO[bytes] | None
    _path: Path | None
    _memory: bytearray = field(default_factory=bytearray)
    _md5: _Hash = field(default_factory=_md5)
    _size: int = 0

    def feed(self, chunk: bytes) -> None:
        """Take some."""
        self._md5.update(chunk)
        self._size += len(chunk)
        if self._file is None:
            self._memory += chunk
        else:
            self._file.write(chunk)

    def done(self) -> Content:
        """Return all of it."""
        if self._file is not None:
            self._file.close()
        place = bytes(self._memory) if self._path is None else self._path
        return Content(size=self._size, md5=self._md5.digest(), place=place)

    def drop(self) -> None:
        """Forget what came of an upload that broke off."""
        if self._file is not None:
            self._file.close()
        if self._path is not None:
            self._path.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class Vault:
    """Where the bytes are: files below `folder`, or memory without one."""

    folder: Path | None
    _numbers: "count[int]" = field(default_factory=lambda: count(1))

    def receive(self) -> Incoming:
        """Begin to take bytes."""
        if self.folder is None:
            return Incoming(None, None)
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{next(self._numbers):08d}"
        return Incoming(path.open("wb"), path)

    def take(self, chunks: Iterator[bytes]) -> Content:
        """Take all of these."""
        incoming = self.receive()
        for chunk in chunks:
            incoming.feed(chunk)
        return incoming.done()


def written(digest: bytes) -> str:
    """Return a checksum as headers write it."""
    return base64.b64encode(digest).decode()
