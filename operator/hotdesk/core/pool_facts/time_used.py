"""For how long each machine runs, and ran, for its owners, where a quota asks for it."""

from hotdesk.core.pool_facts.admission import admit
from hotdesk.core.pool_facts.known import Known
from hotdesk.core.quota.stretches import Stretch, key_of, stretches_of
from hotdesk.core.quota.today import is_counted


def clock(known: Known, name: str) -> None:
    """Bring the time that one machine ran up to date; whom that concerns is admitted, or held back, at once."""
    machine, before = known.machines.get(name), known.stretches.pop(name, frozenset[str]())
    found: dict[str, Stretch] = {}
    if machine is not None and known.observation is not None and known.quota.minutes.limit is not None:
        seen = stretches_of(machine, known.instances.get(name), now=known.observation.started_at)
        found = {stretch.key: stretch for stretch in seen}
    if found:
        known.stretches[name] = frozenset(found)
    on_record = {key_of(machine, used) for used in machine.spec.used} if machine is not None else set[str]()
    today = known.pool.status.today if known.pool is not None else None
    for key in sorted(before - found.keys()):
        known.ended.pop(key, None)
        admit(known, known.quota.drop(key))
    for key, stretch in found.items():
        if key in on_record and stretch.until is not None:
            known.ended[key] = stretch
        if not is_counted(today, key):
            admit(known, known.quota.put(stretch))
