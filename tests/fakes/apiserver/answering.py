"""What the API server does with one request that is no watch: storage in, a status and a document out; no HTTP here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from fakes.apiserver.errors import ApiError, bad_request, expired
from fakes.apiserver.kinds import served_kinds
from fakes.apiserver.paths import Target
from fakes.apiserver.storage import Json, Storage
from fakes.apiserver.watches import selected

MERGE_PATCH = "application/merge-patch+json"
_NAMESPACES = next(kind for kind in served_kinds() if kind.plural == "namespaces")


@dataclass(frozen=True)
class Asked:
    """One request as it arrived."""

    method: str
    target: Target
    query: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    body: Any = field(default_factory=dict)


class Answering:
    """Carries requests out on a storage; raises ApiError for what the API server refuses."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._snapshots: dict[str, tuple[list[Json], int]] = {}

    def forget_snapshots(self) -> None:
        """Let every list that is read in pages expire."""
        self._snapshots.clear()

    def answer(self, asked: Asked) -> tuple[int, Json]:
        """Do what is asked, and return the HTTP status and the document."""
        target, body = asked.target, asked.body
        key = (target.namespace, target.name)
        status = target.subresource == "status"
        if not isinstance(body, dict):
            raise bad_request("the body is no JSON object")
        match asked.method:
            case "GET" if target.name:
                return 200, self._storage.get(target.kind, key)
            case "GET":
                return 200, self._page(target, asked.query)
            case "POST" if not target.name:
                if target.namespace:
                    self._storage.get(_NAMESPACES, ("", target.namespace))
                return 201, self._storage.create(target.kind, target.namespace, body)
            case "PATCH" if asked.content_type == MERGE_PATCH:
                return 200, self._storage.patch(target.kind, key, body, status=status)
            case "PUT":
                return 200, self._storage.replace(target.kind, key, body, status=status)
            case "DELETE" if target.name:
                left = self._storage.delete(target.kind, key, body.get("preconditions") or {})
                return 200, left or {"kind": "Status", "apiVersion": "v1", "status": "Success"}
            case _:
                raise ApiError(
                    HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "UnsupportedMediaType", "this fake knows merge patches alone"
                )

    def _page(self, target: Target, query: Mapping[str, str]) -> Json:
        limit = int(query.get("limit") or 0)
        token = query.get("continue", "")
        if token:
            if token not in self._snapshots:
                raise expired("The provided continue parameter is too old")
            items, version = self._snapshots.pop(token)
        else:
            stored = self._storage.objects(target.kind, namespace=target.namespace)
            items, version = [item for item in stored if selected(item, target, query)], self._storage.version
        metadata: Json = {"resourceVersion": str(version)}
        if limit and len(items) > limit:
            token = f"{version}-{len(items) - limit}"
            self._snapshots[token] = (items[limit:], version)
            metadata |= {"continue": token, "remainingItemCount": len(items) - limit}
        return {
            "kind": f"{target.kind.kind}List",
            "apiVersion": target.kind.api_version,
            "metadata": metadata,
            "items": items[:limit] if limit else items,
        }
