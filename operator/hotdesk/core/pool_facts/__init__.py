"""All facts of one pool, indexed as they arrive, so that a pass costs what changed and not how much exists."""

from hotdesk.core.pool_facts.news import PoolFacts

__all__ = ["PoolFacts"]
