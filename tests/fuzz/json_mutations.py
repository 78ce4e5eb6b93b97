"""JSON documents bent in one or two places, and what comes in place of JSON."""

from typing import Any

import orjson
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from fuzz.schema_values import WILD

_PAGES = (
    *(b"", b" ", b"OK", b"null", b"[]", b"{}", b'""', b"0", b"\xff\xfe", b"404 page not found\n", b"[" * 5000),
    *(b"<html><body>502 Bad Gateway</body></html>", b'{"items":[]}', b'{"metadata":{}}', b'{"items":{},"metadata":{}}'),
    *(b'{"kind":"Status","status":"Failure","message":null,"details":[],"code":"x"}', b'{"kind":"Status"}'),
    *(b'{"items":"ab","metadata":{}}', b'{"items":0,"metadata":{}}', b'{"items":[null,[]],"metadata":{"continue":{}}}'),
)


@st.composite
def bent(draw: DrawFn, document: Any) -> Any:
    """Return the document with something in it replaced, removed, or added."""
    for _ in range(draw(st.integers(1, 2))):
        document = _bent(draw, document)
    return document


def _bent(draw: DrawFn, value: Any) -> Any:
    if isinstance(value, dict) and value and draw(st.integers(0, 9)):
        key = draw(st.sampled_from(sorted(value)))
        if draw(st.integers(0, 4)):
            return {**value, key: _bent(draw, value[key])}
        return {name: kept for name, kept in value.items() if name != key}
    if isinstance(value, list) and value and draw(st.integers(0, 4)):
        return [_bent(draw, value[0]), *value[1:]]
    return draw(WILD)


@st.composite
def written(draw: DrawFn, document: Any) -> bytes:
    """Return the bytes of the document, of a bent one, of a cut one, or of something else."""
    match draw(st.integers(0, 9)):
        case 0:
            return draw(st.sampled_from(_PAGES))
        case 1:
            whole = orjson.dumps(document)
            return whole[: draw(st.integers(0, len(whole)))]
        case 2:
            return orjson.dumps(document)
        case _:
            return _dumped(draw(bent(document)))


def _dumped(document: Any) -> bytes:
    try:
        return orjson.dumps(document)
    except TypeError:  # a number beyond 64 bits
        return b"{}"
