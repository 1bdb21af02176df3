"""The last day seen, by which a clock that is wrong is told; it begins with the newest day that anything here bears.

The indexes that revision 0003 once made go.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

DAYS = (
    *((table, column) for table in ("today_envelopes", "envelopes") for column in ("day", "state_day")),
    *((table, "day") for table in ("today_blocks", "blocks", "pending", "imports", "visits")),
)


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for index in ("today.today_envelopes_number", "envelopes_number"):
            op.execute(f"DROP INDEX IF EXISTS {index}")
    op.create_table(
        "clock",
        sa.Column("day", sa.Integer(), primary_key=True, autoincrement=False),
        sqlite_with_rowid=False,
    )
    days = " UNION ALL ".join(f"SELECT max({column}) AS day FROM {table}" for table, column in DAYS)
    newest = f"SELECT max(day) AS day FROM ({days}) AS kept"  # without HAVING, which SQLite before 3.39 refuses here
    op.execute(f"INSERT INTO clock SELECT day FROM ({newest}) AS newest WHERE day IS NOT NULL")


def downgrade() -> None:
    op.drop_table("clock")
