"""archives that the service keeps

Revision 0003, after 0002. 2026-11-22
"""

import sqlalchemy as sa
from alembic import op

revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('archives',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('account', sa.Text(), nullable=False),
    sa.Column('address', sa.String(length=320), nullable=False),
    sa.Column('node', sa.String(length=60), nullable=False),
    sa.Column('file', sa.String(length=100), nullable=False),
    sa.Column('sealed_key', sa.LargeBinary(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('created_by', sa.String(length=320), nullable=False),
    sa.Column('octets', sa.BigInteger(), nullable=False),
    sa.Column('source_id', sa.BigInteger(), nullable=True),
    sa.Column('every_hours', sa.Integer(), nullable=True),
    sa.Column('window_from', sa.Integer(), nullable=True),
    sa.Column('window_until', sa.Integer(), nullable=True),
    sa.Column('next_pass_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('leave_days', sa.Integer(), nullable=True),
    sa.Column('leave_wish', sa.Text(), nullable=False),
    sa.Column('next_removal_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('customer_may_fetch', sa.Boolean(), nullable=False),
    sa.Column('closed_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('checked_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('checked', sa.JSON(), nullable=True),
    sa.Column('destroyed_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('destroyed_by', sa.String(length=320), nullable=False),
    sa.Column('destroyed_reason', sa.Text(), nullable=False),
    sa.Column('file_removed_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('proof', sa.JSON(), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_archives')),
    sa.UniqueConstraint('file', name=op.f('uq_archives_file'))
    )
    with op.batch_alter_table('archives', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_archives_expires_at'), ['expires_at'], unique=False)
        batch_op.create_index(batch_op.f('ix_archives_next_pass_at'), ['next_pass_at'], unique=False)
        batch_op.create_index(batch_op.f('ix_archives_next_removal_at'), ['next_removal_at'], unique=False)
        batch_op.create_index('uq_archives_account', ['account'], unique=True, sqlite_where=sa.text('destroyed_at IS NULL'), postgresql_where=sa.text('destroyed_at IS NULL'))

    op.create_table('archive_passes',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('archive_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('job_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True),
    sa.Column('began_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('found', sa.Integer(), nullable=False),
    sa.Column('missing', sa.Integer(), nullable=False),
    sa.Column('octets', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['archive_id'], ['archives.id'], name=op.f('fk_archive_passes_archive_id_archives')),
    sa.ForeignKeyConstraint(['job_id'], ['jobs.id'], name=op.f('fk_archive_passes_job_id_jobs')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_archive_passes')),
    sa.UniqueConstraint('archive_id', 'number', name=op.f('uq_archive_passes_archive_id_number'))
    )
    with op.batch_alter_table('endpoints', schema=None) as batch_op:
        batch_op.add_column(sa.Column('archive_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True))
        batch_op.create_index(batch_op.f('ix_endpoints_archive_id'), ['archive_id'], unique=False)
        batch_op.create_foreign_key(batch_op.f('fk_endpoints_archive_id_archives'), 'archives', ['archive_id'], ['id'])

    with op.batch_alter_table('workers', schema=None) as batch_op:
        batch_op.add_column(sa.Column('node', sa.String(length=60), server_default='', nullable=False))
        batch_op.add_column(sa.Column('free_octets', sa.BigInteger(), nullable=True))



def downgrade() -> None:
    with op.batch_alter_table('workers', schema=None) as batch_op:
        batch_op.drop_column('free_octets')
        batch_op.drop_column('node')

    with op.batch_alter_table('endpoints', schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f('fk_endpoints_archive_id_archives'), type_='foreignkey')
        batch_op.drop_index(batch_op.f('ix_endpoints_archive_id'))
        batch_op.drop_column('archive_id')

    op.drop_table('archive_passes')
    with op.batch_alter_table('archives', schema=None) as batch_op:
        batch_op.drop_index('uq_archives_account', sqlite_where=sa.text('destroyed_at IS NULL'), postgresql_where=sa.text('destroyed_at IS NULL'))
        batch_op.drop_index(batch_op.f('ix_archives_next_removal_at'))
        batch_op.drop_index(batch_op.f('ix_archives_next_pass_at'))
        batch_op.drop_index(batch_op.f('ix_archives_expires_at'))

    op.drop_table('archives')
