"""A case notes whether a report too long for its envelope says that something is about to happen, and who is away."""

import sqlalchemy as sa
from alembic import op

revision = "v0002"
down_revision = "v0001"


def upgrade() -> None:
    op.add_column("cases", sa.Column("pressing", sa.Boolean(), nullable=True))
    op.add_column("cases", sa.Column("away", sa.JSON(), nullable=False, server_default="{}"))
    # What was searched for before is opened once more, and tells it.
    op.execute("UPDATE station SET terms = 0")
