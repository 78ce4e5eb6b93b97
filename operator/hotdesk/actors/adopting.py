"""Giving leaked instances a record: with the claims of those who wait for them, or with the decision to end them."""

import logging
from dataclasses import dataclass

from hotdesk.actors.claiming import DOUBT, new_machine
from hotdesk.actors.rereading import Rereader
from hotdesk.actors.world import World
from hotdesk.api.v1alpha1 import Claim, Reap
from hotdesk.core.actions import AdoptInstance, CondemnInstance
from hotdesk.core.lifecycle.keeping import owing
from hotdesk.core.pool_facts import PoolFacts

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Adopting:
    """Creates records. Creating is the test-and-set: where a record exists after all, nothing was leaked."""

    facts: PoolFacts
    world: World

    async def carry_out(self, action: AdoptInstance | CondemnInstance) -> bool:
        """Carry out one decision; False says that it was not to be, and should not be repeated at once."""
        match action:
            case AdoptInstance():
                return await self._adopt(action)
            case CondemnInstance():
                return await self._condemn(action)

    async def _adopt(self, action: AdoptInstance) -> bool:
        """Create the record with its claims; like every claim that was found, they are published afterwards."""
        uids = [claim.workspace.uid for claim in action.claims]
        if not all(uid in self.facts.waiting for uid in uids):
            return False
        return await self._create(action, {"claims": action.claims}, serving=uids)

    async def _condemn(self, action: CondemnInstance) -> bool:
        """Create the record of what nobody claims, to be ended; what it may still owe its users comes first.

        Each workspace that its tags name is read past every cache: absent from a cache is not gone.
        """
        for claim in action.claims:
            if await self._lives(claim):
                return False
        now = self.world.clock.now()
        owed = owing(self.facts, action.claims, now=now)
        return await self._create(action, {"owed": owed, "reap": Reap(reason="Leaked", at=now)})

    async def _lives(self, claim: Claim) -> bool:
        holder = claim.workspace
        found = await self.world.store.fetch_workspace(namespace=holder.namespace, name=holder.name)
        return found is not None and found.metadata.uid == holder.uid

    async def _create(
        self, action: AdoptInstance | CondemnInstance, spec: dict[str, object], *, serving: list[str] | None = None
    ) -> bool:
        facts, name, uids = self.facts, action.name, serving or []
        record = new_machine(name, pool=facts.name, zone=action.zone, slots=action.slots)
        record = record.model_copy(update={"spec": record.spec.model_copy(update=spec)})
        facts.begin_claim(name, uids)
        try:
            facts.upsert_machine(await self.world.store.create_machine(record))
            what = "leaked machine adopted" if uids else "leaked machine reaped"
            log.warning(what, extra={"machine": name, "pool": facts.name})
        except DOUBT as doubt:
            await Rereader(facts, self.world.store).machine(name, because=doubt)
            return False
        finally:
            facts.end_claim(name, uids)
        return True
