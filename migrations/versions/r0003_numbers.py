"""Indexes by a number cut from the id, on SQLite: a look finds a thousand ids by it in half the time.

SQLite compares numbers much faster than blobs. It cannot read a number out of a blob, but it can out of digits.
"""

from alembic import op

revision = "0003"
down_revision = "0002"

DIGITS = 8  # hexadecimal, of the id's first four bytes
NUMBER = " | ".join(
    f"(instr('123456789ABCDEF', substr(hex(id), {place + 1}, 1)) << {4 * (DIGITS - 1 - place)})"
    for place in range(DIGITS)
)
TABLES = (("today.", "today_envelopes"), ("", "envelopes"))


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for schema, table in TABLES:
            op.execute(f"CREATE INDEX {schema}{table}_number ON {table} ({NUMBER})")


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for schema, table in TABLES:
            op.execute(f"DROP INDEX {schema}{table}_number")
