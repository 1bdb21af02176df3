"""Which other cases a case names; and all of the list computed anew, since check-ins are due in cases of before."""

import sqlalchemy as sa
from alembic import op

revision = "v0004"
down_revision = "v0003"


def upgrade() -> None:
    op.add_column("cases", sa.Column("named", sa.JSON(), nullable=False, server_default="[]"))
    op.create_index("cases_named", "cases", ["id"], unique=False, sqlite_where=sa.text("named != '[]'"))
    op.execute("UPDATE station SET listed_serial = NULL")
