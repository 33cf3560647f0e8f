"""Our own store: one mailbox, one file, both a Target and a Source of the one engine (docs/archive-format.md)."""
