"""How much travels together. Pure (engine.md: batches of 1-4 MB; giants travel alone)."""

from __future__ import annotations

BATCH_OCTETS = 1280 * 1024
"""Two of them are held while a server works (`engine.wrappers`), and 100 MB must be enough for everything."""
BATCH_OCTETS_KEPT = 2 * 1024 * 1024
"""For an archive, which has one at a time: a commit of its own and one of the ledger's for each."""
BATCH_MESSAGES = 500


def is_full(octets: int, messages: int, coming: int, most: int = BATCH_OCTETS) -> bool:
    """Whether a batch of that much is to be sent before a message of `coming` octets is added."""
    return messages > 0 and (octets + coming > most or messages >= BATCH_MESSAGES)
