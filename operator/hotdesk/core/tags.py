"""Who holds a machine, written into its EC2 tags: what is left to read if Kubernetes' state is ever lost."""

import re

from hotdesk.api.v1alpha1 import Claim, ClaimedBy, Machine
from hotdesk.core.encoding import tag_value
from hotdesk.core.facts import Instance

POOL_TAG = "hotdesk.dev/pool"  # on the group, propagated at launch: how machines are found
GROUP_TAG = "aws:autoscaling:groupName"  # AWS's own, on every member of a group and on no other instance
MANAGER_TAG = "hotdesk.dev/managed-by"
BACKUP_TAG = "hotdesk.dev/backup"  # on a snapshot that backs files up: the name of that job
RESTORE_TAG = "hotdesk.dev/restore"  # on a volume from which files are brought back: the name of that job
UID_TAG = "hotdesk.dev/workspace-uid"  # on volumes and snapshots: whose files they hold

_HOLDER_PARTS = 3  # namespace, name and UID
_PLAIN = re.compile(r"[-a-z0-9./]+", re.ASCII)  # what these consist of: no tag of ours was encoded

TAGS_PER_CALL = 20
"""Each machine of a batch carries the whole batch's tags."""
TAGS_PER_MACHINE = 50
"""EC2's limit; tags that AWS sets itself do not count, so this errs on the safe side."""
TAGS_SHARED = TAGS_PER_MACHINE - TAGS_PER_CALL
"""Up to so many a machine shares calls with others; the rest stays free for its own later slots."""


def claim_tag(machine: str, slot: int) -> str:
    """Return the key of the tag that says who holds a slot.

    One CreateTags call writes the same tags to all its instances, so a batch shares one call only if every key names
    its machine: each instance of the batch carries the whole batch, and its own claim under its own id.
    """
    return f"hotdesk.dev/claim.{machine}.{slot}"


def missing_tags(machine: Machine, instance: Instance) -> dict[str, str]:
    """Return the tags that the machine's claims ask for and EC2 has not shown; slots from 20 on carry none."""
    name = machine.metadata.name
    wanted = {
        claim_tag(name, claim.slot): _holder(claim) for claim in machine.spec.claims if claim.slot < TAGS_PER_CALL
    }
    return {key: value for key, value in wanted.items() if instance.tags.get(key) != value}


def holders_of(instance: Instance) -> dict[int, ClaimedBy | None]:
    """Return who holds, or last held, each slot, as the instance's own tags say; None where the tag cannot be read.

    What was too long for a tag ends in a digest: nobody can be named from it.
    """
    tags = ((slot, instance.tags.get(claim_tag(instance.id, slot))) for slot in range(TAGS_PER_CALL))
    return {slot: _read_holder(value) for slot, value in tags if value is not None}


def _read_holder(value: str) -> ClaimedBy | None:
    parts = value.split("/")
    if len(parts) != _HOLDER_PARTS or not all(parts) or not _PLAIN.fullmatch(value):
        return None
    namespace, name, uid = parts
    try:
        return ClaimedBy(namespace=namespace, name=name, uid=uid)
    except ValueError:  # longer than Kubernetes allows: not written by us
        return None


def _holder(claim: Claim) -> str:
    workspace = claim.workspace
    return tag_value(f"{workspace.namespace}/{workspace.name}/{workspace.uid}")
