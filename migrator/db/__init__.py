"""EDGE: the database. Models, ledger, vault, migrations."""
