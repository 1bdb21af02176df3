"""What a connected workstation knows of urgent messages, since it opens them: nobody else can know."""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import select

from whistle.workstation.cases import case_list
from whistle.workstation.vault.rows import CASES
from whistle.workstation.workstation import Workstation

URGENT = [rank for rank in range(16) if not rank & 0b0010]  # of `case_list.rank`, whose third flag is that it is not


@dataclass
class Watch:
    """What the last look for new messages found.

    `pressing`: how many messages, read or not, each urgent case with unread ones has, by case; `rings`: some are new,
    and nobody was told yet; `at`: when the server answered last; `trouble`: why it did not answer since.
    """

    pressing: Mapping[str, int] = field(default_factory=dict)
    rings: bool = False
    at: datetime.datetime | None = None
    trouble: str = ""

    def came(self, workstation: Workstation) -> None:
        """Note that the server answered, what is urgent and unread, and whether some of it is new."""
        before = self.pressing
        self.look(workstation)
        self.rings = self.rings or any(count > before.get(case, 0) for case, count in self.pressing.items())
        self.at, self.trouble = datetime.datetime.now().astimezone(), ""

    def look(self, workstation: Workstation) -> None:
        """Note what is urgent and unread: in cases that are not muted."""
        case_list.refresh(workstation)
        wanted = select(CASES.c.hash, CASES.c.opened + CASES.c.unread).where(
            ~CASES.c.muted, CASES.c.rank.in_(URGENT), CASES.c.urgent, CASES.c.unread > 0
        )
        found = workstation.vault.connection.execute(wanted)
        self.pressing = {str(hash): int(count) for hash, count in found}
