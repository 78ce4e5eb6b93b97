"""A web page as a person reads it: without its scripts and tags."""

import http.client
from dataclasses import dataclass
from html.parser import HTMLParser
from urllib.parse import urlsplit

from hotdesk_local.errors import LocalStackError

_TIMEOUT = 10.0
_UNREAD = frozenset({"script", "style", "title"})
_PARAGRAPHS = frozenset({"h1", "h2", "p", "li"})
_LINES = 2  # enough to see whose page it is


@dataclass(frozen=True)
class Page:
    """What a GET was answered with."""

    status: int
    reason: str
    beginning: tuple[str, ...]
    """The first lines of its text."""


def fetch_page(url: str) -> Page:
    """GET a page; raise LocalStackError if nothing answers there."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=_TIMEOUT)
    try:
        connection.request("GET", f"{parts.path or '/'}?{parts.query}")
        answer = connection.getresponse()
        text = answer.read().decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        raise LocalStackError(f"{url} does not answer: {error}") from error
    finally:
        connection.close()
    reader = _Reader()
    reader.feed(text)
    return Page(status=answer.status, reason=answer.reason, beginning=reader.lines()[:_LINES])


class _Reader(HTMLParser):
    """Collects the text of a page, one line a paragraph."""

    def __init__(self) -> None:
        super().__init__()
        self._inside: str = ""
        self._text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002  # the parser's
        self._inside = tag
        if tag in _PARAGRAPHS:
            self._text.append("\n")

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002  # the parser's
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside not in _UNREAD:
            self._text.append(data.replace("\n", " "))

    def lines(self) -> tuple[str, ...]:
        """Return what is not blank."""
        lines = (line.strip() for line in "".join(self._text).split("\n"))
        return tuple(line for line in lines if line)
