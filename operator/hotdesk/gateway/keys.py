"""The keys of heartbeat tokens, read again whenever their file changes."""

import asyncio
import logging
from pathlib import Path
from typing import Final

from hotdesk.core.heartbeats.tokens import BadKeys, parse_keys

log = logging.getLogger(__name__)

_LOOK: Final = 2.0  # seconds; the kubelet itself takes up to a minute or two


class KeyFile:
    """The keys as the file had them when it was last good."""

    def __init__(self, path: Path) -> None:
        """Read the file.

        Raises:
            BadKeys: it cannot be read, or holds no usable keys.

        """
        self._path = path
        self._seen = self._stamp()
        self.keys = read_key_file(self._path)

    async def run(self) -> None:
        """Look for a change every few seconds, for ever."""
        while True:
            await asyncio.sleep(_LOOK)
            self.refresh()

    def refresh(self) -> None:
        """Take in a change; keys that cannot be used change nothing, and are complained about once."""
        stamp = self._stamp()
        if stamp == self._seen:
            return
        self._seen = stamp
        try:
            self.keys = read_key_file(self._path)
        except BadKeys as error:
            log.error("the heartbeat keys have changed and cannot be used; the old ones stay: %s", error)  # noqa: TRY400  # the sentence says it all
        else:
            log.info("heartbeat keys read again", extra={"count": len(self.keys)})

    def _stamp(self) -> tuple[int, int, int] | None:
        """Return what changes with the file, also where the kubelet exchanges a link on its path."""
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino, found.st_size


def read_key_file(path: Path) -> tuple[bytes, ...]:
    """Read keys from a file.

    Raises:
        BadKeys: there are none that can be used.

    """
    try:
        return parse_keys(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise BadKeys(f"{path} cannot be read: {type(error).__name__}") from None
