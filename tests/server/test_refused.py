"""What is refused is gone when the page says so: after each kind of refusal the disk and the database are looked at."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import flask
import pytest
from werkzeug.exceptions import TooManyRequests

from tests import parties
from tests.server.test_api import head, post, sealed_report
from tests.server.test_receiving import on_disk
from tests.server.visitor import TEXT, Visitor, config, opened, site, still, store_of
from whistle.protocol.code import words
from whistle.server.config import Rate
from whistle.server.instance import NAME, Instance
from whistle.server.limits import Limits
from whistle.store import Away, Full, Heap, Sealed, Store, StoreError

FILES = [("a.bin", os.urandom(300_000)), ("b.bin", b"small")]
ONCE = Rate("1 per hour", "1 per hour")
Patch = pytest.MonkeyPatch


def instance_of(app: flask.Flask) -> Instance:
    """What the server's requests share."""
    found = app.extensions[NAME]
    assert isinstance(found, Instance)
    return found


def failing(error: Exception) -> Callable[..., None]:
    """A method that raises."""

    def fails(*_: object, **__: object) -> None:
        raise error

    return fails


WITH_WORDS = " ".join(words.encode(bytes(16)))
REFUSALS: dict[str, Callable[[Visitor, Patch], object]] = {
    "words in it": lambda visitor, patch: visitor.tell(WITH_WORDS, files=FILES),
    "for nobody": lambda visitor, patch: visitor.tell(without=["ombuds", "ethics"], files=FILES),
    "old form": lambda visitor, patch: visitor.tell(attempt="", files=FILES),
    "old list": lambda visitor, patch: visitor.tell(keys="0", files=FILES),
    "another channel": lambda visitor, patch: visitor.tell(shown="fraud", files=FILES),
    "sealed and more": lambda visitor, patch: visitor.tell("-----BEGIN WHISTLE SEALED REPORT-----", files=FILES),
    "too often": lambda visitor, patch: [visitor.tell(files=[]), visitor.tell(files=FILES)],
    "full at the end": lambda visitor, patch: [
        patch.setattr(Store, "commit", failing(Full("no room"))),
        visitor.tell(files=FILES),
    ],
    "store fails": lambda visitor, patch: [
        patch.setattr(Store, "commit", failing(StoreError("it fails"))),
        visitor.tell(files=FILES),
    ],
    "long text and a full disk": lambda visitor, patch: [
        patch.setattr(Store, "commit", failing(Full("no room"))),
        visitor.tell(TEXT * 5000, files=FILES),
    ],
    "no step of ours": lambda visitor, patch: visitor.tell(step="nothing", files=FILES),
    "step without files": lambda visitor, patch: visitor.tell(step="kept", files=FILES),
    "wrong words": lambda visitor, patch: visitor.tell(step="follow-up", words="1 2 3", files=FILES),
    "closed": lambda visitor, patch: [
        visitor.step("report", {"channel": "harassment"}),
        setattr(instance_of(visitor.client.application).now, "day", parties.DAY.replace(year=2030)),
        visitor.step("send", {"text": TEXT}, FILES),
    ],
}


@pytest.mark.parametrize("refuse", REFUSALS.values(), ids=REFUSALS)
def test_a_refused_form_leaves_nothing(
    tmp_path: Path, org: parties.Organisation, monkeypatch: Patch, refuse: Callable[[Visitor, Patch], object]
) -> None:
    """None of its blocks lies in the folder or stands in the database once the page has come."""
    app = still(site(tmp_path, org, rates={**config(tmp_path).rates, "send": ONCE}))
    put: list[tuple[bytes, bytes]] = []
    real = Store.put_blocks
    monkeypatch.setattr(Store, "put_blocks", lambda self, some, *more: [put.extend(some), real(self, some, *more)])
    visitor = Visitor(app)
    refuse(visitor, monkeypatch)
    assert len(put) >= 3
    assert "Keep these twelve words" not in visitor.text
    assert on_disk(instance_of(app)) == 0


def too_many(action: str) -> Callable[..., None]:
    """A method that refuses an action for being asked too often."""

    def count(_limits: Limits, counted: str, *_: object, **__: object) -> None:
        if counted == action:
            raise TooManyRequests(retry_after=42)

    return count


def stored_and_lost(store: Store, sealed: Sequence[Sealed], blocks: Sequence[bytes]) -> None:
    """A commit whose answer is lost."""
    COMMIT(store, sealed, blocks)
    raise Away("the database does not answer")


COMMIT = Store.commit
STATUS = {"limit": 429, "lost": 503, "away": 503}
AGAIN = {
    "follow-up": ("limit", "lookup", {"text": TEXT}, "Your follow-up is stored"),
    "renew": ("limit", "lookup", {"text": TEXT}, "Keep these twelve words"),
    "renew, unsure": ("lost", "commit", {"text": TEXT}, "Keep these twelve words"),
    "stop-now, unsure": ("lost", "commit", {}, "Your follow-up is stored"),
    "withdraw-now": ("limit", "withdraw", {}, "Your report is withdrawn"),
    "look": ("limit", "lookup", {}, "Where it stands"),
    "look, away": ("away", "lookup", {}, "Where it stands"),
}


@pytest.mark.parametrize("what", AGAIN)
def test_a_refused_step_is_sent_again_as_it_was(
    app: flask.Flask, org: parties.Organisation, monkeypatch: Patch, what: str
) -> None:
    """The page says for how long to wait, and holds the form with what was typed; sent again, it is stored once."""
    visitor, step = Visitor(app).tell(), what.partition(",")[0]
    why, of, typed, said = AGAIN[what]
    fill = {"words": visitor.words, "attempt": "ab" * 32, **typed}
    if step == "stop-now":
        store_of(app).collect([id for each in store_of(app).days() for id in store_of(app).day_ids(each.day).envelopes])
    before = len(opened(app, org, "ombuds"))
    with monkeypatch.context() as patch:
        if why == "limit":
            patch.setattr(Limits, "count", too_many(of))
        elif why == "lost":
            patch.setattr(Store, "commit", stored_and_lost)
        else:
            patch.setattr(Store, of, failing(Away("the database does not answer")))
        visitor.took(visitor.client.post("/en/", data={"step": step, **fill}))
    assert visitor.answer.status_code == STATUS[why] and said not in visitor.text
    if why == "limit":
        assert visitor.answer.headers["Retry-After"] == "42"
        assert "None of this was stored. Please try again in 42 seconds." in visitor.text
    form = visitor.page.form(step)
    assert dict(form.fields).items() >= fill.items()
    visitor.step(step)
    assert said in visitor.text
    stored = step in ("follow-up", "renew", "stop-now")
    assert len(opened(app, org, "ombuds")) == (0 if step == "withdraw-now" else before + stored)


def test_the_same_form_again_leaves_nothing_more(app: flask.Flask) -> None:
    """A reload shows the same words, and the files that came once more are gone; those that are stored stay."""
    visitor = Visitor(app).tell(files=FILES)
    form = Visitor(app).open("/en/").step("report", {"channel": "harassment"}).page.form("send")
    fields = {**dict(form.fields), "text": TEXT}
    seen = []
    for _ in range(2):
        again = Visitor(app)
        again.page.forms.append(form)
        form.fields = list(fields.items())
        seen.append(again.step("send", files=FILES).words)
    assert seen[0] == seen[1] != visitor.words
    assert on_disk(instance_of(app)) == 2 * 2 * 3  # two reports of three blocks, each a file and a row


def test_what_a_program_gives_up_is_gone(app: flask.Flask, instance: Instance, org: parties.Organisation) -> None:
    """Blocks that were put and are taken back are gone at once; those of a stored report stay whoever names them."""
    client, who = app.test_client(), parties.reporter()
    blocks = [(os.urandom(16), os.urandom(262_144)) for _ in range(3)]
    for id, body in blocks:
        assert post(client, "block", bytes(16) + id + body).status_code == 204
    ids = [id for id, _ in blocks]
    assert post(client, "store", head(who, ids[:1]) + b"".join(sealed_report(who, org))).status_code == 204
    assert post(client, "drop", b"".join(ids)).status_code == 204
    assert on_disk(instance) == 2
    assert instance.store.block(ids[0], Heap.REVIEWERS) == blocks[0][1]
    for wrong in (b"", bytes(15)):
        assert post(client, "drop", wrong).status_code == 400
