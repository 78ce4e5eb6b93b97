"""Whether the Auto Scaling group is set up so that it cannot take a machine from its user, and how to put it right."""

from dataclasses import dataclass

from hotdesk.core.actions import RepairGroup
from hotdesk.core.facts import Group
from hotdesk.core.tags import MANAGER_TAG, POOL_TAG

# AZRebalance ends machines to even out zones, and every detach unbalances them.
MUST_BE_SUSPENDED = frozenset({"AZRebalance"})
# Without these the group neither refills the buffer nor replaces what is broken.
MUST_RUN = frozenset({"Launch", "Terminate", "HealthCheck", "ReplaceUnhealthy"})


@dataclass(frozen=True, slots=True)
class SetUp:
    """What is wrong with a group: what we can put right ourselves, and what only a person can."""

    repair: RepairGroup | None
    faults: tuple[str, ...]  # sentences, each with its fix, for what is wrong now


def inspect(group: Group, *, pool: str, manages: bool, scaling_policies: tuple[str, ...]) -> SetUp:
    """Compare the group with what keeps a claimed machine safe; `faults` stay listed until a look shows them mended."""
    wrong = _settings_faults(group)
    tags = {POOL_TAG: pool, MANAGER_TAG: "hotdesk"}
    missing = {key: value for key, value in tags.items() if group.tags.get(key) != value}
    running = MUST_BE_SUSPENDED - group.suspended
    repair = None
    if manages and (wrong or missing or running):
        repair = RepairGroup(configure=bool(wrong), suspend=running, tags=tuple(sorted(missing.items())))
    faults = [f"{fault}: {fix}." for fault, fix in wrong.items()]
    faults += [f"process {process} runs: suspend it." for process in sorted(running)]
    faults += [f"tag {key} is missing: set it to {value}, propagated at launch." for key, value in missing.items()]
    faults += [
        f"process {process} is suspended: resume it, without it the buffer cannot be kept."
        for process in sorted(MUST_RUN & group.suspended)
    ]
    if scaling_policies:
        names = ", ".join(sorted(scaling_policies))
        faults.append(f"scaling policies ({names}) fight with Hotdesk over desired capacity: delete them.")
    if group.deleting:
        faults.append("the group is being deleted: create it anew under the same name.")
    return SetUp(repair=repair, faults=tuple(faults))


def _settings_faults(group: Group) -> dict[str, str]:
    """Return what UpdateAutoScalingGroup puts right, with the fix for who does it by hand."""
    faults: dict[str, str] = {}
    if not group.protects_new:
        faults["new instances are not protected from scale-in"] = "set NewInstancesProtectedFromScaleIn to true"
    if group.capacity_rebalance:
        faults["capacity rebalancing is on"] = "set CapacityRebalance to false"
    if group.max_instance_lifetime:
        faults["instances have a maximum lifetime"] = "set MaxInstanceLifetime to 0"
    if group.health_check != "EC2":
        faults[f"health checks are {group.health_check}"] = "set HealthCheckType to EC2"
    if group.min_size > 0:
        faults[f"MinSize is {group.min_size}"] = "set MinSize to 0"
    return faults
