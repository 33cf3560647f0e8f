"""How much travels together. Pure (engine.md: batches of 1-4 MB; giants travel alone)."""

from __future__ import annotations

BATCH_OCTETS = 1536 * 1024
"""Three of them are held, two of which are on their way (`sessions.imap.appending`); each costs a server a commit, and
any mailbox should be carried in 100 MiB."""
BATCH_MESSAGES = 500


def is_full(octets: int, messages: int, coming: int) -> bool:
    """Whether a batch of that much is to be sent before a message of `coming` octets is added."""
    return messages > 0 and (octets + coming > BATCH_OCTETS or messages >= BATCH_MESSAGES)
