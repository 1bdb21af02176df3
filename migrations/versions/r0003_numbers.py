"""Once made two indexes of SQLite's that nothing uses any more; it stays so that databases that have them are known."""

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
