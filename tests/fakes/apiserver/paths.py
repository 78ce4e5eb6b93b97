"""Which kind, namespace and name a path of the Kubernetes API means."""

from collections.abc import Iterable
from dataclasses import dataclass

from fakes.apiserver.kinds import Kind


@dataclass(frozen=True)
class Target:
    """What a request is about."""

    kind: Kind
    namespace: str = ""
    name: str = ""
    subresource: str = ""

    @property
    def resource(self) -> str:
        """The plural, with the subresource behind a slash."""
        return f"{self.kind.plural}/{self.subresource}" if self.subresource else self.kind.plural


def parse(path: str, kinds: Iterable[Kind]) -> Target | None:
    """Return the target, or None if nothing is served there."""
    for kind in kinds:
        prefix = f"/apis/{kind.api_version}/" if kind.group else f"/api/{kind.version}/"
        if not path.startswith(prefix):
            continue
        parts = path.removeprefix(prefix).split("/")
        namespace = ""
        if kind.namespaced and len(parts) > 2 and parts[0] == "namespaces":
            namespace, parts = parts[1], parts[2:]
        if parts[0] != kind.plural or len(parts) > 3:
            continue
        name, subresource = (*parts[1:], "", "")[:2]
        if (subresource == "status" and kind.has_status) or not subresource:
            return Target(kind=kind, namespace=namespace, name=name, subresource=subresource)
    return None
