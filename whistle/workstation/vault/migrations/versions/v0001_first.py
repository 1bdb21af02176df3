"""The first tables, and the full-text index."""

import sqlalchemy as sa
from alembic import op

revision = "v0001"
down_revision = None

# Contentless: it holds terms alone, and is told at a deletion exactly what it was given. SQLCipher keeps 80 bytes of
# each page, so a leaf of the usual 4,050 bytes would spill into a second page.
WORDS = (
    "CREATE VIRTUAL TABLE words USING fts5(body, content='', tokenize='unicode61 remove_diacritics 2')",
    "INSERT INTO words(words, rank) VALUES('pgsz', 3950)",
    "INSERT INTO words(words, rank) VALUES('secure-delete', 1)",
)


def upgrade() -> None:
    op.create_table(
        "backups",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("place", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("made", sa.String(length=32), nullable=False),
        sa.Column("tried", sa.String(length=32), nullable=False),
        sa.Column("keys", sa.String(length=64), nullable=False),
        sa.Column("day", sa.Date(), nullable=True),
        sa.Column("stale", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "cases",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("digits", sa.String(length=12), nullable=False),
        sa.Column("opened", sa.Integer(), nullable=False),
        sa.Column("recorded", sa.JSON(), nullable=False),
        sa.Column("waits", sa.JSON(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("labels", sa.JSON(), nullable=False),
        sa.Column("muted_at", sa.Integer(), nullable=True),
        sa.Column("stale", sa.Boolean(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("due", sa.Date(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("urgent", sa.Boolean(), nullable=False),
        sa.Column("reopened", sa.Boolean(), nullable=False),
        sa.Column("unread", sa.Integer(), nullable=False),
        sa.Column("deadlines", sa.JSON(), nullable=False),
        sa.Column("faulty", sa.Boolean(), nullable=False),
        sa.Column("claimed", sa.String(), nullable=False),
        sa.Column("channel", sa.String(), nullable=True),
        sa.Column("language", sa.String(), nullable=True),
        sa.Column("stated", sa.JSON(), nullable=False),
        sa.Column("files", sa.Boolean(), nullable=False),
        sa.Column("muted", sa.Boolean(), nullable=False),
        sa.Column("start", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("hash"),
    )
    op.create_index(op.f("cases_digits"), "cases", ["digits"], unique=False)
    op.create_index("cases_faulty", "cases", ["id"], unique=False, sqlite_where=sa.text("faulty = 1"))
    op.create_index("cases_queue", "cases", ["muted", "rank", "due", "hash"], unique=False)
    counted = ["muted", "status", "channel", "language", "claimed", "unread", "files", "due"]
    op.create_index("cases_counted", "cases", counted, unique=False)
    labelled = sa.text("labels != '[]' OR stated != '[]'")
    op.create_index("cases_labelled", "cases", ["id"], unique=False, sqlite_where=labelled)
    op.create_index("cases_stale", "cases", ["id"], unique=False, sqlite_where=sa.text("stale = 1"))
    op.create_table(
        "days",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("written", sa.Date(), nullable=False),
        sa.Column("of", sa.Integer(), nullable=False),
        sa.Column("parts", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("day"),
    )
    op.create_table(
        "identities",
        sa.Column("first", sa.Date(), nullable=False),
        sa.Column("last", sa.Date(), nullable=False),
        sa.Column("identity", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("first"),
    )
    op.create_table(
        "manifests",
        sa.Column("serial", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("serial"),
    )
    op.create_table(
        "outgoing",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("again", sa.Boolean(), nullable=False),
        sa.Column("aside", sa.Boolean(), nullable=False),
        sa.Column("back", sa.Date(), nullable=True),
        sa.Column("said", sa.Date(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("hash"),
    )
    op.create_table(
        "parts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("digest"),
    )
    op.create_table("roots", sa.Column("key", sa.String(), nullable=False), sa.PrimaryKeyConstraint("key"))
    op.create_table(
        "station",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("languages", sa.JSON(), nullable=False),
        sa.Column("station", sa.String(), nullable=False),
        sa.Column("signing", sa.String(), nullable=False),
        sa.Column("clock", sa.Date(), nullable=False),
        sa.Column("restored", sa.Date(), nullable=True),
        sa.Column("unfinished", sa.Boolean(), nullable=False),
        sa.Column("listed_on", sa.Date(), nullable=True),
        sa.Column("listed_serial", sa.Integer(), nullable=True),
        sa.Column("terms", sa.Integer(), nullable=False),
        sa.CheckConstraint("id = 1", name="station_is_one"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "tray",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("case", sa.String(length=64), nullable=False),
        sa.Column("what", sa.String(), nullable=False),
        sa.Column("fields", sa.JSON(), nullable=False),
        sa.Column("files", sa.JSON(), nullable=False),
        sa.Column("known", sa.Integer(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("held", sa.Boolean(), nullable=False),
        sa.Column("aside", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("tray_case"), "tray", ["case"], unique=False)
    op.create_table(
        "drafts",
        sa.Column("case", sa.String(length=64), nullable=False),
        sa.Column("form", sa.String(), nullable=False),
        sa.Column("fields", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("case", "form"),
    )
    op.create_table(
        "filters",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("fields", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "office",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("fields", sa.JSON(), nullable=False),
        sa.CheckConstraint("id = 1", name="office_is_one"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "templates",
        sa.Column("occasion", sa.String(), nullable=False),
        sa.Column("language", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("occasion", "language"),
    )
    op.create_table(
        "undone",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("what", sa.String(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("what", "hash"),
    )
    op.create_table(
        "waiting",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("case", sa.String(length=64), nullable=False),
        sa.Column("sender", sa.String(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("since", sa.Date(), nullable=False),
        sa.Column("lacks", sa.String(), nullable=False),
        sa.Column("server", sa.Date(), nullable=True),
        sa.Column("line", sa.LargeBinary(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("hash"),
    )
    op.create_table(
        "came",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("absent", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["day"], ["days.day"], name=op.f("came_day")),
        sa.PrimaryKeyConstraint("day", "name"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "messages",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("via", sa.String(), nullable=False),
        sa.Column("arrived", sa.Date(), nullable=False),
        sa.Column("server", sa.Date(), nullable=True),
        sa.Column("stored", sa.Date(), nullable=True),
        sa.Column("grantor", sa.String(), nullable=False),
        sa.Column("rules", sa.Boolean(), nullable=False),
        sa.Column("indexed", sa.Integer(), nullable=False),
        sa.Column("kept_text", sa.String(), nullable=True),
        sa.Column("line", sa.LargeBinary(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("messages_case_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("hash"),
    )
    op.create_index("messages_case", "messages", ["case_id", "id"], unique=False)
    op.create_index(
        "messages_lacking", "messages", ["indexed", "id"], unique=False, sqlite_where=sa.text("indexed != 1")
    )
    op.create_table(
        "outgoing_blocks",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("outgoing_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.LargeBinary(), nullable=False),
        sa.Column("heap", sa.String(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["outgoing_id"], ["outgoing.id"], name=op.f("outgoing_blocks_outgoing_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_index(op.f("outgoing_blocks_outgoing_id"), "outgoing_blocks", ["outgoing_id"], unique=False)
    op.create_table(
        "outgoing_envelopes",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("outgoing_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.LargeBinary(), nullable=False),
        sa.Column("heap", sa.String(), nullable=False),
        sa.Column("arrived", sa.Boolean(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(
            ["outgoing_id"], ["outgoing.id"], name=op.f("outgoing_envelopes_outgoing_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_index(op.f("outgoing_envelopes_outgoing_id"), "outgoing_envelopes", ["outgoing_id"], unique=False)
    for statement in WORDS:
        op.execute(statement)
