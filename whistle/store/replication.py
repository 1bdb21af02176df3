"""What PostgreSQL's own settings put at risk of what was acknowledged, to warn at the start."""

from sqlalchemy import text

from whistle.store.database import Database

WAITED_FOR = frozenset({"sync", "quorum"})
LAGGING = (
    "a standby follows PostgreSQL, and nothing waits for it: if it ever takes over, the reports that were acknowledged "
    "last are lost; name it in PostgreSQL's synchronous_standby_names"
)
UNSAFE = "PostgreSQL runs with fsync off: a power cut can lose acknowledged reports, or all of them; turn it on"


def risks(database: Database) -> list[str]:
    """A line for each risk; none on SQLite."""
    if database.is_sqlite:
        return []
    with database.read() as connection:
        fsync, names = (connection.scalar(text(f"SHOW {name}")) for name in ("fsync", "synchronous_standby_names"))
        states = connection.scalars(text("SELECT sync_state FROM pg_stat_replication")).all()
    # PostgreSQL shows states only to users who may see them; without one, the setting must do
    is_waited_for = any(state in WAITED_FOR for state in states) or (bool(names) and None in states)
    found = [LAGGING] if states and not is_waited_for else []
    return found + ([UNSAFE] if fsync == "off" else [])
