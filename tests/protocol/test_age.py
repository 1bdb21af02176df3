"""age files: keys, sizes, streams, and the form of a header beyond C2SP's vectors."""

import secrets
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from whistle.protocol import age
from whistle.protocol.age import bech32, hybrid, selftest
from whistle.protocol.age.format import sealed_header
from whistle.protocol.age.primitives import LOW_ORDER, encode_base64, exchange, is_low_order
from whistle.protocol.errors import Malformed, NotForMe

IDENTITY = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX"
RECIPIENT = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj"
HYBRID = "AGE-SECRET-KEY-PQ-1XX76JRALNLXDMEW0CRK45QMCCH4X06SE84UN3VPM33W6HWDX0H3SK3ZQFR"
HYBRID_RECIPIENT = age.HybridIdentity.from_text(HYBRID).recipient.text
TAG = "age1tag1qt8lw0ual6avlwmwatk888yqnmdamm7xfd0wak53ut6elz5c4swx2yqdj4e"
SIZES = [0, 1, 16, age.CHUNK - 1, age.CHUNK, age.CHUNK + 1, 2 * age.CHUNK, 200_000]
STANZA = "-> X25519 " + "A" * 43 + "\n" + "A" * 43 + "\n"
MAC = "--- " + "A" * 43 + "\n"
VERSION = "age-encryption.org/v1\n"


@pytest.fixture(scope="module")
def reader() -> age.X25519Identity:
    """Someone who reads."""
    return age.X25519Identity.generate()


class TestKeys:
    """The text and the raw form of keys."""

    def test_published_pair(self) -> None:
        """The identity that C2SP prints has the recipient that it prints beside it."""
        identity = age.X25519Identity.from_text(IDENTITY)
        assert (identity.text, identity.recipient.text) == (IDENTITY, RECIPIENT)

    def test_published_hybrid_identity(self) -> None:
        """The post-quantum identity that C2SP prints gives a recipient that starts and ends as it prints."""
        identity = age.HybridIdentity.from_text(HYBRID)
        text = identity.recipient.text
        assert identity.text == HYBRID
        assert text.startswith("age1pq1x34nzsvr0rxjsgdn8zgyhfe8j7ceq5r9rdelkjuh3y235jzxshfg87pzf5zrqt")
        assert text.endswith("6gjtqmwze9pyyzk3tlhl53k2ykx3qheyty7saeq0d3fzv49zc0k")

    @pytest.mark.parametrize("kind", [age.X25519Identity, age.HybridIdentity])
    def test_text_round_trip(self, kind: type[age.X25519Identity] | type[age.HybridIdentity]) -> None:
        """A key's text, read by its prefix, is the same key."""
        identity = kind.generate()
        assert age.identity(identity.text) == identity
        assert age.recipient(identity.recipient.text) == identity.recipient
        assert hash(age.recipient(identity.recipient.text)) == hash(identity.recipient)

    @pytest.mark.parametrize(
        ("text", "read"),
        [
            pytest.param(IDENTITY.lower(), age.X25519Identity.from_text, id="identity in lower case"),
            pytest.param(HYBRID.lower(), age.HybridIdentity.from_text, id="hybrid identity in lower case"),
            pytest.param(HYBRID_RECIPIENT.upper(), age.HybridRecipient.from_text, id="hybrid recipient in upper case"),
            pytest.param(RECIPIENT.upper(), age.X25519Recipient.from_text, id="recipient in upper case"),
            pytest.param(RECIPIENT, age.HybridRecipient.from_text, id="recipient of the other kind"),
            pytest.param(HYBRID, age.X25519Identity.from_text, id="identity of the other kind"),
            pytest.param(IDENTITY, age.recipient, id="identity as recipient"),
            pytest.param(RECIPIENT, age.identity, id="recipient as identity"),
            pytest.param(TAG, age.recipient, id="recipient on a hardware key"),
            pytest.param(" " + RECIPIENT, age.recipient, id="space before"),
            pytest.param(RECIPIENT + "\n", age.recipient, id="line feed after"),
            pytest.param(RECIPIENT.replace("equ", "eqv"), age.recipient, id="mistyped"),
            pytest.param(bech32.encode("age", bytes(31)), age.recipient, id="31 bytes"),
            pytest.param(bech32.encode("age", bytes(32)), age.recipient, id="of order 1"),
            pytest.param(bech32.encode("age", b"\1" + bytes(31)), age.recipient, id="of order 4"),
            pytest.param(bech32.encode("age1pq", bytes(1216)), age.recipient, id="hybrid half of order 1"),
            pytest.param(bech32.encode("age1pq", b"\xff" * 1184 + b"\t" * 32), age.recipient, id="no ML-KEM key"),
            pytest.param(bech32.encode("age-secret-key-pq-", bytes(31)).upper(), age.identity, id="seed of 31"),
        ],
    )
    def test_refused_text(self, text: str, read: Callable[[str], object]) -> None:
        """A key of any other spelling, kind or length, or that nothing can be sealed to, is Malformed."""
        with pytest.raises(Malformed):
            read(text)

    def test_points_of_small_order(self) -> None:
        """The points that are refused are those, in every spelling, with which libsodium makes no shared secret."""
        near = {*range(32), *(2**255 - 1 - low for low in range(32)), *LOW_ORDER}
        for point in (value | high for value in near for high in (0, 2**255)):
            raw = point.to_bytes(32, "little")
            assert is_low_order(raw) == (exchange(b"\1" * 32, raw) is None)

    @pytest.mark.parametrize("kind", [age.X25519Identity, age.HybridIdentity, age.ScryptIdentity])
    def test_secrets_are_not_shown(self, kind: Callable[[Any], object]) -> None:
        """An identity's repr holds nothing of the secret."""
        secret = "a" * 32
        made = kind(secret if kind is age.ScryptIdentity else secret.encode())
        assert "aaa" not in repr(made)


class TestBech32:
    """BIP173's own examples, less its limit on the length."""

    @pytest.mark.parametrize(
        "text",
        [
            "A12UEL5L",
            "an83characterlonghumanreadablepartthatcontainsthenumber1andtheexcludedcharactersbio1tt5tgs",
            "abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw",
            "split1checkupstagehandshakeupstreamerranterredcaperred2y9e3w",
        ],
    )
    def test_valid(self, text: str) -> None:
        """What is valid is written again as the same text."""
        assert bech32.encode(*bech32.decode(text)) == text.lower()

    @pytest.mark.parametrize(
        "text",
        [
            pytest.param("pzry9x0s0muk", id="no separator"),
            pytest.param("1pzry9x0s0muk", id="empty prefix"),
            pytest.param("10a06t8", id="empty prefix and no data"),
            pytest.param("1qzzfhee", id="empty prefix, right length"),
            pytest.param("x1b4n0q5v", id="letter that is not used"),
            pytest.param("li1dgmt3", id="short checksum"),
            pytest.param("A1G7SGD8", id="checksum over the prefix in upper case"),
            pytest.param("a12UEL5L", id="mixed case"),
            pytest.param("de1lg7wt\xff", id="character outside ASCII"),
            pytest.param("\x201nwldj5", id="prefix a space"),
            pytest.param("\x7f1axkwrx", id="prefix a control character"),
            pytest.param("\x801eym55h", id="prefix outside ASCII"),
            pytest.param("", id="nothing"),
        ],
    )
    def test_invalid(self, text: str) -> None:
        """What is not is Malformed."""
        with pytest.raises(Malformed):
            bech32.decode(text)

    def test_spare_bits(self) -> None:
        """A last character with spare bits that are not zero is Malformed, though its checksum is right."""
        with pytest.raises(Malformed, match="spare"):
            bech32._bytes(bech32._value(b"qp"), 2)


class TestFiles:
    """Sealing and opening."""

    @pytest.mark.parametrize("size", SIZES)
    def test_round_trip(self, reader: age.X25519Identity, size: int) -> None:
        """What is sealed opens, with 16 bytes more for each piece of 64 KiB and no empty one at the end."""
        plaintext = secrets.token_bytes(size)
        sealed = age.encrypt([reader.recipient], plaintext)
        pieces = max(1, -(-size // age.CHUNK))
        assert len(sealed) == 184 + size + 16 * pieces
        assert age.decrypt([reader], sealed) == plaintext

    @pytest.mark.parametrize("step", [1, 7919, age.CHUNK, age.SEALED_CHUNK, 10**6])
    def test_streams_in_any_steps(self, reader: age.X25519Identity, step: int) -> None:
        """However a file is cut on its way in or out, the same comes out."""
        plaintext = secrets.token_bytes(150_000 if step > 1 else 300)
        sealer = age.Sealer([reader.recipient])
        sealed = sealer.header
        sealed += b"".join(sealer.update(plaintext[at : at + step]) for at in range(0, len(plaintext), step))
        sealed += sealer.finish()
        opener = age.Opener([reader])
        opened = b"".join(opener.update(sealed[at : at + step]) for at in range(0, len(sealed), step))
        assert opened + opener.finish() == plaintext

    def test_memory_is_constant(self, reader: age.X25519Identity) -> None:
        """Sealing and opening 24 MiB holds less than half a megabyte at any time."""
        sealer, opener, piece = age.Sealer([reader.recipient]), age.Opener([reader]), bytes(age.CHUNK)
        tracemalloc.start()
        opener.update(sealer.header)
        for _ in range(384):
            opener.update(sealer.update(piece))
        opener.update(sealer.finish())
        opener.finish()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 2**19

    def test_64_hybrid_recipients(self) -> None:
        """A file for 64 post-quantum recipients opens for the last of them."""
        last = age.HybridIdentity.generate()
        crowd = [age.HybridIdentity.generate().recipient] * 63
        sealed = age.encrypt([*crowd, last.recipient], b"for many")
        header, _ = age.parse_header(sealed)
        assert len(header.stanzas) == 64
        assert age.decrypt([age.X25519Identity.generate(), last], sealed) == b"for many"

    def test_hybrid_header_length(self) -> None:
        """A post-quantum stanza takes 1,557 bytes, which is what the sizes of envelopes are reckoned with."""
        recipient = age.HybridIdentity.generate().recipient
        assert [len(age.Sealer([recipient] * n).header) for n in (1, 8)] == [22 + n * 1557 + 48 + 16 for n in (1, 8)]

    def test_stranger(self, reader: age.X25519Identity) -> None:
        """Whoever holds another identity, or none, is told that the file is not theirs."""
        sealed = age.encrypt([reader.recipient, age.HybridIdentity.generate().recipient], b"secret")
        strangers: list[age.Identity] = [
            age.X25519Identity.generate(),
            age.HybridIdentity.generate(),
            age.ScryptIdentity("secret"),
        ]
        for identities in (strangers, []):
            with pytest.raises(NotForMe):
                age.decrypt(identities, sealed)

    def test_zero_share_beside_mine(self, reader: age.X25519Identity) -> None:
        """A stanza whose share is of small order, of either kind, does not keep the next one from opening."""
        hybrid_reader = age.HybridIdentity.generate()
        sealed = hybrid_reader.recipient.wrap(bytes(16))
        encapsulated = hybrid._encapsulated(sealed)[:1088] + bytes(32)
        zero = age.Stanza((hybrid.KIND, encode_base64(encapsulated).decode()), sealed.body)
        with pytest.raises(age.LowOrderError):
            hybrid_reader.unwrap([zero])
        assert hybrid_reader.unwrap([zero, sealed]) == bytes(16)
        plain = age.Stanza(("X25519", "A" * 43), bytes(32))
        with pytest.raises(age.LowOrderError):
            reader.unwrap([plain])
        assert reader.unwrap([plain, reader.recipient.wrap(bytes(16))]) == bytes(16)

    def test_zero_share_and_two_identities(self, reader: age.X25519Identity) -> None:
        """Nor does it keep the identity that is tried second from opening."""
        stanzas = [age.Stanza(("X25519", "A" * 43), bytes(32)), reader.recipient.wrap(bytes(16))]
        file = sealed_header(stanzas, bytes(16)) + age.encrypt([reader.recipient], b"")[-32:]
        with pytest.raises(age.PayloadError):
            age.decrypt([age.X25519Identity.generate(), reader], file)

    def test_first_that_opens_decides(self) -> None:
        """Of two stanzas that open with different file keys the first counts, and the header's MAC shows the fraud."""
        reader = age.X25519Identity.generate()
        first, second = reader.recipient.wrap(b"1" * 16), reader.recipient.wrap(b"2" * 16)
        assert reader.unwrap([first, second]) == b"1" * 16
        header = sealed_header([first, second], b"2" * 16)
        with pytest.raises(age.MacError):
            age.decrypt([reader], header + bytes(64))

    def test_malformed_stanza_after_mine(self, reader: age.X25519Identity) -> None:
        """A stanza of one's own kind but wrong form is damage, even behind one that opens."""
        wrong = age.Stanza(("X25519", "A" * 43), bytes(31))
        with pytest.raises(age.HeaderError):
            reader.unwrap([reader.recipient.wrap(bytes(16)), wrong])

    def test_spent(self, reader: age.X25519Identity) -> None:
        """A finished sealer or opener takes nothing more."""
        sealer = age.Sealer([reader.recipient])
        sealed = sealer.header + sealer.finish()
        opener = age.Opener([reader])
        opener.update(sealed)
        opener.finish()
        for spent in (sealer, opener):
            with pytest.raises(ValueError, match="finished"):
                spent.update(b"")
            with pytest.raises(ValueError, match="finished"):
                spent.finish()

    def test_a_fault_is_final(self, reader: age.X25519Identity) -> None:
        """After an altered piece nothing more is released, whatever follows."""
        sealer = age.Sealer([reader.recipient])
        first, rest = sealer.update(bytes(age.CHUNK + 1)), sealer.finish()
        opener = age.Opener([reader])
        opener.update(sealer.header)
        with pytest.raises(age.PayloadError):
            opener.update(bytes([first[0] ^ 1]) + first[1:])
        for piece in (first, rest):
            with pytest.raises(age.PayloadError):
                opener.update(piece)
        with pytest.raises(age.PayloadError):
            opener.finish()

    def test_no_recipients(self) -> None:
        """A file for nobody is not made."""
        with pytest.raises(ValueError, match="recipients"):
            age.Sealer([])


class TestPassphrase:
    """Files under a passphrase."""

    def test_round_trip(self) -> None:
        """The same passphrase opens it and another does not."""
        sealed = age.encrypt([age.ScryptRecipient("pass phräse", log_n=4)], b"secret")
        assert age.decrypt([age.ScryptIdentity("wrong"), age.ScryptIdentity("pass phräse")], sealed) == b"secret"
        with pytest.raises(NotForMe):
            age.decrypt([age.ScryptIdentity("pass phrase")], sealed)

    def test_alone(self, reader: age.X25519Identity) -> None:
        """A passphrase is never sealed to beside anyone else."""
        with pytest.raises(ValueError, match="recipients"):
            age.Sealer([age.ScryptRecipient("secret", log_n=4), reader.recipient])

    def test_work_is_bounded(self) -> None:
        """A file that asks for more work than allowed is refused before any is done."""
        sealed = age.encrypt([age.ScryptRecipient("secret", log_n=5)], b"")
        with pytest.raises(age.HeaderError, match="work factor"):
            age.decrypt([age.ScryptIdentity("secret", max_log_n=4)], sealed)

    @pytest.mark.parametrize("log_n", [0, 21])
    def test_work_out_of_range(self, log_n: int) -> None:
        """Neither side is set up for work that cannot be done."""
        for kind in (age.ScryptRecipient, age.ScryptIdentity):
            with pytest.raises(ValueError, match="work factor"):
                kind("secret", log_n)


class TestHeader:
    """What no vector of C2SP says about headers."""

    def test_parsed(self) -> None:
        """A header gives its stanzas, its MAC and its length, and ignores what follows."""
        text = VERSION + "-> grease a b\n\n" + STANZA + MAC
        header, length = age.parse_header(text.encode() + b"\n--- payload")
        assert [stanza.args for stanza in header.stanzas] == [("grease", "a", "b"), ("X25519", "A" * 43)]
        assert (length, header.mac) == (len(text), bytes(32))

    @pytest.mark.parametrize(
        "text",
        [
            pytest.param("", id="empty"),
            pytest.param(VERSION, id="version alone"),
            pytest.param(VERSION + MAC, id="no stanza"),
            pytest.param(VERSION + STANZA + MAC[:-1], id="no last line feed"),
            pytest.param(VERSION + STANZA + MAC[:-1] + "\r\n", id="carriage return"),
            pytest.param(VERSION + STANZA + "\n" + MAC, id="empty line"),
            pytest.param(VERSION + STANZA + MAC.replace("A\n", "B\n"), id="spare bits in the MAC"),
            pytest.param(VERSION + "-> a\x7f\n\n" + MAC, id="control character in an argument"),
            pytest.param(VERSION + "-> ä\n\n" + MAC, id="letter outside ASCII in an argument"),
            pytest.param(VERSION + "-> a \n\n" + MAC, id="space after the arguments"),
            pytest.param(VERSION + "-> a\nAAA=\n" + MAC, id="padding"),
            pytest.param(VERSION + "-> a\nAAAAA\n" + MAC, id="impossible length"),
            pytest.param(VERSION + "-> a\nAA AA\n" + MAC, id="space in a body"),
            pytest.param(VERSION + "-> a\nAA-_\n" + MAC, id="the other base64"),
            pytest.param(VERSION + "-> a\n" + "A" * 65 + "\n" + MAC, id="65 columns"),
            pytest.param(VERSION + "-> a\n" + "A" * 64 + "\n" + MAC, id="no short line"),
            pytest.param(VERSION + STANZA + "-> scrypt A 1\n\n" + MAC, id="passphrase beside another"),
            pytest.param(" " + VERSION + STANZA + MAC, id="space before"),
            pytest.param("age-encryption.org/v2\n" + STANZA + MAC, id="version 2"),
            pytest.param(VERSION + "-> a\n" + ("A" * 64 + "\n") * 2100 + "\n" + MAC, id="beyond the limit"),
        ],
    )
    def test_refused(self, text: str) -> None:
        """A header of any other form is a HeaderError."""
        with pytest.raises(age.HeaderError):
            age.parse_header(text.encode())

    def test_longest(self) -> None:
        """A header may be exactly as long as the limit, and not a byte longer."""
        assert age.MAX_HEADER == 2**17
        lines = (age.MAX_HEADER - len(VERSION + "-> a\n" + "\n" + MAC)) // 65
        over = age.MAX_HEADER - len(VERSION + "-> a\n" + "\n" + MAC) - 65 * lines
        for more, fits in ((0, True), (1, False)):
            text = VERSION + "-> a" + "b" * (over + more) + "\n" + ("A" * 64 + "\n") * lines + "\n" + MAC
            assert len(text) == age.MAX_HEADER + more
            if fits:
                assert age.parse_header(text.encode())[1] == age.MAX_HEADER
            else:
                with pytest.raises(age.HeaderError, match="does not end"):
                    age.parse_header(text.encode())

    def test_endless_header(self, reader: age.X25519Identity) -> None:
        """An opener gives up on a header that does not end, instead of collecting it."""
        opener = age.Opener([reader])
        opener.update(VERSION.encode() + b"-> a\n")
        with pytest.raises(age.HeaderError, match="does not end"):
            for _ in range(3):
                opener.update(b"A" * 65_000)

    def test_not_an_age_file(self, reader: age.X25519Identity) -> None:
        """An opener refuses what is not an age file at the first byte that differs."""
        opener = age.Opener([reader])
        opener.update(b"age-")
        with pytest.raises(age.HeaderError):
            opener.update(b"X")


class TestSelfTest:
    """The library's own proof that post-quantum encryption works here."""

    def test_passes(self) -> None:
        """It passes with the library that is installed."""
        age.self_test()

    @pytest.mark.parametrize("defect", ["FILE_KEY", "RECIPIENT_SHA256"])
    def test_fails(self, monkeypatch: pytest.MonkeyPatch, defect: str) -> None:
        """A wrong answer is an error."""
        monkeypatch.setattr(selftest, defect, b"another key here" if defect == "FILE_KEY" else "00")
        with pytest.raises(age.SelfTestError):
            age.self_test()
