"""How much travels together. Pure (engine.md: batches of 1-4 MB; giants travel alone)."""

from __future__ import annotations

BATCH_OCTETS = 1024 * 1024
"""Four of them are held, three of which a server works on (`sessions.imap.appending`). Twice as much was no faster."""
BATCH_MESSAGES = 500


def is_full(octets: int, messages: int, coming: int) -> bool:
    """Whether a batch of that much is to be sent before a message of `coming` octets is added."""
    return messages > 0 and (octets + coming > BATCH_OCTETS or messages >= BATCH_MESSAGES)
