"""DECISIONS, pure: mapping, delta, doubt, batches, verification. No I/O, no clock."""
