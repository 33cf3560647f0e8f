"""quarantine

Revision 0007, after 0006. 2026-11-23
"""

import sqlalchemy as sa
from alembic import op

revision = '0007'
down_revision = '0006'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('quarantined',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('mailbox_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('folder_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('origin_validity', sa.BigInteger(), nullable=False),
    sa.Column('origin_uid', sa.BigInteger(), nullable=False),
    sa.Column('origin_name', sa.String(length=255), nullable=False),
    sa.Column('job_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('target_name', sa.Text(), nullable=False),
    sa.Column('reason', sa.String(length=40), nullable=False),
    sa.Column('detail', sa.Text(), nullable=False),
    sa.Column('message_id', sa.Text(), nullable=False),
    sa.Column('size', sa.BigInteger(), nullable=False),
    sa.Column('flags', sa.Text(), nullable=False),
    sa.Column('instant', sa.DateTime(timezone=True), nullable=True),
    sa.Column('digest', sa.LargeBinary(length=32), nullable=True),
    sa.Column('soft', sa.LargeBinary(length=32), nullable=True),
    sa.Column('sealed_key', sa.LargeBinary(), nullable=True),
    sa.Column('gone', sa.String(length=10), nullable=False),
    sa.Column('gone_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['folder_id'], ['folders.id'], name=op.f('fk_quarantined_folder_id_folders')),
    sa.ForeignKeyConstraint(['job_id'], ['jobs.id'], name=op.f('fk_quarantined_job_id_jobs')),
    sa.ForeignKeyConstraint(['mailbox_id'], ['mailboxes.id'], name=op.f('fk_quarantined_mailbox_id_mailboxes')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_quarantined')),
    sa.UniqueConstraint('folder_id', 'origin_validity', 'origin_uid', 'origin_name', name='uq_quarantined_origin')
    )
    op.create_index(op.f('ix_quarantined_mailbox_id'), 'quarantined', ['mailbox_id'])
    op.create_table('quarantined_parts',
    sa.Column('item_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('octets', sa.LargeBinary(), nullable=False),
    sa.ForeignKeyConstraint(['item_id'], ['quarantined.id'], name=op.f('fk_quarantined_parts_item_id_quarantined')),
    sa.PrimaryKeyConstraint('item_id', 'number', name=op.f('pk_quarantined_parts'))
    )


def downgrade() -> None:
    op.drop_table('quarantined_parts')
    op.drop_table('quarantined')
