"""connections to mail servers, lent to jobs

Revision 0005, after 0004. 2026-11-23
"""

import sqlalchemy as sa
from alembic import op

revision = '0005'
down_revision = '0004'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        'host_leases',
        sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
        sa.Column('side', sa.String(length=10), nullable=False),
        sa.Column('host', sa.String(length=255), nullable=False),
        sa.Column('job_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
        sa.Column('fence', sa.Integer(), nullable=False),
        sa.Column('until', sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(['job_id'], ['jobs.id'], name=op.f('fk_host_leases_job_id_jobs')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_host_leases')),
    )
    op.create_index(op.f('ix_host_leases_job_id'), 'host_leases', ['job_id'])
    op.create_index(op.f('ix_host_leases_side_host'), 'host_leases', ['side', 'host'])


def downgrade() -> None:
    op.drop_table('host_leases')
