"""What an organisation decides for its manifest, as a TOML file: channels, collection days, the recovery identity, and
roles in more languages.  A channel whose id Whistle knows, as `harassment`, has its texts already.

It is read strictly: an unknown name, a missing text or an invalid day raises RootError, which says where.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from whistle.ceremony.root import Draft, RootError
from whistle.protocol import schema
from whistle.protocol.errors import Malformed
from whistle.protocol.trust.manifest import MAX_REVIEWERS, ROLES, WEEKDAYS, Channel, Recovery
from whistle.translations import defaults

HINT = (
    'a channel has title = {en = "…"}, purpose = {en = "…"}, readers = ["id", …], workstation = "offline"; '
    'a reviewer\'s role: [roles.id] en = "…"'
)


@dataclass(frozen=True)
class Decisions:
    """Channels in order; collection days and recovery, None if the file has none."""

    channels: tuple[Channel, ...]
    collection: tuple[str, ...] | None = None
    recovery: Recovery | None = None
    roles: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # by reviewer, then by language

    def apply(self, draft: Draft) -> None:
        """Apply the decisions to a draft; everything else in it stays."""
        for channel in self.channels:
            draft.channel(channel)
        for id, roles in self.roles.items():
            draft.call(id, roles)
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
    """Set a channel's readers; a new channel gets its default texts or a title from its id, and is offline."""
    listed = draft.channels.get(id)
    named = {"title": {"en": id.replace("-", " ").capitalize()}, "purpose": {"en": ""}, **_default(id)}
    blank = Channel(**named, readers=(), workstation="offline")
    draft.channel(replace(listed or blank, readers=tuple(readers)))


def _decisions(table: dict[str, Any]) -> Decisions:
    if not isinstance(table.get("channels", {}), dict):
        raise Malformed("`channels` holds a table for each channel")
    channels = [schema.parse(Channel, {**_default(id), **each}) for id, each in table.pop("channels", {}).items()]
    roles = schema.mapping(schema.identifier, ROLES, MAX_REVIEWERS)(table.pop("roles", {}))
    days = table.pop("collection", None)
    recovery = table.pop("recovery", None)
    if table:
        raise Malformed(f"unknown: {', '.join(table)}")
    return Decisions(
        tuple(channels),
        days if days is None else schema.list_of(schema.one_of(*WEEKDAYS), 7, unique=True)(days),
        recovery and schema.parse(Recovery, recovery),
        roles,
    )


def _default(id: str) -> dict[str, Any]:
    """The channel as Whistle knows it, in every language, without readers; only the id for any other."""
    texts = {kind: defaults.texts(kind, id) for kind in (defaults.TITLE, defaults.PURPOSE)}
    return {"id": id, **{kind: each for kind, each in texts.items() if each}}
