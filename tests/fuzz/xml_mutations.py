"""Documents bent in one to three places, and what comes in place of a document."""

import copy
from collections.abc import Callable, Iterator
from xml.etree import ElementTree as ET

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

ODD_TEXTS = (
    *("", " ", "\n", "true", "TRUE", " true ", "false", "0", "-1", "1_0", "٣", "3.5", "99999999999999999999", "NaN"),
    *("running", "Running", "terminated", "shutting-down", "hibernating", "InService", "Terminating:Wait", "Healthy"),
    *("2026-05-09T07:29:33", "2026-05-09", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "1778311773"),
    *("2026-02-30T00:00:00Z", "20260509T072933Z", "now", "\u202egnp.exe", "\x85", "x" * 70_000, "null", "i-1", "🦉"),
)
_PAGES = (
    *(b"", b" ", b"OK", b"null", b"{}", b'{"__type":"ThrottlingException"}', b"\x00", b"\xff\xfe<\x00a\x00/\x00>\x00"),
    *(
        b"<html><body>502 Bad Gateway</body></html>",
        b"<!DOCTYPE html><html><p>login<br></html>",
        b"<a/>",
        b"<a><b></a>",
    ),
    *(b"<html/>", b"<Response/>", b"<ErrorResponse/>", b"<Response><Errors>x</Errors></Response>"),
    *(b"<Response><Errors/></Response>", b"<ErrorResponse><Error/></ErrorResponse>", b"<a/>trailing"),
    b"<ErrorResponse><Error><Code/><Message/></Error></ErrorResponse>",
    b"<ErrorResponse><Error><Code>A</Code><Code>B</Code></Error><Error/></ErrorResponse>",
    b'<!DOCTYPE a [<!ENTITY x "y"><!ENTITY z "&x;&x;&x;">]><a>&z;</a>',
    b'<?xml version="1.0" encoding="KOI8-Q"?><a/>',
    b'<?xml version="1.0" encoding="shift_jis"?><a>\x82\xa0</a>',
)
Change = Callable[[DrawFn, ET.Element, ET.Element], None]  # the root and an element of it


def _drop(_draw: DrawFn, root: ET.Element, element: ET.Element) -> None:
    parent = next((above for above in root.iter() if element in list(above)), None)
    if parent is not None:
        parent.remove(element)


def _duplicate(draw: DrawFn, root: ET.Element, element: ET.Element) -> None:
    parent = next((above for above in root.iter() if element in list(above)), None)
    if parent is not None:
        for _ in range(draw(st.sampled_from([1, 1, 30]))):
            parent.append(copy.deepcopy(element))


def _say_odd_things(draw: DrawFn, _root: ET.Element, element: ET.Element) -> None:
    element.text = draw(st.sampled_from(ODD_TEXTS))


def _rename(draw: DrawFn, _root: ET.Element, element: ET.Element) -> None:
    element.tag = draw(st.sampled_from(["item", "member", "name", "instanceId", "somethingNew"]))


def _add(draw: DrawFn, _root: ET.Element, element: ET.Element) -> None:
    added = ET.Element(draw(st.sampled_from(["item", "member", "somethingNew", "nextToken", "Status", "NextToken"])))
    added.text = draw(st.sampled_from(ODD_TEXTS))
    added.tail = "tail"
    element.insert(draw(st.integers(0, len(element))), added)


def _empty(_draw: DrawFn, _root: ET.Element, element: ET.Element) -> None:
    element.clear()


def _reverse(_draw: DrawFn, _root: ET.Element, element: ET.Element) -> None:
    element[:] = reversed(list(element))


LOSSES: tuple[Change, ...] = (_drop, _empty)
CHANGES: tuple[Change, ...] = (*LOSSES, _duplicate, _say_odd_things, _rename, _add, _reverse)
SINGLE: tuple[Change, ...] = (*LOSSES, _say_odd_things, _rename, _add, _reverse)


@st.composite
def bent(draw: DrawFn, text: str, *, changes: tuple[Change, ...] = CHANGES, most: int = 3) -> bytes:
    """Return the document changed in up to `most` places; still well-formed."""
    root = ET.fromstring(text.replace("xmlns=", "prefix="))  # noqa: S314  # our own text
    if "prefix" in root.attrib:  # written back as it came, and not as a prefix of every element
        root.set("xmlns", root.attrib.pop("prefix"))
    for _ in range(draw(st.integers(1, most))):
        elements = list(root.iter())
        element = elements[draw(st.integers(0, len(elements) - 1))]
        draw(st.sampled_from(changes))(draw, root, element)
    encoding = draw(st.sampled_from(["utf-8", "utf-8", "utf-8", "utf-16", "us-ascii", "iso-8859-1"]))
    written: bytes = ET.tostring(root, encoding=encoding)
    return written


def each_field_odd(text: str) -> Iterator[bytes]:
    """Yield the document with each odd text in each of its elements in turn, and once in each encoding."""
    root = ET.fromstring(text.replace("xmlns=", "prefix="))  # noqa: S314  # our own text
    for encoding in ("utf-16", "us-ascii", "iso-8859-1"):
        yield ET.tostring(root, encoding=encoding)
    for element in root.iter():
        before = element.text
        for odd in ODD_TEXTS:
            element.text = odd
            yield ET.tostring(root)
        element.text = before


@st.composite
def broken(draw: DrawFn, text: str) -> bytes:
    """Return the document cut off, with bytes exchanged, or something else in its place."""
    body = bytearray(text.encode())
    match draw(st.sampled_from(["cut", "byte", "page", "noise", "twice"])):
        case "cut":
            return bytes(body[: draw(st.integers(0, len(body)))])
        case "byte":
            body[draw(st.integers(0, len(body) - 1))] = draw(st.integers(0, 255))
            return bytes(body)
        case "page":
            return draw(st.sampled_from(_PAGES))
        case "twice":
            return bytes(body) * 2
        case _:
            return draw(st.binary(max_size=200))


def anything(text: str) -> SearchStrategy[bytes]:
    """Return what may come in place of a document: mostly the document, bent."""
    return st.one_of(bent(text), bent(text), bent(text), broken(text))
