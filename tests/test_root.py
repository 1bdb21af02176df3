"""The root keeper's commands: a key that stock age opens, a list that stock minisign verifies."""

import datetime
import functools
import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from nacl.signing import SigningKey

from tests.parties import person
from whistle.ceremony import root as roots
from whistle.ceremony.root import Draft, Keys
from whistle.cli.courier import courier
from whistle.cli.root import root
from whistle.protocol.transfer import bundle
from whistle.protocol.trust import enrolment, manifest
from whistle.protocol.trust.enrolment import CourierKey
from whistle.protocol.trust.manifest import SignedManifest
from whistle.protocol.trust.minisign import PublicKey, SecretKey
from whistle.reporter import manifests
from whistle.reporter.errors import Untrusted
from whistle.server.running import setup
from whistle.workstation.trust import read_roots

TODAY = datetime.datetime.now(datetime.UTC).date()
PASSPHRASE = "correct horse battery staple"
CHANNELS = """
collection = ["monday", "thursday"]

[channels.harassment]
title = {en = "Harassment", ar = "تحرش"}
purpose = {en = "What somebody does to you or others."}
readers = ["ombudsperson", "ethics-office"]
workstation = "offline"
"""


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Key files that cost little, in a folder of their own."""
    monkeypatch.setattr(roots, "key_file", functools.partial(roots.key_file, log_n=10))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def typed() -> Iterator[list[str]]:
    """The options that give the passphrase through a file descriptor."""
    Path("passphrase").write_text(PASSPHRASE + "\n")
    descriptor = os.open("passphrase", os.O_RDONLY)
    yield ["--passphrase-fd", str(descriptor)]
    os.close(descriptor)


def run(*arguments: str, descriptor: list[str] | None = None) -> Result:
    """A command of root; the passphrase's file is read from its start each time."""
    if descriptor:
        os.lseek(int(descriptor[1]), 0, os.SEEK_SET)
    result = CliRunner().invoke(root, [*arguments, *(descriptor or [])])
    if isinstance(result.exception, Exception):
        raise result.exception
    return result


def refused(result: Result) -> str:
    """What a refused command says, in two lines."""
    error, hint = result.stderr.strip().splitlines()[-2:]
    assert (result.exit_code, error[:15], hint[:6]) == (1, "whistle: error:", "hint: ")
    return error


def enrolled(*roles: str) -> list[str]:
    """Public files of reviewers with these roles, as options."""
    options = []
    for role in roles:
        someone = person(role.lower(), role, TODAY)
        Path(f"{role}.public").write_bytes(enrolment.reviewer_file(someone.keys, someone.secret))
        options += ["--reviewer", f"{role}.public"]
    return options


def organised(typed: list[str], *more: str) -> Result:
    """A root, two reviewers, a courier, a channel: the first manifest."""
    assert run("init", descriptor=typed).exit_code == 0
    Path("courier.public").write_bytes(enrolment.courier_file("Courier", SigningKey.generate()))
    Path("organisation.toml").write_text(CHANNELS, "utf-8")
    people = enrolled("Ombudsperson", "Ethics office")
    options = ["--courier", "courier.public", "--organisation", "organisation.toml", "--yes", *more]
    return run("sign", *people, *options, descriptor=typed)


def newest() -> SignedManifest:
    """The manifest that was published last."""
    found = Keys.read(Path("keys")).newest
    assert found
    return found


def test_roles_and_channels_that_are_known_are_listed_in_every_language(typed: list[str]) -> None:
    """A role as Whistle has it, in any language, a channel by its id; the organisation's file adds and corrects."""
    assert run("init", descriptor=typed).exit_code == 0
    Path("courier.public").write_bytes(enrolment.courier_file("Courier", SigningKey.generate()))
    people = enrolled("Ombudsperson", "Bureau de la déontologie", "Cook")
    text = '[channels.fraud]\nreaders = ["ombudsperson"]\nworkstation = "offline"\n'
    Path("organisation.toml").write_text(f'{text}[roles.cook]\nes = "Cocina"\n[roles.ombudsperson]\nfr = "Écoute"\n')
    options = ["--courier", "courier.public", "--organisation", "organisation.toml", "--yes"]
    assert run("sign", *people, *options, descriptor=typed).exit_code == 0
    listed = newest().manifest
    assert listed.channels[0].title["ru"] == "Мошенничество и коррупция" and listed.channels[0].purpose["zh"]
    roles = {each.id: each.roles for each in listed.reviewers}
    assert roles["ombudsperson"]["fr"] == "Écoute" and roles["ombudsperson"]["ar"] == "مكتب أمين المظالم"
    assert roles["bureau-de-la-d-ontologie"]["en"] == "Ethics office"
    assert roles["cook"] == {"es": "Cocina"}
    assert run("sign", *people, "--yes", descriptor=typed).exit_code == 0  # renewed keys keep the role's languages
    assert {each.id: each.roles for each in newest().manifest.reviewers} == roles


def test_a_role_in_another_language_gives_nobody_a_second_id(typed: list[str]) -> None:
    """The same role under another name of it is a known role."""
    organised(typed)
    assert "a name or role of ombudsperson" in refused(run("sign", *enrolled("Defensoría"), "--yes", descriptor=typed))
    Path("organisation.toml").write_text('[roles.ethics-office]\nfr = "Médiation"\n')
    again = run("sign", "--organisation", "organisation.toml", "--yes", descriptor=typed)
    assert "a name or role of ombudsperson" in refused(again)
    Path("organisation.toml").write_text('[roles.cook]\nfr = "Cuisine"\n')
    assert "no such reviewer" in refused(run("sign", "--organisation", "organisation.toml", "--yes", descriptor=typed))


def test_stock_age_opens_the_key_file_and_stock_minisign_signs_with_it(typed: list[str]) -> None:
    """Without this program, age shows the key, and minisign takes it and signs for the published half."""
    run("init", descriptor=typed)
    secret = roots.read_key_file(Path("root.key").read_bytes(), PASSPHRASE)
    assert PublicKey.from_text(Path("keys/root-1.pub").read_text()) == secret.public
    assert Path("root.key").stat().st_mode & 0o777 == 0o600
    assert Path("root.key").read_bytes().startswith(b"age-encryption.org/v1\n-> scrypt ")
    Path("secret").write_bytes(secret.file())
    subprocess.run(["minisign", "-S", "-s", "secret", "-m", "passphrase"], check=True, capture_output=True)
    subprocess.run(["minisign", "-V", "-p", "keys/root-1.pub", "-m", "passphrase"], check=True, capture_output=True)


def test_what_went_through_windows_is_read_at_every_place(typed: list[str]) -> None:
    """Root, server, courier, workstation and reporter take keys and signatures whose lines end in CR LF."""
    organised(typed)
    for path in [*Path("keys").glob("*.pub"), *Path("keys").glob("*.minisig")]:
        mark = b"\xef\xbb\xbf" if path.suffix == ".pub" else b""
        path.write_bytes(mark + path.read_bytes().replace(b"\n", b"\r\n"))
    assert run("show").exit_code == 0
    known, [public] = newest(), Keys.read(Path("keys")).roots
    setup.make(Path("server"), "Place", "127.0.0.1:8080", 8)
    assert setup.install(Path("server"), Path("keys")) == manifest.fingerprint([public])
    assert read_roots([Path("keys/root-1.pub")]) == [public]
    get = manifests.from_folder(Path("keys"))
    assert manifests.succession(get, manifests.offered(get), known.manifest.begins).current(TODAY) == known
    made = CliRunner().invoke(
        courier, ["init", "--folder", "c", "--server", "http://127.0.0.1:1", "--name", "C", "--root", "keys/root-1.pub"]
    )
    assert made.exit_code == 0, made.output


@pytest.mark.parametrize("change", [b"%b\n", b"%b\r\n", b"\xef\xbb\xbf%b"], ids=["end", "windows end", "mark"])
def test_a_manifest_that_an_editor_changed_is_named_so(typed: list[str], change: bytes) -> None:
    """It is said to have been changed on the way, and nobody is sent looking for a forger."""
    organised(typed)
    for name in ("manifest.json", "manifest-1.json"):
        path = Path("keys", name)
        path.write_bytes(change % path.read_bytes())
    with pytest.raises(roots.RootError, match="perhaps by an editor"):
        Keys.read(Path("keys"))
    get = manifests.from_folder(Path("keys"))
    with pytest.raises(Untrusted, match="perhaps by an editor") as told:
        manifests.succession(get, manifests.offered(get), TODAY)
    assert "compare the root's digits" not in told.value.hint


def test_a_wrong_passphrase_opens_nothing(typed: list[str]) -> None:
    """Another passphrase is said to be wrong, and nothing is signed."""
    organised(typed)
    Path("wrong").write_text("something else\n")
    with pytest.raises(roots.RootError, match="passphrase"):
        roots.read_key_file(Path("root.key").read_bytes(), "something else")
    Path("passphrase").write_text("something else\n")
    assert "passphrase" in refused(run("sign", "--yes", descriptor=typed))
    assert newest().manifest.serial == 1


def test_the_first_manifest(typed: list[str]) -> None:
    """Reviewers get ids from their roles, digits are shown to compare, and minisign verifies what was signed."""
    result = organised(typed)
    assert result.exit_code == 0, result.output
    assert enrolment.digits(Path("Ombudsperson.public").read_bytes()) in result.output
    found = newest().manifest
    assert [each.id for each in found.reviewers] == ["ombudsperson", "ethics-office"]
    assert found.channels[0].readers == ("ombudsperson", "ethics-office")
    assert found.channels[0].title["ar"] == "تحرش"
    assert found.couriers[0].id == "courier"
    assert found.collection == ("monday", "thursday")
    assert (found.begins, (found.expires - found.begins).days) == (TODAY, 100)
    command = ["minisign", "-V", "-p", "keys/root-1.pub", "-m", "keys/manifest.json"]
    subprocess.run(command, check=True, capture_output=True)
    assert Path("keys/manifest-1.json").read_bytes() == Path("keys/manifest.json").read_bytes()


def test_nothing_is_signed_unless_somebody_says_that_digits_were_compared(typed: list[str]) -> None:
    """Without --yes and without an answer the command stops, and no manifest exists."""
    run("init", descriptor=typed)
    Path("courier.public").write_bytes(enrolment.courier_file("Courier", SigningKey.generate()))
    people = enrolled("Ombudsperson")
    run("sign", *people, "--courier", "courier.public", "--channel", "all=ombudsperson", descriptor=typed)
    assert Keys.read(Path("keys")).newest is None


def test_the_next_manifest_carries_everybody_over(typed: list[str]) -> None:
    """A renewal names nobody and lists the same people; it follows the one before."""
    organised(typed)
    first = newest()
    result = run("sign", "--yes", "--from", (TODAY + datetime.timedelta(days=90)).isoformat(), descriptor=typed)
    assert result.exit_code == 0, result.output
    manifest.check_next(first, newest())
    assert newest().manifest.channels == first.manifest.channels
    assert newest().manifest.standing(TODAY) == "ahead"


def test_a_retired_reviewer_reads_no_channel(typed: list[str]) -> None:
    """Whoever is retired stands in no channel, and stays listed so that old signatures can be checked."""
    organised(typed)
    assert run("sign", "--yes", "--retire", "ethics-office", descriptor=typed).exit_code == 0
    found = newest().manifest
    assert found.channels[0].readers == ("ombudsperson",)
    assert [each.id for each in found.active()] == ["ombudsperson"]
    assert [each.id for each in found.reviewers] == ["ombudsperson", "ethics-office"]


def test_a_reviewers_courier_goes_with_them(typed: list[str]) -> None:
    """Retiring somebody dismisses their courier, and says so; of the others the keeper is asked whose they are."""
    organised(typed)
    Path("own.public").write_bytes(enrolment.courier_file("Ethics laptop", SigningKey.generate()))
    assert run("sign", "--yes", "--courier", "own.public=ethics-office", descriptor=typed).exit_code == 0
    assert {each.id: each.reviewer for each in newest().manifest.couriers} == {
        "courier": "", "ethics-laptop": "ethics-office",
    }  # fmt: skip
    assert "courier ethics-laptop: Ethics laptop; ethics-office's" in run("show").output
    assert run("sign", "--yes", "--courier", "own.public", descriptor=typed).exit_code == 0
    assert newest().manifest.couriers[1].reviewer == "ethics-office"  # renewed, it stays whose it was
    result = run("sign", "--yes", "--retire", "ethics-office", descriptor=typed)
    assert "ethics-office is retired, and the courier ethics-laptop is dismissed with them." in result.output
    assert "Whose courier is not said: courier. If one was theirs, sign again with --dismiss ID." in result.output
    assert [each.id for each in newest().manifest.couriers] == ["courier"]
    back = run("sign", "--yes", "--courier", "own.public=ethics-office", descriptor=typed)
    assert "no such active reviewer" in refused(back)


def test_no_manifest_begins_before_the_one_before_it(typed: list[str]) -> None:
    """After one that is ahead, the next begins with it unless a later day is named; an earlier one is refused."""
    organised(typed)
    ahead = TODAY + datetime.timedelta(days=10)
    assert run("sign", "--yes", "--from", ahead.isoformat(), descriptor=typed).exit_code == 0
    assert "begins before the one before it" in refused(run("sign", "--yes", "--from", str(TODAY), descriptor=typed))
    assert run("sign", "--yes", descriptor=typed).exit_code == 0
    assert (newest().manifest.serial, newest().manifest.begins) == (3, ahead)


def test_who_comes_back_later_does_not_vouch_for_the_time_between(typed: list[str]) -> None:
    """The old key of somebody who was retired ends on the day of that, not on that of the new key."""
    organised(typed)
    assert run("sign", "--yes", "--retire", "ethics-office", descriptor=typed).exit_code == 0
    enrolled("Ethics office")
    later = TODAY + datetime.timedelta(days=30)
    options = ["--roll", "ethics-office=Ethics office.public", "--from", later.isoformat()]
    assert run("sign", "--yes", *options, descriptor=typed).exit_code == 0
    back = newest().manifest.reviewer("ethics-office")
    assert back and [signing.last for signing in back.signing] == [TODAY, None]


def test_the_last_reader_of_a_channel_cannot_be_retired(typed: list[str]) -> None:
    """A channel that nobody would read is refused, and the old manifest stays."""
    organised(typed)
    result = run("sign", "--yes", "--retire", "ethics-office", "--retire", "ombudsperson", descriptor=typed)
    assert "readers" in refused(result)
    assert newest().manifest.serial == 1


def test_a_reviewer_is_rolled_to_new_keys(typed: list[str]) -> None:
    """With new keys under the same id, the old signing key gets a last day and the new one none."""
    organised(typed)
    someone = person("ombudsperson", "Ombudsperson", TODAY)
    Path("new.public").write_bytes(enrolment.reviewer_file(someone.keys, someone.secret))
    assert run("sign", "--yes", "--roll", "ombudsperson=new.public", descriptor=typed).exit_code == 0
    rolled = newest().manifest.reviewer("ombudsperson")
    assert rolled
    assert [signing.last for signing in rolled.signing] == [TODAY, None]
    assert rolled.signing[1].key == someone.secret.public.text
    old = run("sign", "--yes", "--reviewer", "Ombudsperson.public", descriptor=typed)
    assert "out of use" in refused(old)


def test_renewed_keys_keep_the_id(typed: list[str]) -> None:
    """A file signed by a listed key replaces that reviewer's recipients and adds nobody."""
    organised(typed)
    assert run("sign", "--yes", "--reviewer", "Ombudsperson.public", descriptor=typed).exit_code == 0
    assert len(newest().manifest.reviewers) == 2


def left_and_enrolled_anew(typed: list[str], name: str, *more: str) -> Result:
    """The ethics office left; then somebody comes with fresh keys and this name and role."""
    organised(typed)
    assert run("sign", "--yes", "--retire", "ethics-office", descriptor=typed).exit_code == 0
    return run("sign", "--yes", *enrolled(name), *more, descriptor=typed)


@pytest.mark.parametrize(
    "name",
    [
        "Ethics office",
        "ETHICS  Office",
        "\N{FULLWIDTH LATIN CAPITAL LETTER E}thics office",
        "Ethi\N{CYRILLIC SMALL LETTER ES}s \N{CYRILLIC SMALL LETTER O}ffice",
        "\N{GREEK CAPITAL LETTER EPSILON}thics office",
    ],
)
def test_nobody_comes_back_under_a_second_id_by_their_name(typed: list[str], name: str) -> None:
    """A reporter may have left out the first id: a known name or role with fresh keys is refused, with what to do."""
    result = left_and_enrolled_anew(typed, name)
    assert "nobody gets a second id" in refused(result)
    assert "--roll ethics-office=FILE" in result.stderr and "--namesakes" in result.stderr
    assert newest().manifest.serial == 2


def test_no_name_holds_what_nobody_sees() -> None:
    """With or without --namesakes: such a name passes for another wherever it is shown."""
    good = person("ombuds", "Ombudsperson", TODAY).keys
    for unseen in ("\u200b", "\u3164", "\u2060", "\u202e", "\u00ad", "\ufe0f", "\U000e0041", "\x07"):
        for keys in (replace(good, name=f"A{unseen}b"), replace(good, role=f"A{unseen}b")):
            for draft in (Draft(), Draft(namesakes=True)):
                with pytest.raises(roots.RootError, match="characters that nobody sees"):
                    draft.enrol(keys)
        with pytest.raises(roots.RootError, match="characters that nobody sees"):
            Draft().admit(CourierKey(f"A{unseen}b", bytes(SigningKey.generate().verify_key).hex()))


def test_nobody_passes_for_another_in_the_manifest_in_which_both_begin() -> None:
    """Not by a name or role, nor by a role in one language alone, unless root says that they are two."""
    draft, another = Draft(), person("other", "Ombudsperson", TODAY).keys
    listed = draft.enrol(person("ombuds", "Ombudsperson", TODAY).keys)
    in_french = draft.reviewers[listed].roles["fr"]
    with pytest.raises(roots.RootError, match="a name or role of ombudsperson"):
        draft.enrol(another)
    clerk = draft.enrol(person("clerk", "Clerk", TODAY).keys)
    with pytest.raises(roots.RootError, match="a name or role of ombudsperson"):
        draft.call(clerk, {"fr": in_french.upper()})
    agreed = Draft(namesakes=True)
    assert [agreed.enrol(each) for each in (person("a", "Ombudsperson", TODAY).keys, another)] == [
        "ombudsperson", "ombudsperson-2",
    ]  # fmt: skip


def test_a_namesake_is_listed_when_root_says_so(typed: list[str]) -> None:
    """Two people may have one role: with --namesakes the second gets an id of their own."""
    assert left_and_enrolled_anew(typed, "Ethics office", "--namesakes").exit_code == 0
    assert [each.id for each in newest().manifest.active()] == ["ombudsperson", "ethics-office-2"]


def test_who_comes_back_with_new_keys_is_rolled(typed: list[str]) -> None:
    """The same person keeps the id, is active again, and what they signed before stays theirs."""
    left_and_enrolled_anew(typed, "Ethics office")
    assert run("sign", "--yes", "--roll", "ethics-office=Ethics office.public", descriptor=typed).exit_code == 0
    back = newest().manifest.reviewer("ethics-office")
    assert back and not back.retired and [signing.last for signing in back.signing] == [TODAY, None]


def test_nobody_is_rolled_to_the_name_of_another(typed: list[str]) -> None:
    """A file with the name of somebody who is listed does not become another's."""
    organised(typed)
    [_, path] = enrolled("Ethics office")
    said = refused(run("sign", "--yes", "--roll", f"ombudsperson={path}", descriptor=typed))
    assert "Ethics office is, or was, a name or role of ethics-office" in said


def test_a_key_that_was_ever_listed_stays_with_its_id(typed: list[str]) -> None:
    """Fresh signing keys and a new name do not hide a recipient that the newest manifest lists no more."""
    organised(typed)
    old = newest().manifest.reviewers[1]
    for _ in range(2):
        [_, path] = enrolled("Ethics office")
        assert run("sign", "--yes", "--roll", f"ethics-office={path}", descriptor=typed).exit_code == 0
    someone = replace(person("legal", "Legal office", TODAY), periods=old.recipients)
    Path("legal.public").write_bytes(enrolment.reviewer_file(someone.keys, someone.secret))
    said = refused(run("sign", "--yes", "--namesakes", "--reviewer", "legal.public", descriptor=typed))
    assert "a key of ethics-office is also listed under legal-office" in said
    assert newest().manifest.serial == 3


def test_more_readers_than_slots_are_refused(typed: list[str]) -> None:
    """Two readers and a recovery identity do not fit into two slots."""
    recovery = person("recovery", "Recovery", TODAY).periods[0].recipient
    Path("recovery.toml").write_text(f'[recovery]\nname = "Envelopes"\nrecipient = "{recovery}"\n')
    assert organised(typed, "--slots", "2").exit_code == 0
    result = run("sign", "--yes", "--organisation", "recovery.toml", descriptor=typed)
    assert "slots" in refused(result)


@pytest.mark.parametrize("days", ["0", "101"])
def test_no_manifest_is_valid_for_more_than_a_hundred_days(days: str) -> None:
    """The command takes 1 to 100 days."""
    assert run("sign", "--days", days).exit_code == 2


def test_a_damaged_public_file_is_refused(typed: list[str]) -> None:
    """One changed letter in a role breaks the file's own signature."""
    organised(typed)
    data = Path("Ombudsperson.public").read_bytes().replace(b"Ombudsperson", b"Ombudsperso0")
    Path("Ombudsperson.public").write_bytes(data)
    result = run("sign", "--yes", "--reviewer", "Ombudsperson.public", descriptor=typed)
    assert "damaged" in refused(result)


def test_a_foreign_key_signs_nothing(typed: list[str]) -> None:
    """A key that is no root of the folder is refused."""
    organised(typed)
    with pytest.raises(roots.RootError):
        Keys.read(Path("keys")).sign(newest().data, SecretKey.generate())


def test_a_changed_manifest_in_the_folder_is_noticed(typed: list[str]) -> None:
    """Nothing is built upon a folder whose manifest no root signed."""
    organised(typed)
    path = Path("keys/manifest-1.json")
    path.write_bytes(path.read_bytes().replace(b"Courier", b"Curator"))
    with pytest.raises(roots.RootError):
        Keys.read(Path("keys"))


def test_any_of_three_roots_signs(typed: list[str]) -> None:
    """A second keeper's key signs what the first began; a fourth keeper is refused."""
    organised(typed)
    for number in (2, 3):
        assert run("init", "--key", f"root-{number}.key", descriptor=typed).exit_code == 0
    assert "three" in refused(run("init", "--key", "root-4.key", descriptor=typed))
    assert run("sign", "--yes", "--key", "root-3.key", descriptor=typed).exit_code == 0
    assert newest().manifest.serial == 2
    assert manifest.fingerprint(Keys.read(Path("keys")).roots) in run("show").output


def test_a_manifest_travels_in_the_outbox(typed: list[str]) -> None:
    """With --stick, all manifests lie in the outbox as a bundle for the server."""
    Path("stick").mkdir()
    organised(typed, "--stick", "stick")
    run("sign", "--yes", "--stick", "stick", descriptor=typed)
    with Path("stick/outbox/manifest-0002.tar").open("rb") as file:
        listing = bundle.verify(file)
    assert listing.to == "server"
    assert [member.name for member in listing.members][::2] == ["manifest.json", "manifest-1.json"]


def test_a_draft_drops_what_is_over_and_what_begins_too_late() -> None:
    """Only the newest begun recipient and those that begin within the manifest's time are listed."""
    someone = person("ombuds", "Ombudsperson", TODAY)
    draft = Draft()
    draft.enrol(someone.keys)
    draft.admit(CourierKey("Courier", bytes(SigningKey.generate().verify_key).hex()))
    draft.channel(manifest.Channel("all", {"en": "All"}, {"en": ""}, ("ombudsperson",), "offline"))

    def listed(begins: datetime.date, days: int) -> list[str]:
        found = manifest.parse(draft.encode(begins, begins + datetime.timedelta(days=days)))
        return [period.recipient for period in found.reviewers[0].recipients]

    first, second = (period.recipient for period in someone.periods)
    assert listed(TODAY, 30) == [first]
    assert listed(TODAY, 80) == [first, second]
    assert listed(TODAY + datetime.timedelta(days=85), 80) == [second]
