"""Who holds a machine, written into its EC2 tags: what is left to read if Kubernetes' state is ever lost."""

from hotdesk.api.v1alpha1 import Claim, Machine
from hotdesk.core.encoding import tag_value
from hotdesk.core.facts import Instance

POOL_TAG = "hotdesk.dev/pool"  # on the group, propagated at launch: how machines are found
MANAGER_TAG = "hotdesk.dev/managed-by"

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


def _holder(claim: Claim) -> str:
    workspace = claim.workspace
    return tag_value(f"{workspace.namespace}/{workspace.name}/{workspace.uid}")
