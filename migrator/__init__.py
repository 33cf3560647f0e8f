"""Postwagen's core: carries mailboxes from an old server to a new one. Imports neither Flask nor Celery."""
