"""octets read of an account, by hour

Revision 0006, after 0005. 2026-11-23
"""

import sqlalchemy as sa
from alembic import op

revision = '0006'
down_revision = '0005'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        'octets_read',
        sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
        sa.Column('account', sa.String(length=64), nullable=False),
        sa.Column('hour', sa.DateTime(timezone=True), nullable=False),
        sa.Column('octets', sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_octets_read')),
        sa.UniqueConstraint('account', 'hour', name=op.f('uq_octets_read_account_hour')),
    )


def downgrade() -> None:
    op.drop_table('octets_read')
