"""The Query protocol of EC2 and Auto Scaling, in both directions, read from botocore's service model.

Handlers see parameters and give answers in boto3's shape. Writers are compiled once per shape, because a page of a
thousand instances is written often.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, Protocol
from xml.sax.saxutils import escape

import botocore.session
from botocore.model import ListShape, MapShape, ServiceModel, Shape, StructureShape

from hotdesk_local.aws.errors import AwsError
from hotdesk_local.aws.model import Params

Writer = Callable[[Any, list[str]], None]
Tree = dict[str, Any]


class Renders(Protocol):
    """Writes one structure of a service's model, by the name of its shape, for use in many answers."""

    def render(self, shape: str, value: Mapping[str, Any]) -> Any:
        """Return what a handler puts into its answer."""


class AsItIs:
    """Renders nothing: answers keep boto3's shape, for those who call handlers in their own process."""

    def render(self, shape: str, value: Mapping[str, Any]) -> Any:
        """Return the structure itself."""
        del shape
        return value


class Rendered(str):
    """A structure that was written before: its XML, taken as it is."""

    __slots__ = ()


class Wire:
    """One service's protocol."""

    def __init__(self, service: str) -> None:
        self.model: ServiceModel = botocore.session.get_session().get_service_model(service)
        self._ec2 = self.model.metadata["protocol"] == "ec2"
        self._flattens = self.model.metadata["protocol"] == "rest-xml"
        self._namespace = (
            f"http://ec2.amazonaws.com/doc/{self.model.api_version}/" if self._ec2 else _namespace(self.model)
        )
        self._writers: dict[str, Writer] = {}

    def parse(self, action: str, form: Mapping[str, str]) -> Params:
        """Return the call's parameters. Raises InvalidAction for an action the service does not have."""
        if action not in self.model.operation_names:
            raise AwsError("InvalidAction", f"Could not find operation {action} for version {self.model.api_version}")
        shape = self.model.operation_model(action).input_shape
        return self._structure(shape, _tree(form)) if shape is not None else {}

    def answer(self, action: str, result: Mapping[str, Any], *, request_id: str) -> str:
        """Return the XML document of a call that went well."""
        shape = self.model.operation_model(action).output_shape
        out: list[str] = [f'<?xml version="1.0" encoding="UTF-8"?>\n<{action}Response xmlns="{self._namespace}">']
        if self._ec2:
            out.append(f"<requestId>{request_id}</requestId>")
        elif shape is not None:
            out.append(f"<{shape.serialization.get('resultWrapper', action + 'Result')}>")
        if shape is None:
            if self._ec2:
                out.append("<return>true</return>")
        else:
            self._writer(shape)(result, out)
        if not self._ec2:
            if shape is not None:
                out.append(f"</{shape.serialization.get('resultWrapper', action + 'Result')}>")
            out.append(f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>")
        out.append(f"</{action}Response>")
        return "".join(out)

    def refusal(self, error: AwsError, *, request_id: str) -> str:
        """Return the XML document of a call that was refused."""
        inner = f"<Code>{escape(error.code)}</Code><Message>{escape(error.message)}</Message>"
        if self._ec2:
            return (
                f'<?xml version="1.0" encoding="UTF-8"?>\n<Response><Errors><Error>{inner}</Error></Errors>'
                f"<RequestID>{request_id}</RequestID></Response>"
            )
        kind = "Sender" if error.status < 500 else "Receiver"  # noqa: PLR2004  # HTTP's own border
        return (
            f'<ErrorResponse xmlns="{self._namespace}"><Error><Type>{kind}</Type>{inner}</Error>'
            f"<RequestId>{request_id}</RequestId></ErrorResponse>"
        )

    def render(self, shape: str, value: Mapping[str, Any]) -> Rendered:
        """Write one structure now, to be placed into answers later."""
        out: list[str] = []
        self._writer(self.model.shape_for(shape))(value, out)
        return Rendered("".join(out))

    def _structure(self, shape: StructureShape, tree: Tree) -> Params:
        found: Params = {}
        for name, member in shape.members.items():
            key = self._request_name(name, member)
            if key in tree:
                found[name] = self._value(member, tree[key])
        return found

    def _request_name(self, name: str, member: Shape) -> str:
        if not self._ec2:
            return str(member.serialization.get("name", name))
        if "queryName" in member.serialization:
            return str(member.serialization["queryName"])
        given = str(member.serialization.get("name", name))
        return given[0].upper() + given[1:]

    def _value(self, shape: Shape, node: Any) -> Any:
        if isinstance(shape, StructureShape):
            return self._structure(shape, node if isinstance(node, dict) else {})
        if isinstance(shape, ListShape):
            return self._list(shape, node)
        if isinstance(shape, MapShape):
            return self._map(shape, node)
        return scalar(shape.type_name, node)

    def _list(self, shape: ListShape, node: Any) -> list[Any]:
        if not self._ec2 and not shape.serialization.get("flattened") and isinstance(node, dict):
            node = node.get(shape.member.serialization.get("name", "member"), {})
        if not isinstance(node, dict):
            return []
        if not all(key.isdigit() for key in node):
            raise AwsError("MalformedQueryString", "The members of a list are numbered.")
        return [self._value(shape.member, node[key]) for key in sorted(node, key=int)]

    def _map(self, shape: MapShape, node: Any) -> Params:
        entries = node.get("entry", node) if isinstance(node, dict) else {}
        key = shape.key.serialization.get("name", "key")
        value = shape.value.serialization.get("name", "value")
        return {entry[key]: self._value(shape.value, entry.get(value)) for entry in entries.values()}

    def _writer(self, shape: Shape) -> Writer:
        known = self._writers.get(shape.name)
        if known is not None:
            return known
        if isinstance(shape, StructureShape):
            return self._structure_writer(shape)
        if isinstance(shape, ListShape):
            return self._list_writer(shape)
        return _SCALAR_WRITERS.get(shape.type_name, _write_text)

    def _structure_writer(self, shape: StructureShape) -> Writer:
        parts: dict[str, tuple[str, str, Writer]] = {}

        def write(value: Any, out: list[str]) -> None:
            if type(value) is Rendered:
                out.append(value)
                return
            for name, item in value.items():
                if item is not None:
                    opening, closing, writer = parts[name]
                    out.append(opening)
                    writer(item, out)
                    out.append(closing)

        self._writers[shape.name] = write  # before its members: a shape may hold itself
        for name, member in shape.members.items():
            tag = member.serialization.get("name", name)
            if self._flattens and isinstance(member, ListShape) and member.serialization.get("flattened"):
                parts[name] = ("", "", _items(tag, self._writer(member.member)))
            else:
                parts[name] = (f"<{tag}>", f"</{tag}>", self._writer(member))
        return write

    def _list_writer(self, shape: ListShape) -> Writer:
        tag = shape.member.serialization.get("name", "member")
        self._writers[shape.name] = write = _items(tag, self._writer(shape.member))
        return write


def _items(tag: str, writer: Writer) -> Writer:
    opening, closing = f"<{tag}>", f"</{tag}>"

    def write(value: Any, out: list[str]) -> None:
        for item in value:
            out.append(opening)
            writer(item, out)
            out.append(closing)

    return write


def _namespace(model: ServiceModel) -> str:
    return str(
        model.metadata.get("xmlNamespace", f"http://{model.endpoint_prefix}.amazonaws.com/doc/{model.api_version}/")
    )


def _tree(form: Mapping[str, str]) -> Tree:
    """Return dotted keys as nested dictionaries: `Filter.1.Name` → {"Filter": {"1": {"Name": …}}}."""
    tree: Tree = {}
    for key, value in form.items():
        *path, leaf = key.split(".")
        node = tree
        for part in path:
            below = node.setdefault(part, {})
            if not isinstance(below, dict):
                raise AwsError("MalformedQueryString", f"The parameter {key} contradicts the parameter {part}.")
            node = below
        node.setdefault(leaf, value)
    return tree


def scalar(kind: str, text: Any) -> Any:
    """Return a value of the model out of its text. Raises InvalidParameterValue."""
    try:
        if kind in {"integer", "long"}:
            return int(text)
        if kind in {"double", "float"}:
            return float(text)
        if kind == "timestamp":
            return datetime.fromisoformat(text)
    except (TypeError, ValueError) as exc:
        raise AwsError("InvalidParameterValue", f"'{text}' is not a valid {kind}.") from exc
    return text == "true" if kind == "boolean" else text


def _write_text(value: Any, out: list[str]) -> None:
    text = str(value)
    out.append(escape(text) if "&" in text or "<" in text or ">" in text else text)


def _write_boolean(value: Any, out: list[str]) -> None:
    out.append("true" if value else "false")


@lru_cache(maxsize=4096)
def _written(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def _write_moment(value: Any, out: list[str]) -> None:
    out.append(_written(value))


_SCALAR_WRITERS: Mapping[str, Writer] = {"boolean": _write_boolean, "timestamp": _write_moment}
