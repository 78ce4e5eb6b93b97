"""The simulated AWS as the bench sees it: its knobs, its log of calls, and the end of used machines."""

import http.client
import json
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

_OK = frozenset({http.HTTPStatus.OK})
_OK_OR_GONE = _OK | {http.HTTPStatus.NOT_FOUND}


@dataclass(frozen=True)
class Call:
    """One call to AWS. `time` is the wall clock's."""

    time: float
    action: str
    named: frozenset[str]
    """Every string among its parameters: the instance ids it is about are in there."""
    error: str | None

    @property
    def changes(self) -> bool:
        """Whether it is more than a look."""
        return not self.action.startswith("Describe")


class Cloud:
    """The control API of the simulated AWS."""

    def __init__(self, endpoint: str) -> None:
        self._address = urlsplit(endpoint).netloc

    def configure(self, **config: Any) -> None:
        """Turn knobs; see `hotdesk_local.aws.config`."""
        self._ask([("PUT", "/_sim/config", config)])

    def mark(self) -> int:
        """Return the number of the latest call."""
        return int(self._ask([("GET", f"/_sim/calls?since={2**40}", None)])[0]["next"])

    def calls(self, *, since: int) -> list[Call]:
        """Return the calls after the one numbered `since`."""
        found = self._ask([("GET", f"/_sim/calls?since={since}", None)])[0]["calls"]
        return [
            Call(
                time=call["time"], action=call["action"], named=frozenset(_strings(call["params"])), error=call["error"]
            )
            for call in found
        ]

    def terminate(self, ids: Iterable[str]) -> None:
        """End instances, as a person would: it spends none of the operator's request quotas. Gone is as good."""
        self._ask([("POST", f"/_sim/machines/{name}/terminate", None) for name in ids], fine=_OK_OR_GONE)

    def _ask(self, requests: list[tuple[str, str, Any]], *, fine: frozenset[int] = _OK) -> list[Any]:
        with closing(http.client.HTTPConnection(self._address, timeout=60)) as connection:
            answers = []
            for method, path, body in requests:
                connection.request(method, path, body=None if body is None else json.dumps(body))
                response = connection.getresponse()
                content = response.read()
                if response.status not in fine:
                    raise RuntimeError(f"{method} {path} was answered {response.status}: {content[:300]!r}")
                answers.append(json.loads(content))
            return answers


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)
