"""THIN: Celery around `migrator.jobs`. Tasks carry ids only; web may import `queue.enqueue` and nothing else."""
