"""what a source said of a folder when all of it had been carried

Revision 0004, after 0003. 2026-11-23
"""

import sqlalchemy as sa
from alembic import op

revision = '0004'
down_revision = '0003'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('folders', sa.Column('state', sa.String(length=100), server_default='', nullable=False))
    op.add_column('folders', sa.Column('unlooked', sa.Integer(), server_default='0', nullable=False))


def downgrade() -> None:
    with op.batch_alter_table('folders') as table:
        table.drop_column('unlooked')
        table.drop_column('state')
