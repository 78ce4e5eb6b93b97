"""The kinds as CustomResourceDefinitions; `hotdesk crds --out crds` writes them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import yaml
from pydantic import JsonValue

from hotdesk.api.structural import structural_schema
from hotdesk.api.v1alpha1 import GROUP, VERSION, Machine, MachinePool, Workspace
from hotdesk.api.v1alpha1.kinds import Resource

_HEADER: Final = "# Generated from operator/hotdesk/api by `hotdesk crds --out crds`. Do not edit.\n"


@dataclass(frozen=True)
class Column:
    """One column of `kubectl get`; a wide one is shown with `-o wide` only."""

    name: str
    path: str
    type: str = "string"
    wide: bool = False


@dataclass(frozen=True)
class Kind:
    """What a CRD says about a kind beyond its schema."""

    model: type[Resource]
    plural: str
    short_name: str
    scope: str
    columns: tuple[Column, ...]
    scale: Mapping[str, JsonValue] | None = None


_AGE: Final = Column("Age", ".metadata.creationTimestamp", "date")

KINDS: Final = (
    Kind(
        model=Workspace,
        plural="workspaces",
        short_name="ws",
        scope="Namespaced",
        columns=(
            Column("Status", ".status.phase"),
            Column("Machine", ".status.machine"),
            Column("IP", ".status.privateIP"),
            Column("URL", ".status.url"),
            Column("Idle", ".status.lastActivityTime", "date"),
            Column("Pool", ".spec.pool", wide=True),
            Column("Owner", ".spec.owner", wide=True),
            Column("Queue", ".status.queue.position", "integer", wide=True),
            Column("Backup", ".status.backup.completedAt", "date", wide=True),
            _AGE,
        ),
    ),
    Kind(
        model=MachinePool,
        plural="machinepools",
        short_name="mpool",
        scope="Cluster",
        columns=(
            Column("Idle", ".status.idle", "integer"),
            Column("Target", ".status.target", "integer"),
            Column("Claimed", ".status.claimed", "integer"),
            Column("Booting", ".status.booting", "integer"),
            Column("Waiting", ".status.waiting", "integer"),
            Column("Max", ".spec.maxMachines", "integer"),
            Column("Ready", ".status.conditions[?(@.type=='Ready')].status"),
            _AGE,
        ),
        scale={
            "specReplicasPath": ".spec.buffer.idle",
            "statusReplicasPath": ".status.idle",
            "labelSelectorPath": ".status.selector",
        },
    ),
    Kind(
        model=Machine,
        plural="machines",
        short_name="mach",
        scope="Cluster",
        columns=(
            Column("Pool", ".spec.pool"),
            Column("Status", ".status.phase"),
            Column("Claimed By", ".spec.claims[*].workspace.name"),
            Column("IP", ".status.privateIP"),
            Column("Zone", ".status.zone"),
            Column("Type", ".status.instanceType"),
            Column("Slots", ".spec.slots", "integer", wide=True),
            Column("Provider-ID", ".spec.providerID", wide=True),
            Column("Reap", ".spec.reap.reason", wide=True),
            _AGE,
        ),
    ),
)


def render() -> dict[str, str]:
    """Return the text of every CRD by its file name."""
    return {f"{GROUP}_{kind.plural}.yaml": _HEADER + _dump(definition(kind)) for kind in KINDS}


def definition(kind: Kind) -> dict[str, Any]:
    """Return the CustomResourceDefinition of a kind."""
    name = kind.model.__name__
    subresources: dict[str, Any] = {"status": {}}
    if kind.scale is not None:
        subresources["scale"] = dict(kind.scale)
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{GROUP}", "labels": {"app.kubernetes.io/name": "hotdesk"}},
        "spec": {
            "group": GROUP,
            "scope": kind.scope,
            "names": {
                "kind": name,
                "listKind": f"{name}List",
                "plural": kind.plural,
                "singular": name.lower(),
                "shortNames": [kind.short_name],
                "categories": ["hotdesk"],
            },
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "additionalPrinterColumns": [_column(column) for column in kind.columns],
                    "subresources": subresources,
                    "schema": {"openAPIV3Schema": structural_schema(kind.model)},
                },
            ],
        },
    }


def _column(column: Column) -> dict[str, Any]:
    priority = {"priority": 1} if column.wide else {}
    return {"name": column.name, "type": column.type, "jsonPath": column.path, **priority}


def _dump(value: dict[str, Any]) -> str:
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, width=110, allow_unicode=True)


class _Dumper(yaml.SafeDumper):
    """Writes lists indented and every shared piece in full, as people write YAML."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002  # PyYAML's signature
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002
        super().increase_indent(flow=flow, indentless=False)
