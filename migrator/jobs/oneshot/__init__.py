"""One-shot commands: a job of its own in a ledger file of its own, run at once, without queue and worker."""
