"""What a case's reporter chose among answers; and all of the list computed anew, since cases of before have some."""

import sqlalchemy as sa
from alembic import op

revision = "v0003"
down_revision = "v0002"


def upgrade() -> None:
    op.add_column("cases", sa.Column("answers", sa.JSON(), nullable=False, server_default="[]"))
    op.create_index("cases_answered", "cases", ["id"], unique=False, sqlite_where=sa.text("answers != '[]'"))
    op.execute("UPDATE station SET listed_serial = NULL")
