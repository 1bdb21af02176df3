"""Indexes by which a day is listed, quick however many days there are."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_index("envelopes_day", "envelopes", ["heap", "day", "state", "id"])
    op.create_index("blocks_day", "blocks", ["heap", "day", "id"])


def downgrade() -> None:
    op.drop_index("blocks_day", "blocks")
    op.drop_index("envelopes_day", "envelopes")
