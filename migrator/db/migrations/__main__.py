"""`python -m migrator.db.migrations "what changed"`: write the next revision from the difference to models.py."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from alembic import command
from alembic.script import ScriptDirectory

from migrator.db import migrations
from migrator.db.store import Database


def main(message: str) -> None:
    """Compare a fresh SQLite database, migrated as far as there are revisions, with the models."""
    known = len(list(ScriptDirectory.from_config(migrations.config()).walk_revisions()))
    with tempfile.TemporaryDirectory() as directory:
        database = Database(f"sqlite:///{Path(directory) / 'compare.sqlite3'}")
        migrations.upgrade(database.engine)
        with database.engine.connect() as connection:
            command.revision(migrations.config(connection), message, autogenerate=True, rev_id=f"{known + 1:04d}")
        database.dispose()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
