"""Writes what this version of Whistle stores, for later ones to read: `python -m tests.making.versions`.

A folder of `tests/versions`, named after the version, holds a vault, a server's folder, the bundles of a stick,
manifests, and a backup of each.  Once a version is published its folder never changes; until then it is written anew.
"""

import json
import shutil
import tempfile
from pathlib import Path

from tests import parties
from tests.office import Office, working
from tests.server.visitor import Visitor
from tests.workstation.carrying import PASSPHRASE
from whistle import __version__
from whistle.courier import folder as couriers
from whistle.server.instance import of
from whistle.server.running import backup as server_backup
from whistle.workstation import backup
from whistle.workstation.cases import overview
from whistle.workstation.tray import drafts, tray
from whistle.workstation.vault import filing

FOLDER = Path(__file__).parent.parent / "versions"
TOLD = {
    "report": "They take money for places in the school.",
    "file": "A list of the payments.",
    "reply": "Thank you. Are you safe?",
    "note": "Let us ask the treasurer.",
    "follow_up": "It happened again on Monday.",
    "answer": "I asked the treasurer.",
    "title": "Places for money",
    "label": "school",
    "draft": "What we do next",
    "waits": "A note that was not sent yet.",
}


def act(office: Office) -> str:
    """A report with a file, a reply, notes, and a follow-up that is on its way; returns the reporter's words."""
    browser = Visitor(office.app).tell(TOLD["report"], files=[("payments.txt", TOLD["file"].encode())])
    words = browser.words
    office.round("ombuds", "ethics")
    office.install()
    station = office.stations["ombuds"]
    [case] = overview.queue(station)
    filing.name(station, case.id, TOLD["title"], [TOLD["label"]])
    tray.reply(station, case, TOLD["reply"])
    tray.note(station, case, TOLD["note"])
    office.round("ombuds", "ethics")
    Visitor(office.app).come_back(words).step("follow-up", {"text": TOLD["follow_up"]})
    drafts.keep(station, case.id, "note", {"text": TOLD["draft"]})
    tray.note(station, case, TOLD["waits"])
    other = office.stations["ethics"]
    tray.note(other, office.case("ethics", case.id), TOLD["answer"])
    office.exchange("ethics")
    office.courier.pull(office.stick("ombuds"))
    return words


def write(to: Path) -> None:
    """Write all that this version stores into an empty folder."""
    with tempfile.TemporaryDirectory() as scratch:
        where = Path(scratch)
        with working(where) as office:
            words = act(office)
            backup.save(office.stations["ombuds"], to / "workstation-backup", PASSPHRASE, log_n=8)
            server_backup.save(of(office.app), to / "server-backup")
            org = office.org
        shutil.copytree(where / "vault-ombuds", to / "vault")
        shutil.copytree(where / "server", to / "server", ignore=shutil.ignore_patterns("*.lock", "*.reserve"))
        for name, stick in (("inbox", office.stick("ombuds")), ("outbox", office.stick("ethics"))):
            shutil.copytree(stick / name, to / "bundles" / name)
    _manifests(to / "manifests", office)
    courier = couriers.base64.b64encode(bytes(org.courier)).decode()
    told = {"day": parties.DAY.isoformat(), "passphrase": PASSPHRASE, "words": words, "courier": courier, **TOLD}
    (to / "told.json").write_text(json.dumps(told, indent=1) + "\n")


def _manifests(to: Path, office: Office) -> None:
    to.mkdir()
    (to / "root.pub").write_bytes(office.org.root.public.file())
    for each in of(office.app).published.now().manifests:
        stem = f"manifest-{each.manifest.serial}.json"
        (to / stem).write_bytes(each.data)
        (to / f"{stem}.minisig").write_bytes(each.signature)


def main() -> None:
    """The program."""
    to = FOLDER / __version__
    shutil.rmtree(to, ignore_errors=True)
    for name in ("workstation-backup", "bundles"):
        (to / name).mkdir(parents=True)
    write(to)
    print(f"{to}: {sum(path.stat().st_size for path in to.rglob('*') if path.is_file()):,} bytes")


if __name__ == "__main__":
    main()
