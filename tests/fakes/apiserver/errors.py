"""What the fake API server refuses with: a metav1.Status, as the real one writes it."""

from http import HTTPStatus
from typing import Any


class ApiError(Exception):
    """One refusal."""

    def __init__(self, code: HTTPStatus, reason: str, message: str, **details: Any) -> None:
        super().__init__(message)
        self.code = code
        self.status = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": message,
            "reason": reason,
            "details": details,
            "code": int(code),
        }


def not_found(*, plural: str, group: str, name: str) -> ApiError:
    """The object is not there."""
    message = f'{plural}.{group} "{name}" not found'
    return ApiError(HTTPStatus.NOT_FOUND, "NotFound", message, name=name, group=group, kind=plural)


def already_exists(*, plural: str, group: str, name: str) -> ApiError:
    """The name is taken."""
    message = f'{plural}.{group} "{name}" already exists'
    return ApiError(HTTPStatus.CONFLICT, "AlreadyExists", message, name=name, group=group, kind=plural)


def conflict(*, plural: str, group: str, name: str, why: str) -> ApiError:
    """The object is another one than the caller read."""
    message = f'Operation cannot be fulfilled on {plural}.{group} "{name}": {why}'
    return ApiError(HTTPStatus.CONFLICT, "Conflict", message, name=name, group=group, kind=plural)


def invalid(*, kind: str, group: str, name: str, why: str) -> ApiError:
    """The object would break a rule."""
    message = f'{kind}.{group} "{name}" is invalid: {why}'
    return ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, "Invalid", message, name=name, group=group, kind=kind)


def bad_request(message: str) -> ApiError:
    """The request makes no sense."""
    return ApiError(HTTPStatus.BAD_REQUEST, "BadRequest", message)


def expired(message: str = "The resourceVersion for the provided list is too old.") -> ApiError:
    """History is cut off after the version that was asked for."""
    return ApiError(HTTPStatus.GONE, "Expired", message)
