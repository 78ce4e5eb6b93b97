"""What an answer of the API server means for the one who asked."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import orjson

from hotdesk.ports import Conflict, Denied, HotdeskError, NotFound, Refused, Throttled, Unanswered

if TYPE_CHECKING:
    from hotdesk.adapters.kube.session import Answer


def check(answer: Answer, *, verb: str, resource: str, name: str = "") -> None:
    """Return if the call succeeded, else raise the port's error, which names the call and quotes the API server."""
    if HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
        return
    status = _status(answer.body)
    call = f"{verb} {resource} {name}".rstrip()
    raise _error_class(answer.status, status)(_message(answer.status, call=call, said=str(status.get("message", ""))))


def _error_class(code: int, status: dict[str, Any]) -> type[HotdeskError]:
    match code:
        case HTTPStatus.CONFLICT:
            return Conflict
        case HTTPStatus.NOT_FOUND:
            # A 404 that is not about an object says that the kind is not served (no CRD, or not yet). Taken for
            # "it was deleted" it would release the machine of somebody who is working.
            return NotFound if status.get("reason") == "NotFound" and _names_an_object(status) else Unanswered
        case HTTPStatus.FORBIDDEN | HTTPStatus.UNAUTHORIZED:
            return Denied
        case HTTPStatus.TOO_MANY_REQUESTS:
            return Throttled
        case _ if HTTPStatus.BAD_REQUEST <= code < HTTPStatus.INTERNAL_SERVER_ERROR:
            return Refused
        case _:
            return Unanswered


def _message(code: int, *, call: str, said: str) -> str:
    match code:
        case HTTPStatus.UNAUTHORIZED:
            return f"cannot {call}: the API server does not accept our credentials; check the service account token"
        case HTTPStatus.FORBIDDEN:
            return f"may not {call}: {said or 'forbidden'}"
        case HTTPStatus.NOT_FOUND if not said:
            return f"cannot {call}: the API server does not serve this kind; install the CRDs"
        case _:
            return f"cannot {call}: HTTP {code}: {said or 'no reason given'}"


def _names_an_object(status: dict[str, Any]) -> bool:
    details = status.get("details")
    return isinstance(details, dict) and bool(details.get("name"))


def _status(body: bytes) -> dict[str, Any]:
    try:
        status = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}  # a proxy, or a path that is not served: plain text
    return status if isinstance(status, dict) else {}
