"""What foul play may and must lead to: the couriers of a world that play foul, and a model of what people then read."""

import random
import re
import shutil
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.trial.rogue import Rogue, lay, rewrite, squatted
from tests.trial.world import World
from whistle.protocol.code.retrieval import Reporter, place_ids
from whistle.protocol.transfer import bundle
from whistle.protocol.transfer.listing import Listing
from whistle.workstation.errors import Untrusted
from whistle.workstation.exchange import deliveries, outbox

HONEST, ROGUE = ("ombuds", "counsel"), "ethics"
CHECKED = "could not be checked"
ABSENT = "Look again in some days. If this still stands here then"
LINES = {  # what a workstation shows, by what was done
    "fork": r"two different messages of ethics have the number \d+|ethics's message number \d+ does not follow .*",
    "past": r"ethics's message number [\d, to]+ in this case has not come; if it does not come with the next .*",
    "stray": r"a reply of ethics of .* lies in another reviewer's lane(.*)",
    "late": r"\d+ messages? of ethics came after ethics's key ended on .*: .* answer yourself if needed",
    "taken": r"It was sent nine times, .*: your \w+ of .* another courier.*",
}
ASKS = re.compile(r".* has not come.*|.* have not come.*|.* messages of the reporter when replying.*")
HOW = ("drops", "alters", "repeats", "says stored", "says taken", "keeps copies back", "squats")


@dataclass
class Words:
    """A case as the model knows it: what honest people said by author, and what was done to it."""

    shown: str
    who: Reporter
    told: list[str]
    readers: list[str]
    said: list[tuple[str, str, str]] = field(default_factory=list)  # author, kind, text
    done: Counter[str] = field(default_factory=Counter)
    names: list[tuple[str, set[str]]] = field(default_factory=list)  # of each reply: its text, and which it names
    places: int = 0  # of the rogue's lane that were used

    @property
    def name(self) -> str:
        """The case's name, in hexadecimal."""
        return self.who.case.hex()

    @property
    def replies(self) -> list[str]:
        """The texts of honest answers."""
        return [text for _, kind, text in self.said if kind == "reply"]

    @property
    def honest_readers(self) -> list[str]:
        """Who reads it and plays by the rules."""
        return [id for id in HONEST if id in self.readers]

    def name_earlier(self, author: str, text: str, known: Iterable[str]) -> None:
        """A reply names those before it that its author knows and has not named."""
        by = {text: by for by, _, text in self.said}
        before = {name for one, names in self.names if by.get(one) == author for name in names}
        self.names.append((text, {each for each in known if each != text} - before))

    def unexplained(self, line: str) -> bool:
        """Whether nothing that was done explains a line."""
        return not any(self.done[what] and re.fullmatch(pattern, line) for what, pattern in LINES.items())


class FoulCourier:
    """A courier who is a reader too, and does to sticks and places whatever suits."""

    def __init__(self, world: World, id: str) -> None:
        self.world, self.id, self.stick = world, id, world.stick(id)
        self._old = world.folder / "old-inbox"
        self._days = 0  # no list of its own is the same as another

    def visit(self, reviewer: str, how: str, cases: list[Words], chance: random.Random) -> None:
        """Bring a stick to a workstation, and take it along, playing foul in this way."""
        inbox, out = self.stick / "inbox", self.stick / "outbox"
        self.world.couriers[self.id].pull(self.stick)
        if how == "repeats" and self._old.is_dir():
            shutil.rmtree(inbox)
            shutil.copytree(self._old, inbox)
        elif not self._old.is_dir():
            shutil.copytree(inbox, self._old)
        if how == "drops":
            rewrite(inbox, lambda member, _: chance.random() < 0.5)
        elif how == "alters":
            rewrite(inbox, alter=lambda member, body: _flipped(body) if member.id and chance.random() < 0.3 else body)
        try:
            self.world.take(reviewer, self.id)
        except Untrusted as refused:  # an old stick, after a new manifest
            assert how == "repeats" and "older than one that was seen before" in refused.message
            return
        if how == "keeps copies back":
            self._claim(reviewer, "stored")
            rewrite(out, lambda member, _: member.heap == "reporters")
        elif how in ("says stored", "says taken"):
            self._claim(reviewer, how.removeprefix("says "))
            for path in out.iterdir():
                path.unlink()
        elif how == "squats":
            self._squat(cases, chance)
        self.world.couriers[self.id].push(self.stick)

    def _claim(self, reviewer: str, what: str) -> None:
        """Tell the workstation that all of its outbox is stored, or taken."""
        station = self.world.stations[reviewer]
        items = list(outbox.items(station))
        ids = sorted({each.id for item in items for each in [*item.envelopes, *item.blocks]})
        inbox, keep = self.stick / "inbox", self.stick / "kept"
        lay(keep, Listing("workstation", self.world.clock.day, (), 1, 1, **{what: tuple(ids)}), {})
        before, out = inbox.rename(self.stick / "inbox-before"), self.stick / "outbox"
        shutil.copytree(out, self.stick / "outbox-before")
        keep.rename(inbox)
        self.world.take(reviewer, self.id)
        shutil.rmtree(inbox)
        before.rename(inbox)
        shutil.rmtree(out)
        (self.stick / "outbox-before").rename(out)

    def _squat(self, cases: list[Words], chance: random.Random) -> None:
        """Lay junk in the next places of a colleague's lane."""
        for words in cases:
            lane, n = words.readers.index("ombuds") if "ombuds" in words.readers else 0, len(words.replies)
            body = Rogue(self.world.stations[ROGUE], words.name).seal_junk()
            names = [bundle.envelope_name(id) for id in place_ids(words.who.replies, lane)[n : n + 2]]
            members, files = squatted(body, "reporters", *names)
            foul = self.world.folder / "foul-stick"
            lay(foul / "outbox", Listing("server", self.world.clock.day, members, 1, 1), files)
            words.done["squat"] += len(self.world.couriers[self.id].push(foul).stored)


def send_all_again(world: World) -> None:
    """Do what people do of whom a workstation says that it is not confirmed, or the reporter that it is not there."""
    for id in HONEST:
        station = world.stations[id]
        outbox.send_again(station, deliveries.all_of(station))


def _flipped(body: bytes) -> bytes:
    return body[:-1] + bytes([body[-1] ^ 1])
