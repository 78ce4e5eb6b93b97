"""The kinds of hotdesk.dev/v1alpha1: Workspace, MachinePool and Machine."""

from hotdesk.api.v1alpha1.activity import WorkspaceActivity
from hotdesk.api.v1alpha1.kinds import API_VERSION, GROUP, VERSION
from hotdesk.api.v1alpha1.machine import (
    Claim,
    ClaimedBy,
    Machine,
    MachinePhase,
    MachineSpec,
    MachineStatus,
    Reap,
    ReapReason,
)
from hotdesk.api.v1alpha1.machinepool import (
    Access,
    AllowedNamespaces,
    Aws,
    Buffer,
    CapacityCall,
    ClaimStats,
    HttpGet,
    MachinePool,
    MachinePoolSpec,
    MachinePoolStatus,
    Quota,
    Readiness,
    TcpSocket,
)
from hotdesk.api.v1alpha1.schedule import Schedule
from hotdesk.api.v1alpha1.selector import LabelSelector, LabelSelectorRequirement
from hotdesk.api.v1alpha1.workspace import (
    QueuePosition,
    Workspace,
    WorkspacePhase,
    WorkspaceSpec,
    WorkspaceStatus,
)

__all__ = [
    "API_VERSION",
    "GROUP",
    "VERSION",
    "Access",
    "AllowedNamespaces",
    "Aws",
    "Buffer",
    "CapacityCall",
    "Claim",
    "ClaimStats",
    "ClaimedBy",
    "HttpGet",
    "LabelSelector",
    "LabelSelectorRequirement",
    "Machine",
    "MachinePhase",
    "MachinePool",
    "MachinePoolSpec",
    "MachinePoolStatus",
    "MachineSpec",
    "MachineStatus",
    "QueuePosition",
    "Quota",
    "Readiness",
    "Reap",
    "ReapReason",
    "Schedule",
    "TcpSocket",
    "Workspace",
    "WorkspaceActivity",
    "WorkspacePhase",
    "WorkspaceSpec",
    "WorkspaceStatus",
]
