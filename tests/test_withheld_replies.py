"""A reply that a server keeps from the reporter shows as soon as another one is there that names it."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from tests.office import Office, working
from tests.server.visitor import Visitor
from whistle.protocol.code import words
from whistle.protocol.code.retrieval import Reporter, derive, place_ids
from whistle.store import State, Store
from whistle.workstation.cases import compose

THEN = "Look again in some days. If this still stands here then, add a follow-up that says so"
OWN = "An earlier reply from Ombudsperson is not here."
OTHER = "Ethics office says they have read a reply from Ombudsperson that is not here."


class Told:
    """A report that two reviewers have answered, each knowing of what the other wrote before."""

    def __init__(self, office: Office) -> None:
        self.office = office
        visitor = Visitor(office.app).tell("It happened again.")
        self.words = " ".join(words.encode(words.decode(visitor.words)))
        self.reporter: Reporter = derive(words.decode(visitor.words))
        office.round("ombuds", "ethics")
        for id, text in (("ombuds", "The first."), ("ombuds", "The second."), ("ethics", "The third.")):
            case = office.case(id, self.reporter.case.hex())
            compose.reply(office.stations[id], case, text)
            office.round("ombuds", "ethics")

    def look(self) -> str:
        """What the reporter reads on coming back."""
        return Visitor(self.office.app).come_back(self.words).text

    def place(self, lane: int, n: int) -> bytes:
        """The id of a reply place."""
        return place_ids(self.reporter.replies, lane)[n]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """An office with a running server, and what was told there."""
    with working(tmp_path_factory.mktemp("office")) as office:
        yield Told(office)


def _silent(each: Any) -> list[Any]:
    return []


def _removed(each: Any) -> list[Any]:
    return [dataclasses.replace(each, state=State.REMOVED, body=None)]


@pytest.mark.parametrize("answer", [_silent, _removed], ids=["says nothing of it", "says that it was removed"])
@pytest.mark.parametrize(
    ("hidden", "left", "said"),
    [
        ([], ["first", "second", "third"], []),
        ([(0, 0)], ["second", "third"], [OWN]),
        ([(0, 0), (0, 1)], ["third"], [OTHER]),
        ([(1, 0)], ["first", "second"], []),  # nobody has named the newest yet
    ],
)
def test_the_page_tells_what_a_server_keeps(
    told: Told,
    monkeypatch: pytest.MonkeyPatch,
    answer: Callable[[Any], list[Any]],
    hidden: Sequence[tuple[int, int]],
    left: Sequence[str],
    said: Sequence[str],
) -> None:
    """Whose reply is not here and who knows of it, in words that say what to do; nothing is said where all is there."""
    lookup, ids = Store.lookup, [told.place(*each) for each in hidden]

    def hiding(self: Store, asked: Sequence[bytes], **options: Any) -> list[Any]:
        return [one for each in lookup(self, asked, **options) for one in (answer(each) if each.id in ids else [each])]

    monkeypatch.setattr(Store, "lookup", hiding)
    page = told.look()
    assert [each for each in ("first", "second", "third") if f"The {each}." in page] == left
    assert [line for line in (OWN, OTHER) if line in page] == said
    assert (THEN in page) == bool(said) and "could not be checked" not in page
