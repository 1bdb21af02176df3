"""What an organisation decides for its manifest, as a TOML file: channels, collection days, the recovery identity.

It is read strictly: an unknown name, a missing text or an invalid day raises RootError, which says where.
"""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from whistle.ceremony.root import Draft, RootError
from whistle.protocol import schema
from whistle.protocol.errors import Malformed
from whistle.protocol.trust.manifest import WEEKDAYS, Channel, Recovery

HINT = 'a channel has title = {en = "…"}, purpose = {en = "…"}, readers = ["id", …], workstation = "offline"'


@dataclass(frozen=True)
class Decisions:
    """Channels in order; collection days and recovery, None if the file has none."""

    channels: tuple[Channel, ...]
    collection: tuple[str, ...] | None = None
    recovery: Recovery | None = None

    def apply(self, draft: Draft) -> None:
        """Apply the decisions to a draft; everything else in it stays."""
        for channel in self.channels:
            draft.channel(channel)
        draft.collection = self.collection if self.collection is not None else draft.collection
        draft.recovery = self.recovery or draft.recovery


def read(path: Path) -> Decisions:
    """The decisions in a TOML file. Raises RootError."""
    try:
        table = tomllib.loads(path.read_text("utf-8"))
        return _decisions(table)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
        raise RootError("the organisation's file cannot be read", "it is a TOML file in UTF-8") from exc
    except (Malformed, TypeError, AttributeError) as exc:
        raise RootError(f"the organisation's file is not as it should be: {exc}", HINT) from exc


def set_readers(draft: Draft, id: str, readers: Sequence[str]) -> None:
    """Set a channel's readers; a new channel gets a title from its id and an offline workstation."""
    listed = draft.channels.get(id)
    blank = Channel(id, {"en": id.replace("-", " ").capitalize()}, {"en": ""}, (), "offline")
    draft.channel(replace(listed or blank, readers=tuple(readers)))


def _decisions(table: dict[str, Any]) -> Decisions:
    if not isinstance(table.get("channels", {}), dict):
        raise Malformed("`channels` holds a table for each channel")
    channels = [schema.parse(Channel, {"id": id, **each}) for id, each in table.pop("channels", {}).items()]
    days = table.pop("collection", None)
    recovery = table.pop("recovery", None)
    if table:
        raise Malformed(f"unknown: {', '.join(table)}")
    return Decisions(
        tuple(channels),
        days if days is None else schema.list_of(schema.one_of(*WEEKDAYS), 7, unique=True)(days),
        recovery and schema.parse(Recovery, recovery),
    )
