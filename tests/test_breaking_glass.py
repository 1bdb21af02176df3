"""Breaking the glass: SECURITY.md's commands, word for word, open a report from a backup without this program."""

import os
import re
import shutil
from pathlib import Path

from tests.parties import report, reporter
from tests.stock.programs import need, need_package
from tests.stock.terminal import answer
from tests.workstation.carrying import PASSPHRASE, World, attach
from whistle.protocol.case import envelope, message
from whistle.protocol.code.retrieval import Reporter
from whistle.workstation import backup
from whistle.workstation.cases import compose, overview
from whistle.workstation.vault import keyfile

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "SECURITY.md"
PHOTO = os.urandom(700_000)
# Debian's age may be older than 1.3: for post-quantum files alone a few lines on npm's age-encryption stand in.
STAND_IN = """#!/bin/sh
case "$*" in
    *parts/*|*index.age*)
        for last; do :; done
        exec node {script} open $(grep '^AGE-SECRET-KEY-' "$3") < "$last" ;;
    *) exec {age} "$@" ;;
esac
"""


def test_a_backup_opens_with_stock_tools_alone(tmp_path: Path) -> None:
    """A report with an attachment, opened by age, tar, jq, sha256sum, python3 and minisign as the page tells."""
    need_package("age-encryption"), need("jq"), need("minisign")
    world = World(tmp_path)
    blocks, record = attach(PHOTO, "photo.jpg")
    world.carrier.put_blocks(blocks)
    world.report(text="It was in the “blue” room.\nTwice.", attachments=(record,))
    world.round("ombuds")
    station = world.station("ombuds")
    backup.save(station, tmp_path, PASSPHRASE, keyfile.CHEAP_LOG_N)
    compose.note(station, overview.queue(station)[0], "Ask the caretaker.")
    folder = backup.save(station, tmp_path).folder
    world.close()

    status, screen = answer("bash", _script(tmp_path, folder), answers=[PASSPHRASE])
    assert status == 0, screen.decode()
    assert b"attachment: OK" in screen
    assert "report\t" in screen.decode() and "It was in the “blue” room.\\nTwice." in screen.decode()
    assert "note\t" in screen.decode() and "Ask the caretaker." in screen.decode()
    assert screen.count(b"Signature and comment signature verified") == 1
    out = Path((tmp_path / "out").read_text().strip())
    assert (out / "attachment").read_bytes() == PHOTO
    shutil.rmtree(out)


def test_a_long_report_opens_with_stock_tools_alone(tmp_path: Path) -> None:
    """A report whose text did not fit is in its `rest`, and opens by the same steps."""
    need_package("age-encryption"), need("jq"), need("minisign")
    world = World(tmp_path)
    who = _long_report(world)
    world.round("ombuds")
    folder = backup.save(world.station("ombuds"), tmp_path, PASSPHRASE, keyfile.CHEAP_LOG_N).folder
    world.close()
    script = _script(tmp_path, folder)
    script.write_text(script.read_text().replace(".attachments[0]", ".rest"))
    status, screen = answer("bash", script, answers=[PASSPHRASE])
    assert status == 0, screen.decode()
    out = Path((tmp_path / "out").read_text().strip())
    assert (out / "attachment").read_text() == '{"text":"' + "long " * 9000 + '"}'
    assert who.case.hex() in screen.decode()
    shutil.rmtree(out)


def _long_report(world: World) -> Reporter:
    who = reporter()
    whole = report(who, world.org, text="long " * 9000)
    folded, blocks = envelope.fold(whole, world.org.manifest.slots)
    world.carrier.put_blocks(blocks)
    world.send(message.sign(folded, who.signing), whole.readers)
    return who


def _script(scratch: Path, folder: Path) -> Path:
    """The page's commands, in order, as one script."""
    page = PAGE.read_text("utf-8").partition("## Breaking the glass")[2]
    commands = [re.sub(r"^   ", "", block, flags=re.M) for block in re.findall(r"```sh\n(.*?)```", page, re.S)]
    assert len(commands) == 5
    tools = scratch / "tools"
    tools.mkdir()
    (tools / "age").write_text(STAND_IN.format(script=ROOT / "tests/stock/age.mjs", age=need("age")))
    (tools / "age").chmod(0o755)
    script = scratch / "glass.sh"
    ending = f'echo "$OUT" > {scratch}/out\n'
    start = f"set -eu\nexport PATH={tools}:$PATH BACKUP={folder}\n"
    script.write_text(start + "\n".join(commands) + ending)
    return script
