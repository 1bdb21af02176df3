"""minisign's keys and signatures, between ours and Debian's minisign, and everything that is refused."""

import base64
import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.bindings import (
    crypto_core_ed25519_scalar_mul,
    crypto_core_ed25519_scalar_reduce,
    crypto_scalarmult_ed25519_base_noclamp,
    crypto_scalarmult_ed25519_noclamp,
)

from tests.stock.programs import attempt, run
from whistle.protocol.errors import Forged, Malformed
from whistle.protocol.trust.minisign import PublicKey, SecretKey

DATA = b"the list of who may read\n"
SECRET = SecretKey(bytes(range(8)), bytes(range(32)))
COMMENT = "manifest 7\tüber"
SIGNATURE = SECRET.sign(DATA, COMMENT)
ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
LAST = SIGNATURE.splitlines()[1][-3:-1]  # characters before the padding
OTHER_LAST = LAST[:1] + bytes([ALPHABET[ALPHABET.index(LAST[1]) + 1]])  # the same bytes, spelt otherwise
ORDER = 2**252 + 27742317777372353535851937790883648493
SMALL_ORDER = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
]
NOT_CANONICAL = [
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0100000000000000000000000000000000000000000000000000000000000080",
]


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A folder with a key pair that minisign made, and with the data."""
    run("minisign", "-G", "-W", "-p", tmp_path / "key.pub", "-s", tmp_path / "key")
    (tmp_path / "data").write_bytes(DATA)
    return tmp_path


class TestStock:
    """Debian's minisign, both ways."""

    def test_keys_that_it_makes(self, made: Path) -> None:
        """Both halves of a key that minisign made read as one key, and are written as they were."""
        public = PublicKey.from_text((made / "key.pub").read_text())
        secret = SecretKey.from_text((made / "key").read_text())
        assert secret.public == public
        assert public.file() == (made / "key.pub").read_bytes()
        assert secret.text == (made / "key").read_text().splitlines()[1]

    def test_we_verify_what_it_signs(self, made: Path) -> None:
        """A signature by minisign verifies here and gives its trusted comment."""
        run("minisign", "-S", "-s", made / "key", "-m", made / "data", "-t", COMMENT)
        public = PublicKey.from_text((made / "key.pub").read_text())
        assert public.verify(DATA, (made / "data.minisig").read_bytes()) == COMMENT

    def test_its_own_comment(self, made: Path) -> None:
        """The comment that minisign writes by itself, with its tabs, is read too."""
        run("minisign", "-S", "-s", made / "key", "-m", made / "data")
        public = PublicKey.from_text((made / "key.pub").read_text())
        assert public.verify(DATA, (made / "data.minisig").read_bytes()).endswith("\tfile:data\thashed")

    def test_older_kind_of_signature(self, made: Path) -> None:
        """A signature by minisign over the data itself is refused."""
        run("minisign", "-S", "-l", "-s", made / "key", "-m", made / "data", "-t", COMMENT)
        public = PublicKey.from_text((made / "key.pub").read_text())
        with pytest.raises(Malformed, match="prehashed"):
            public.verify(DATA, (made / "data.minisig").read_bytes())

    def test_it_verifies_what_we_sign(self, made: Path) -> None:
        """minisign verifies our signature with our public key, as a file and as a line, and shows the comment."""
        secret = SecretKey.generate()
        (made / "key.pub").write_bytes(secret.public.file())
        (made / "data.minisig").write_bytes(secret.sign(DATA, COMMENT))
        for key in (["-p", made / "key.pub"], ["-P", secret.public.text]):
            assert run("minisign", "-V", "-Q", "-m", made / "data", *key).decode().strip() == COMMENT

    def test_it_refuses_what_we_signed_of_other_data(self, made: Path) -> None:
        """minisign tells our signature over other data apart."""
        secret = SecretKey.generate()
        (made / "data.minisig").write_bytes(secret.sign(DATA + b".", COMMENT))
        assert attempt("minisign", "-V", "-m", made / "data", "-P", secret.public.text).returncode == 1

    def test_it_signs_with_our_key(self, made: Path) -> None:
        """minisign signs with a key file that we wrote."""
        secret = SecretKey.generate()
        (made / "key").write_bytes(secret.file())
        run("minisign", "-S", "-s", made / "key", "-m", made / "data", "-t", COMMENT)
        assert secret.public.verify(DATA, (made / "data.minisig").read_bytes()) == COMMENT

    def test_key_with_a_password(self, made: Path) -> None:
        """A secret key that wants a password is refused."""
        data = bytearray(base64.b64decode((made / "key").read_text().splitlines()[1]))
        data[2:4] = b"Sc"
        with pytest.raises(Malformed, match="without a password"):
            SecretKey.from_text(base64.b64encode(data).decode())


CHANGES = {
    "carriage returns": lambda data: data.replace(b"\n", b"\r\n"),
    "one carriage return": lambda data: data.replace(b"\n", b"\r\n", 1),
    "no last end": lambda data: data[:-1],
    "carriage returns, no last end": lambda data: data.replace(b"\n", b"\r\n")[:-2],
    "a carriage return last": lambda data: data.replace(b"\n", b"\r\n")[:-1],
    "byte order mark": lambda data: b"\xef\xbb\xbf" + data,
    "byte order mark, carriage returns": lambda data: b"\xef\xbb\xbf" + data.replace(b"\n", b"\r\n"),
    "carriage returns alone": lambda data: data.replace(b"\n", b"\r"),
    "spaces": lambda data: data.replace(b"\n", b" \n"),
    "two bytes a letter": lambda data: data.decode().encode("utf-16"),
    "a line before": lambda data: b"\n" + data,
    "as long as it may be": lambda data: b"untrusted comment: ".ljust(1022, b"x") + data[data.index(b"\n") :],
    "too long": lambda data: b"untrusted comment: ".ljust(1023, b"x") + data[data.index(b"\n") :],
    "too long with its end": lambda data: b"untrusted comment: ".ljust(1022, b"x") + b"\r" + data[data.index(b"\n") :],
}
WINDOWS = list(CHANGES)[:5]


class TestWindows:
    """What Windows and its editors make of a file: read as Debian's minisign reads it, and no further."""

    @pytest.mark.parametrize("change", CHANGES)
    @pytest.mark.parametrize("which", ["key.pub", "data.minisig"])
    def test_as_stock_minisign(self, made: Path, which: str, change: str) -> None:
        """What we take minisign takes; both take what Windows does; nothing of it is called forged."""
        run("minisign", "-S", "-s", made / "key", "-m", made / "data", "-t", COMMENT)
        (made / which).write_bytes(CHANGES[change]((made / which).read_bytes()))
        stock = attempt("minisign", "-V", "-m", made / "data", "-p", made / "key.pub").returncode == 0
        try:
            key = PublicKey.from_file((made / "key.pub").read_bytes())
            ours = key.verify(DATA, (made / "data.minisig").read_bytes()) == COMMENT
        except Malformed:
            ours = False
        assert stock or not ours
        assert (stock and ours) or change not in WINDOWS
        if which == "key.pub" and change.startswith("byte order mark"):
            assert stock and ours


class TestKeys:
    """The text of keys."""

    def test_round_trip(self) -> None:
        """Keys come back from their lines and from their files."""
        secret = SecretKey.generate()
        for text in (secret.text, secret.file().decode()):
            assert SecretKey.from_text(text) == secret
        for text in (secret.public.text, secret.public.file().decode(), secret.public.file().decode().rstrip("\n")):
            assert PublicKey.from_text(text) == secret.public

    def test_secret_is_not_shown(self) -> None:
        """The repr of a secret key holds nothing of its seed."""
        assert "aaa" not in repr(SecretKey(bytes(8), b"a" * 32))

    @pytest.mark.parametrize("key", SMALL_ORDER + NOT_CANONICAL)
    def test_unsound_keys(self, key: str) -> None:
        """A public key of small order, or in a second spelling, is refused."""
        with pytest.raises(Malformed):
            PublicKey.from_text(base64.b64encode(b"Ed" + bytes(8) + bytes.fromhex(key)).decode())

    @pytest.mark.parametrize(
        "text",
        [
            pytest.param("", id="nothing"),
            pytest.param(SECRET.public.text + "\n", id="line feed"),
            pytest.param(SECRET.public.text[:-4], id="short"),
            pytest.param(SECRET.public.text + "AAAA", id="long"),
            pytest.param(SECRET.public.text[:8] + " " + SECRET.public.text[8:], id="space"),
            pytest.param("A" + SECRET.public.text[1:], id="another algorithm"),
            pytest.param("comment\n" + SECRET.public.text, id="comment of another form"),
            pytest.param("untrusted comment: a\n" + SECRET.public.text + "\nmore", id="third line"),
            pytest.param("ü" * 56, id="not ASCII"),
        ],
    )
    def test_refused(self, text: str) -> None:
        """A public key in any other form is Malformed."""
        with pytest.raises(Malformed):
            PublicKey.from_text(text)

    def test_secret_with_a_checksum(self) -> None:
        """A secret key has one spelling: where there is no password there is no checksum."""
        other = bytearray(base64.b64decode(SECRET.text))
        other[-1] ^= 1
        with pytest.raises(Malformed, match="without a password"):
            SecretKey.from_text(base64.b64encode(other).decode())

    def test_halves_of_two_keys(self) -> None:
        """A secret key whose public half belongs to another is refused."""
        other = bytearray(base64.b64decode(SECRET.text))
        other[70] ^= 1
        with pytest.raises(Malformed, match="belong together"):
            SecretKey.from_text(base64.b64encode(other).decode())


class TestSignatures:
    """Signatures that do not verify, and those of another form."""

    def test_round_trip(self) -> None:
        """What is signed verifies and gives its comment."""
        assert SECRET.public.verify(DATA, SIGNATURE) == COMMENT

    @pytest.mark.parametrize(
        ("signature", "public", "data"),
        [
            pytest.param(SIGNATURE, SECRET.public, DATA + b" ", id="other data"),
            pytest.param(SIGNATURE, SecretKey.generate().public, DATA, id="another key"),
            pytest.param(SIGNATURE, PublicKey(bytes(8), SECRET.public.key), DATA, id="another id"),
            pytest.param(SIGNATURE, PublicKey(SECRET.key_id, SecretKey.generate().public.key), DATA, id="same id"),
            pytest.param(SIGNATURE.replace(b"manifest 7", b"manifest 8"), SECRET.public, DATA, id="other comment"),
        ],
    )
    def test_forged(self, signature: bytes, public: PublicKey, data: bytes) -> None:
        """Other data, another key or another comment is Forged."""
        with pytest.raises(Forged):
            public.verify(data, signature)

    @pytest.mark.parametrize(
        "signature",
        [
            pytest.param(b"", id="nothing"),
            pytest.param(SIGNATURE + b"\n", id="fifth line"),
            pytest.param(SIGNATURE.replace(b"\n", b"\r\r\n"), id="two carriage returns"),
            pytest.param(SIGNATURE.replace(b"\n", b"\r"), id="carriage returns alone"),
            pytest.param(b"\xef\xbb\xbf" + SIGNATURE, id="byte order mark"),
            pytest.param(SIGNATURE.replace(b"\n", b" \n"), id="spaces"),
            pytest.param(SIGNATURE.replace(b"untrusted comment: ", b"comment: "), id="first comment"),
            pytest.param(SIGNATURE.replace(b"\ntrusted comment: ", b"\ncomment: "), id="second comment"),
            pytest.param(SIGNATURE.replace(b"manifest 7", b"manifest\x1b[2J"), id="escape sequence"),
            pytest.param(SIGNATURE.replace(b"manifest 7", "‮manifest 7".encode()), id="direction override"),
            pytest.param(SIGNATURE.replace(b"manifest 7", b"\xff"), id="not UTF-8"),
            pytest.param(SIGNATURE.replace(b"manifest 7", b"x" * 8192), id="long comment"),
            pytest.param(SIGNATURE.replace(b"signature by", b"x" * 1024), id="long first comment"),
            pytest.param(b"\n".join([*SIGNATURE.split(b"\n")[:2], b""]), id="two lines"),
            pytest.param(SIGNATURE.replace(b"=\ntrusted", b"\ntrusted"), id="no padding"),
            pytest.param(SIGNATURE.replace(LAST + b"=\n", OTHER_LAST + b"=\n"), id="spare bits"),
            pytest.param(SIGNATURE.replace(b"\nRU", b"\nRV"), id="another algorithm"),
        ],
    )
    def test_malformed(self, signature: bytes) -> None:
        """A signature file in any other form is Malformed."""
        with pytest.raises(Malformed):
            SECRET.public.verify(DATA, signature)

    @pytest.mark.parametrize("comment", ["two\nlines", "\r", "\x00", "x" * 8190])
    def test_comments_that_are_not_written(self, comment: str) -> None:
        """A comment that no reader would take is not signed."""
        with pytest.raises(ValueError, match="comment"):
            SECRET.sign(DATA, comment)

    @given(st.integers(0, len(SIGNATURE) * 8 - 1))
    def test_flipped_bit(self, bit: int) -> None:
        """A signature file with any one bit changed is refused, but for its untrusted comment."""
        altered = bytearray(SIGNATURE)
        altered[bit // 8] ^= 1 << bit % 8
        try:
            assert SECRET.public.verify(DATA, bytes(altered)) == COMMENT
            assert bit // 8 < SIGNATURE.index(b"\n")
        except (Malformed, Forged):
            pass


class TestStrictness:
    """Ed25519 has more signatures than it should; only the one that signing makes is taken."""

    @staticmethod
    def _file(signature: bytes) -> bytes:
        """A signature file in which `signature` stands over the data, and an honest one over the comment."""
        seal = SECRET.signing.sign(signature + COMMENT.encode()).signature
        lines = [
            b"untrusted comment: x",
            base64.b64encode(b"ED" + SECRET.key_id + signature),
            b"trusted comment: " + COMMENT.encode(),
            base64.b64encode(seal),
        ]
        return b"\n".join([*lines, b""])

    def test_the_honest_one(self) -> None:
        """The frame that these tests use verifies with an honest signature."""
        signature = SECRET.signing.sign(hashlib.blake2b(DATA).digest()).signature
        assert SECRET.public.verify(DATA, self._file(signature)) == COMMENT

    def test_scalar_beyond_the_order(self) -> None:
        """The same signature with the group's order added to its scalar is Forged."""
        signature = SECRET.signing.sign(hashlib.blake2b(DATA).digest()).signature
        scalar = int.from_bytes(signature[32:], "little") + ORDER
        with pytest.raises(Forged):
            SECRET.public.verify(DATA, self._file(signature[:32] + scalar.to_bytes(32, "little")))

    @pytest.mark.parametrize("point", SMALL_ORDER[:1] + NOT_CANONICAL[1:2])
    def test_nonce_of_small_order(self, point: str) -> None:
        """A signature that satisfies the equation with a nonce of small order is Forged."""
        nonce = bytes.fromhex(point)
        clamped = bytearray(hashlib.sha512(SECRET.seed).digest()[:32])
        clamped[0] &= 248
        clamped[31] = clamped[31] & 127 | 64
        hashed = hashlib.sha512(nonce + SECRET.public.key + hashlib.blake2b(DATA).digest()).digest()
        challenge = crypto_core_ed25519_scalar_reduce(hashed)
        scalar = crypto_core_ed25519_scalar_mul(challenge, bytes(clamped))
        left, right = crypto_scalarmult_ed25519_base_noclamp, crypto_scalarmult_ed25519_noclamp
        assert left(scalar) == right(challenge, SECRET.public.key)  # so the nonce that is left over is the identity
        with pytest.raises(Forged):
            SECRET.public.verify(DATA, self._file(nonce + scalar))
