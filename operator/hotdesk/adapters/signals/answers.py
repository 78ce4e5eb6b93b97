"""One question over HTTP to a program that anybody may have written: bounded in time, in bytes and in trust."""

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final

import aiohttp
import orjson
from yarl import URL

_BYTES: Final = 256 * 1024  # a Jupyter server with a thousand kernels answers with as much


class NoAnswer(Exception):  # noqa: N818  # names the fact
    """Nothing usable came, and why; never with words of the stranger's, which end up in a status."""


@dataclass(frozen=True, slots=True)
class Answer:
    """JSON, and the program's own clock when it answered, if it told (the header Date, in whole seconds)."""

    json: object
    date: datetime | None


@dataclass(frozen=True, slots=True)
class Asker:
    """Asks one port of one machine, each time over a connection of its own: code-server counts open ones as use."""

    session: aiohttp.ClientSession
    ip: str
    port: int

    async def get(self, path: str, *, token: str | None = None) -> Answer:
        """Return the answer.

        Raises:
            NoAnswer: it is not JSON with status 200, or too long. Whatever aiohttp raises comes through.

        """
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        if token is not None:
            if not (token.isascii() and token.isprintable()):
                raise NoAnswer("its token holds characters that no header may")
            headers["Authorization"] = f"token {token}"
        async with self.session.get(self._url(path), allow_redirects=False, headers=headers) as answer:
            if answer.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
                raise Refused(f"HTTP {answer.status}")
            if answer.status != HTTPStatus.OK:
                raise NoAnswer(f"HTTP {answer.status}")
            return Answer(json=await _json(answer.content), date=_date(answer.headers.get("Date")))

    def _url(self, path: str) -> URL:
        host = f"[{self.ip}]" if ":" in self.ip else self.ip
        return URL(f"http://{host}:{self.port}{path}", encoded=True)


class Refused(NoAnswer):
    """The program wants a token, or another one."""


async def _json(content: aiohttp.StreamReader) -> object:
    body = bytearray()
    async for chunk in content.iter_any():
        body += chunk
        if len(body) > _BYTES:
            raise NoAnswer(f"more than {_BYTES} bytes")
    try:
        parsed: object = orjson.loads(body)
    except ValueError:
        raise NoAnswer("no JSON") from None
    return parsed


def _date(text: str | None) -> datetime | None:
    try:
        date = parsedate_to_datetime(text) if text is not None else None
    except (ValueError, IndexError, OverflowError):
        return None
    return date.replace(tzinfo=UTC) if date is not None and date.tzinfo is None else date
