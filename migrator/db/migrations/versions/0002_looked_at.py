"""up to which UID a target folder was looked at after it was filled

Revision 0002, after 0001. 2026-11-22
"""

import sqlalchemy as sa
from alembic import op

revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('folders', sa.Column('looked', sa.BigInteger(), server_default='0', nullable=False))


def downgrade() -> None:
    with op.batch_alter_table('folders') as table:
        table.drop_column('looked')
