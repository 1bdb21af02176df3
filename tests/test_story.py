"""One report, one reply, one follow-up: through a server, a courier's stick and an offline workstation."""

import io
import os
from pathlib import Path

from tests import parties
from tests.server.visitor import Clock, Visitor, site, store_of
from tests.serving import running
from tests.workstation.carrying import station
from whistle import courier as couriers
from whistle.courier import Courier, Settings, folder
from whistle.protocol.code import words
from whistle.workstation.cases import compose, overview
from whistle.workstation.cases.saved_files import save
from whistle.workstation.cases.sealed_files import Upload
from whistle.workstation.exchange.exchange import exchange

FILES = [("first.jpg", os.urandom(300_000)), ("second.jpg", os.urandom(262_144)), ("contract.pdf", os.urandom(5_000))]


def test_a_report_is_read_answered_and_followed_up(tmp_path: Path) -> None:
    """Somebody reports with files and keeps twelve words; a reviewer reads and answers; the words show the answer."""
    organisation = parties.organisation()
    (tmp_path / "server").mkdir()
    app = site(tmp_path / "server", organisation)
    with running(app) as address:
        courier = _courier(tmp_path / "courier", organisation, address)
        workstation = station(tmp_path / "ombuds", organisation.people["ombuds"], lambda: parties.DAY)
        workstation.trust.pin([organisation.root.public])
        stick = tmp_path / "stick"
        stick.mkdir()

        browser = Visitor(app).tell("It happened in the lift.", files=FILES)
        twelve = words.encode(words.decode(browser.words))
        assert all(word in browser.html for word in twelve)

        courier.exchange(stick)
        exchange(workstation, stick)
        [case] = overview.queue(workstation)
        assert case.report is not None and case.report.text == "It happened in the lift."
        saved = [save(each, workstation.blocks, tmp_path / "saved") for _, each in overview.files(case)]
        assert [path.read_bytes() for path in saved] == [content for _, content in FILES]

        again = Visitor(app).come_back(" ".join(twelve))
        assert "picked up" in again.text.lower() and "Are you safe?" not in again.html
        answer = Upload("advice.txt", "text/plain", io.BytesIO(b"Call us."))
        compose.reply(workstation, case, "Are you safe?", [answer], mark="acknowledgement")
        exchange(workstation, stick)
        courier.exchange(stick)

        again.come_back(" ".join(word[:4].upper() for word in twelve))
        assert "Are you safe?" in again.html and "advice.txt" in again.html and "Save the receipt" in again.text
        again.step("follow-up", {"text": "Yes, but he calls me every day."})

        courier.exchange(stick)
        exchange(workstation, stick)
        told = [entry.content.text for entry in overview.find(workstation, case.reference).entries if not entry.by]
        assert told == ["It happened in the lift.", "Yes, but he calls me every day."]
        workstation.close()
    store_of(app).close()
    _nothing_readable(tmp_path)


def _nothing_readable(folder: Path) -> None:
    """No file of the server, the courier, the stick or the vault holds what was said."""
    said = [b"in the lift", b"Are you safe", b"every day", b"Call us", b"contract.pdf", b"advice.txt"]
    for path in folder.rglob("*"):
        if path.is_file() and (folder / "saved") not in path.parents:
            content = path.read_bytes()
            assert not any(text in content for text in [*said, *(body[:64] for _, body in FILES)]), path


def _courier(where: Path, organisation: parties.Organisation, address: str) -> Courier:
    couriers.create(where, Settings(address, "Courier", (organisation.root.public,), None))
    secret = folder.SECRET + folder.base64.b64encode(bytes(organisation.courier)).decode()
    (where / folder.KEY).write_text(secret)
    return Courier(where, clock=lambda: Clock()().timestamp())
