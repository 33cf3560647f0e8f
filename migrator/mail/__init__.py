"""Nouns: folders, messages, flags, fingerprints, headers. Pure; imports nothing of ours but errors."""
