"""Objects made from a CRD's own schema: such as it allows, such as it nearly allows, and wild ones."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from fuzz.matching_texts import matching_texts

Schema = dict[str, Any]

CRDS = Path(__file__).parents[2] / "crds"
_POSITIVE = re.compile(r"^(?:self\.size\(\) > 0 && |isURL\(self\) && )?self(?:\.upperAscii\(\))?\.matches\('(.*)'\)$")
_ODD_TEXTS = (
    *(
        "",
        " ",
        "\n",
        "a\n",
        "-",
        ".",
        "..",
        "../x",
        "a/b",
        "A",
        "a" * 64,
        "a" * 400,
        "ä",
        "🦉",
        "\x00",
        "\x7f",
        "\u2028",
    ),
    *("null", "true", "0", "{owner}", "{", "{privateIP.__class__}", "%2e%2e", "$(id)", "<b>", "'; --", "Never", "1d"),
    *("0s", "00h", "99999h9999999m999999999s", "1.5h", "-1s", "5 m", "http://", "http://[", "i-0c4d0c4d0c4d0c4d0"),
    *("2026-02-30T00:00:00Z", "2026-01-01T00:00:00", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59-23:59"),
    *("2026-01-01T00:00:60Z", "2026-01-01t00:00:00z", "2026-01-01T00:00:00+99:99", "2026-01-01T00:00:00Z and more"),
    *(
        "2026-01-01T00:00:00.123456789Z",
        "2026-01-01T00:00:00x5Z",
        "2026-01-01T00:00:00,5Z",
        "2026-01-01T00:00:00ZTZ",
        "2026-01-01",
    ),
    *("Local", "Europe", "America/../UTC", "posixrules", "EST5EDT", "+05:00", "* * * * *", "5-1 * * * *", "0 0 30 2 *"),
)
_TIMES = (
    *("2026-01-02T03:04:05Z", "2026-01-02T03:04:05.678901Z", "1970-01-01T00:00:00Z", "2999-12-31T23:59:59Z"),
    *("2024-02-29T23:59:59.1+14:00", "2026-06-01T00:00:00-09:30"),
)
_ZONES = ("UTC", "Europe/Berlin", "America/Argentina/Ushuaia", "Etc/GMT+5", "Asia/Kathmandu", "US/Pacific")
_URLS = ("http://127.0.0.1:8080/", "https://a.example:1/c", "http://{privateIP}/{owner}/?a={project}#{slot}")
_DURATIONS = ("0s", "1s", "45s", "10m", "1h30m", "90m", "26h", "99999h", "9999999m", "999999999s", "00001h00m")

_GOOD: dict[int, tuple[Schema, SearchStrategy[Any]]] = {}

WILD: SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**63), 2**63 - 1),
        st.sampled_from([2**63, 10**30, 1.0, 2.5, -1, 0, 1e300]),
        st.sampled_from(_ODD_TEXTS),
        st.text(max_size=20),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=5,
)


def schema_of(kind: str) -> Schema:
    """Return the schema of a kind as `crds/` has it."""
    for path in CRDS.glob("*.yaml"):
        found: Schema = yaml.safe_load(path.read_text(encoding="utf-8"))
        if found["kind"] == "CustomResourceDefinition" and found["spec"]["names"]["kind"] == kind:
            (version,) = found["spec"]["versions"]
            schema: Schema = version["schema"]["openAPIV3Schema"]
            return schema
    raise LookupError(f"no CRD of {kind}")


def good(schema: Schema) -> SearchStrategy[Any]:
    """Return values that the schema allows, apart from rules that tie fields to each other."""
    known = _GOOD.get(id(schema))
    if known is None:
        known = _GOOD[id(schema)] = (schema, _good(schema))  # keeps the schema, and so its id
    return known[1]


def _good(schema: Schema) -> SearchStrategy[Any]:
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    match schema.get("type"):
        case "object" if "additionalProperties" in schema:
            values = good(schema["additionalProperties"])
            return st.dictionaries(st.sampled_from(["team", "a.b/c", "x"]), values, max_size=3)
        case "object":
            fields = {name: good(field) for name, field in schema.get("properties", {}).items()}
            required = {name: fields.pop(name) for name in schema.get("required", ())}
            return st.fixed_dictionaries(required, optional=fields)
        case "array":
            return _list(schema)
        case "integer":
            lowest, highest = schema.get("minimum", -1), schema.get("maximum", 2**53)
            return st.one_of(st.integers(lowest, highest), st.sampled_from([lowest, highest, min(highest, lowest + 1)]))
        case "boolean":
            return st.booleans()
        case "string":
            return _text(schema)
        case other:
            raise NotImplementedError(f"no values of type {other!r}")


def _list(schema: Schema) -> SearchStrategy[Any]:
    keys = schema.get("x-kubernetes-list-map-keys", ())
    return st.lists(
        good(schema["items"]),
        min_size=schema.get("minItems", 0),
        max_size=min(3, schema.get("maxItems", 3)),
        unique_by=(lambda item: tuple(item[key] for key in keys)) if keys else None,
    )


def _text(schema: Schema) -> SearchStrategy[str]:
    if known := texts(schema):
        return st.sampled_from(known)
    shortest, longest = schema.get("minLength", 0), schema.get("maxLength", 64)
    readable = st.characters(categories=["L", "N", "P", "S", "Zs"])
    drawn = st.text(readable, min_size=shortest, max_size=min(longest, shortest + 20))
    return st.one_of(drawn, st.sampled_from([edge * "x" for edge in {shortest, longest}]))


def texts(schema: Schema) -> Sequence[str]:
    """Return texts that the schema's own rules allow; none where it has no rule."""
    if schema.get("format") == "date-time":
        return _TIMES
    rules = [rule["rule"] for rule in schema.get("x-kubernetes-validations", ())]
    if any("getHours" in rule for rule in rules):
        return _ZONES
    if any("[0-9]{1,9}s" in rule for rule in rules):
        return _DURATIONS[1:] if any("[1-9]" in rule for rule in rules[1:]) else _DURATIONS
    patterns = [schema["pattern"]] if "pattern" in schema else []
    patterns += [found[1] for rule in rules if (found := _POSITIVE.match(rule))]
    if not patterns:
        return ()
    if "^https?://" in patterns:
        return _URLS
    found = matching_texts(max(patterns, key=len).replace("\\\\", "\\"))
    lengths = range(schema.get("minLength", 0), schema.get("maxLength", 64) + 1)
    return [text for text in found if len(text) in lengths]


def full(schema: Schema) -> Any:
    """Return a value with every field that the schema knows."""
    match schema.get("type"):
        case "object" if "additionalProperties" in schema:
            return {"team": full(schema["additionalProperties"])}
        case "object":
            return {name: full(field) for name, field in schema.get("properties", {}).items()}
        case "array":
            return [full(schema["items"])]
        case "integer":
            return max(1, schema.get("minimum", 1))
        case "boolean":
            return False
        case _:
            return schema["enum"][0] if "enum" in schema else next(iter(texts(schema)), "x")


def each_field_odd(value: Any, schema: Schema) -> Iterator[Any]:
    """Yield the value with each odd thing in each of its fields in turn."""
    if isinstance(value, dict) and "properties" in schema:
        for name, field in schema["properties"].items():
            for odd in each_field_odd(value[name], field) if name in value else ():
                yield {**value, name: odd}
    elif isinstance(value, dict):
        yield from ({key: "x"} for key in ("", "a" * 400, "🦉"))
    elif isinstance(value, list) and value:
        for odd in each_field_odd(value[0], schema["items"]):
            yield [odd, *value[1:]]
    is_plain = schema.get("type") == "string" and not schema.keys() & {"format", "pattern", "x-kubernetes-validations"}
    yield from (None, [], {}, "", 0, 1.0, 2.5, -1, 2**63, True, "x" * 70)
    yield from _ODD_TEXTS[:12] if is_plain else _ODD_TEXTS if schema.get("type") == "string" else ()


@st.composite
def nearly_good(draw: DrawFn, schema: Schema) -> Any:
    """Return what `good` returns, bent in one or two places."""
    value = draw(good(schema))
    for _ in range(draw(st.integers(1, 2))):
        value = _bent(draw, value, schema)
    return value


def _bent(draw: DrawFn, value: Any, schema: Schema) -> Any:
    """Go down the value at random and replace, remove or add something there."""
    fields: Schema = schema.get("properties", {})
    if isinstance(value, dict) and fields and draw(st.integers(0, 7)):
        name = draw(st.sampled_from(sorted(fields)))
        if name in value:
            return {**value, name: _bent(draw, value[name], fields[name])}
        return {**value, name: draw(good(fields[name]))}
    if isinstance(value, list) and value and "items" in schema and draw(st.booleans()):
        return [_bent(draw, value[0], schema["items"]), *value[1:]]
    change = draw(st.sampled_from([_wild, _wild, _odd_text, _more, _less]))
    return change(draw, value)


def _wild(draw: DrawFn, _value: Any) -> Any:
    return draw(WILD)


def _odd_text(draw: DrawFn, _value: Any) -> Any:
    return draw(st.sampled_from(_ODD_TEXTS))


def _more(draw: DrawFn, value: Any) -> Any:
    match value:
        case dict():
            return {**value, draw(st.sampled_from(["", "somethingNew", "🦉", "a" * 400])): draw(WILD)}
        case list():
            return [*value, *value]
        case str():
            return value + draw(st.sampled_from(_ODD_TEXTS))
        case int():
            return value + draw(st.sampled_from([1, -1, 0.5, 2**40]))
        case _:
            return None


def _less(draw: DrawFn, value: Any) -> Any:
    match value:
        case dict() if value:
            gone = draw(st.sampled_from(sorted(value)))
            return {name: kept for name, kept in value.items() if name != gone}
        case list() | str():
            return value[:-1]
        case _:
            return None


def anything(schema: Schema) -> SearchStrategy[Any]:
    """Return good, nearly good and wild values of a schema."""
    return st.integers(0, 9).flatmap(lambda n: good(schema) if n < 6 else nearly_good(schema) if n < 9 else WILD)
