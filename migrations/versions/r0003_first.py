"""The first tables. On SQLite, the `today_` tables and `pending` live in today's file, attached as `today`."""

import sqlalchemy as sa
from alembic import op

revision = "r0003"
down_revision = None

INTEGER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    today = "today" if op.get_bind().dialect.name == "sqlite" else None
    for prefix, schema in (("today_", today), ("", None)):
        create_tables(prefix, schema)
    op.create_index("envelopes_day", "envelopes", ["heap", "day", "state", "id"])
    op.create_index("blocks_day", "blocks", ["heap", "day", "id"])
    op.create_table(
        "pending",
        sa.Column("id", sa.LargeBinary(16), primary_key=True),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("upload", sa.LargeBinary(16)),
        schema=today,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "imports",
        sa.Column("reviewer", sa.String(32), primary_key=True),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("hash", sa.LargeBinary(32), primary_key=True),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "visits",
        sa.Column("courier", sa.String(32), primary_key=True),
        sa.Column("day", sa.Integer(), primary_key=True, autoincrement=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "manifests",
        sa.Column("serial", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "clock",
        sa.Column("day", sa.Integer(), primary_key=True, autoincrement=False),
        sqlite_with_rowid=False,
    )


def create_tables(prefix: str, schema: str | None) -> None:
    op.create_table(
        f"{prefix}envelopes",
        sa.Column("id", sa.LargeBinary(16), primary_key=True),
        sa.Column("heap", sa.String(9), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(9), nullable=False),
        sa.Column("state_day", sa.Integer(), nullable=False),
        schema=schema,
        sqlite_with_rowid=False,
    )
    op.create_table(
        f"{prefix}bodies",
        sa.Column("k", INTEGER, primary_key=True, autoincrement=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        schema=schema,
    )
    op.create_table(
        f"{prefix}blocks",
        sa.Column("id", sa.LargeBinary(16), primary_key=True),
        sa.Column("heap", sa.String(9), primary_key=True),
        sa.Column("day", sa.Integer(), nullable=False),
        schema=schema,
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    schema = "today" if op.get_bind().dialect.name == "sqlite" else None
    for table in ("today_envelopes", "today_bodies", "today_blocks", "pending"):
        op.drop_table(table, schema=schema)
    for table in ("envelopes", "bodies", "blocks", "imports", "visits", "manifests", "clock"):
        op.drop_table(table)
