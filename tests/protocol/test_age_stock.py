"""age files to and from other programs: Debian's age, and age-encryption from npm."""

import secrets
from pathlib import Path

import pytest

from tests.stock import typage
from tests.stock.programs import attempt, run
from tests.stock.terminal import answer
from whistle.protocol import age
from whistle.protocol.errors import NotForMe

SIZES = [0, 1, age.CHUNK, 200_000]
PASSPHRASE = "correct horse battery staple"


@pytest.mark.parametrize("size", SIZES)
def test_debian_age_opens_ours(tmp_path: Path, size: int) -> None:
    """Debian's age opens what we seal, with the identity that we print."""
    identity, plaintext = age.X25519Identity.generate(), secrets.token_bytes(size)
    key = tmp_path / "key"
    key.write_text(identity.text + "\n")
    sealed = age.encrypt([age.X25519Identity.generate().recipient, identity.recipient], plaintext)
    assert run("age", "-d", "-i", key, given=sealed) == plaintext


@pytest.mark.parametrize("size", SIZES)
def test_we_open_debian_ages(size: int) -> None:
    """We open what Debian's age seals to a recipient that we print."""
    identity, plaintext = age.X25519Identity.generate(), secrets.token_bytes(size)
    sealed = run("age", "-r", identity.recipient.text, given=plaintext)
    assert age.decrypt([identity], sealed) == plaintext
    with pytest.raises(NotForMe):
        age.decrypt([age.X25519Identity.generate()], sealed)


def test_keys_of_age_keygen() -> None:
    """A key of age-keygen reads as the recipient that it prints, and is printed as it was."""
    comment, public, secret = run("age-keygen").decode().splitlines()
    identity = age.X25519Identity.from_text(secret)
    assert comment.startswith("# created")
    assert (identity.text, f"# public key: {identity.recipient.text}") == (secret, public)


def test_age_keygen_reads_our_key() -> None:
    """age-keygen derives from our identity the recipient that we derive."""
    identity = age.X25519Identity.generate()
    assert run("age-keygen", "-y", given=identity.text.encode()).decode().strip() == identity.recipient.text


def test_debian_age_passes_over_hybrid_stanzas(tmp_path: Path) -> None:
    """Debian's age, which is older than post-quantum stanzas, still finds its own beside one."""
    identity = age.X25519Identity.generate()
    key = tmp_path / "key"
    key.write_text(identity.text)
    sealed = age.encrypt([age.HybridIdentity.generate().recipient, identity.recipient], b"both")
    assert run("age", "-d", "-i", key, given=sealed) == b"both"


def test_debian_age_opens_our_passphrase_file(tmp_path: Path) -> None:
    """Debian's age opens what we seal under a passphrase, and an identity file so sealed serves as its key."""
    identity = age.X25519Identity.generate()
    key, plain, message = tmp_path / "key.age", tmp_path / "key", tmp_path / "message.age"
    key.write_bytes(age.encrypt([age.ScryptRecipient(PASSPHRASE, log_n=10)], identity.text.encode()))
    status, screen = answer("age", "-d", "-o", plain, key, answers=[PASSPHRASE])
    assert (status, plain.read_text()) == (0, identity.text), screen
    message.write_bytes(age.encrypt([identity.recipient], b"through the key file"))
    status, screen = answer("age", "-d", "-i", key, "-o", plain, message, answers=[PASSPHRASE])
    assert (status, plain.read_bytes()) == (0, b"through the key file"), screen


def test_debian_age_refuses_a_wrong_passphrase(tmp_path: Path) -> None:
    """With another passphrase Debian's age opens nothing of ours."""
    sealed = tmp_path / "sealed.age"
    sealed.write_bytes(age.encrypt([age.ScryptRecipient(PASSPHRASE, log_n=10)], b"secret"))
    status, screen = answer("age", "-d", "-o", tmp_path / "plain", sealed, answers=["wrong"])
    assert status == 1
    assert b"incorrect passphrase" in screen


def test_we_open_debian_ages_passphrase_file(tmp_path: Path) -> None:
    """We open what Debian's age seals under a passphrase, at its own work factor."""
    plain, sealed = tmp_path / "plain", tmp_path / "sealed.age"
    plain.write_bytes(b"secret")
    status, screen = answer("age", "-p", "-o", sealed, plain, answers=[PASSPHRASE, PASSPHRASE])
    assert status == 0, screen
    data = sealed.read_bytes()
    assert age.parse_header(data)[0].stanzas[0].args[2] == str(age.ScryptRecipient("").log_n)
    assert age.decrypt([age.ScryptIdentity(PASSPHRASE)], data) == b"secret"


def test_debian_age_refuses_what_is_cut_off(tmp_path: Path) -> None:
    """A file of ours without its last piece is refused there too."""
    identity = age.X25519Identity.generate()
    key = tmp_path / "key"
    key.write_text(identity.text)
    sealed = age.encrypt([identity.recipient], bytes(age.CHUNK + 1))
    assert attempt("age", "-d", "-i", key, given=sealed[:-17]).returncode == 1


@pytest.mark.parametrize("kind", ["hybrid", "x25519"])
@pytest.mark.parametrize("size", [0, 200_000])
def test_npm_opens_ours(kind: str, size: int) -> None:
    """age-encryption opens what we seal to its recipients, and only with the right identity."""
    identity, recipient = typage.generate(kind)
    plaintext = secrets.token_bytes(size)
    others = [age.HybridIdentity.generate().recipient for _ in range(7)]
    sealed = age.encrypt([*others, age.recipient(recipient)], plaintext)
    assert typage.open_(sealed, identity) == plaintext
    assert typage.open_(sealed, age.HybridIdentity.generate().text) is None


@pytest.mark.parametrize("kind", [age.HybridIdentity, age.X25519Identity])
@pytest.mark.parametrize("size", [0, 200_000])
def test_we_open_npms(kind: type[age.HybridIdentity] | type[age.X25519Identity], size: int) -> None:
    """We open what age-encryption seals to our recipients."""
    identity, plaintext = kind.generate(), secrets.token_bytes(size)
    sealed = typage.seal(plaintext, kind.generate().recipient.text, identity.recipient.text)
    assert age.decrypt([identity], sealed) == plaintext


@pytest.mark.parametrize("kind", ["hybrid", "x25519"])
def test_npm_derives_the_same(kind: str) -> None:
    """An identity of age-encryption has here the recipient that it has there."""
    identity, recipient = typage.generate(kind)
    ours = age.identity(identity)
    assert (ours.text, ours.recipient.text) == (identity, recipient)
